"""Trimming real videos with the real ffmpeg; what comes out is decoded again."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from projectapi import errors
from projectapi.media import MediaRoom, Trimmed, cutting
from projectapi.media.sandbox import Sandbox
from projectapi.project import Segment, Video
from projectapi.protocols import JobStopped
from tests.media_samples import (
    decoded_duration,
    decoded_sound,
    ffmpeg,
    files_in,
    frame_numbers,
    frame_times,
    make_numbered_video,
    make_variable_rate_video,
    make_video,
    small_mp4_bytes,
)

HALF_A_FRAME = 0.02
AAC_PADDING = 2 * 1024 / 48_000


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The programs that are run in the sandbox during the test."""
    seen: list[str] = []
    really_run = Sandbox.run

    def run(self: Sandbox, command: list[str], **options: object) -> bytes:
        seen.append(Path(command[0]).name)
        return really_run(self, command, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Sandbox, "run", run)
    yield seen


@pytest.fixture
def numbered(tmp_path: Path) -> bytes:
    return make_numbered_video(tmp_path / "numbered.mp4").read_bytes()


@pytest.mark.parametrize(
    ("extension", "asked"),
    [
        (".mp4", [(0.5, 1.234)]),
        (".mp4", [(1.01, 0.51)]),
        (".mp4", [(0.1, 0.333), (2.0, 0.777)]),
        (".mp4", [(0.0, 0.51), (1.0, 0.51), (2.2, 0.51)]),
        (".mp4", [(2.0, 0.5), (0.5, 0.5), (1.5, 0.3)]),
        (".mp4", [(0.5, 0.5), (0.5, 0.5)]),
        (".mkv", [(0.1, 0.333), (2.0, 0.777)]),
        (".avi", [(0.1, 0.333), (2.0, 0.777)]),
        (".webm", [(2.0, 0.333), (0.1, 0.777)]),
    ],
)
def test_the_result_lasts_what_was_asked_to_half_a_frame(
    tmp_path: Path, room: MediaRoom, upload: Callable[..., Video], extension: str, asked: list[tuple[float, float]]
) -> None:
    video = upload(make_video(tmp_path / f"sample{extension}"))

    result = room.trim(video, [Segment(*pair) for pair in asked])

    expected = sum(duration for _, duration in asked)
    trimmed = room.static_path(result.path)
    assert result.duration == pytest.approx(expected, abs=HALF_A_FRAME + 1e-6)
    assert decoded_duration(trimmed) == pytest.approx(result.duration, abs=1e-4)
    assert decoded_sound(trimmed) == pytest.approx(result.duration, abs=AAC_PADDING)


def test_the_frames_are_exactly_those_that_were_asked_for(
    numbered: bytes, room: MediaRoom, upload: Callable[..., Video]
) -> None:
    result = room.trim(upload(numbered), [Segment(3.0, 0.2), Segment(0.4, 0.2), Segment(1.0, 0.12)])

    frames = [*range(75, 80), *range(10, 15), *range(25, 28)]
    assert frame_numbers(room.static_path(result.path)) == frames


def test_times_rounded_to_milliseconds_do_not_shift_a_frame(
    tmp_path: Path, room: MediaRoom, upload: Callable[..., Video]
) -> None:
    # Matroska says 33 ms for frame 1 at 30 per second; many pieces out of order make the joining count as well.
    video = upload(make_numbered_video(tmp_path / "numbered.mkv", rate="30", seconds=3.0))
    starts = [(number * 37) % 88 for number in range(30)]

    result = room.trim(video, [Segment(start / 30, 2 / 30) for start in starts])

    assert frame_numbers(room.static_path(result.path)) == [frame for start in starts for frame in (start, start + 1)]


def test_pictures_that_begin_after_the_sound_are_cut_to_the_nearest(
    tmp_path: Path, numbered: bytes, room: MediaRoom, upload: Callable[..., Video]
) -> None:
    (tmp_path / "numbered.mp4").write_bytes(numbered)
    late = tmp_path / "late.mkv"
    source = str(tmp_path / "numbered.mp4")
    ffmpeg("-itsoffset", "0.03", "-i", source, "-i", source, "-map", "0:v", "-map", "1:a", "-c", "copy", str(late))

    result = room.trim(upload(late), [Segment(1.0, 0.2)])

    # Frame 24 is shown from 0.99 s on.
    assert frame_numbers(room.static_path(result.path)) == [24, 25, 26, 27, 28]


def test_a_hundred_cuts_are_as_exact_as_one(numbered: bytes, room: MediaRoom, upload: Callable[..., Video]) -> None:
    # More than one run of ffmpeg can take: the pieces are joined.
    starts = [(number * 7) % 99 for number in range(100)]

    result = room.trim(upload(numbered), [Segment(start / 25, 1 / 25) for start in starts])

    assert frame_numbers(room.static_path(result.path)) == starts
    assert decoded_sound(room.static_path(result.path)) == pytest.approx(4.0, abs=AAC_PADDING)


@pytest.mark.parametrize("rate", ["30000/1001", "60", "12"])
def test_other_frame_rates_are_kept(tmp_path: Path, room: MediaRoom, upload: Callable[..., Video], rate: str) -> None:
    path = tmp_path / f"rate{rate.replace('/', '_')}.mkv"
    video = upload(make_video(path, rate=rate, seconds=2.0))
    count, _, per = rate.partition("/")
    frame = int(per or 1) / int(count)

    result = room.trim(video, [Segment(0.3, 0.5), Segment(1.0, 0.7)])

    times = frame_times(room.static_path(result.path))
    assert result.duration == pytest.approx(1.2, abs=frame / 2 + 1e-6)
    assert len(times) == round(result.duration / frame)
    assert decoded_duration(room.static_path(result.path)) == pytest.approx(result.duration, abs=1e-3)


def test_a_varying_frame_rate_is_cut_in_thirty_a_second(tmp_path: Path, room: MediaRoom, upload: Callable[..., Video]) -> None:
    video = upload(make_variable_rate_video(tmp_path / "varying.mp4"))

    result = room.trim(video, [Segment(0.25, 0.7), Segment(1.9, 0.55)])

    assert result.duration == pytest.approx(1.25, abs=1 / 60 + 1e-6)
    assert decoded_duration(room.static_path(result.path)) == pytest.approx(result.duration, abs=1e-3)


@pytest.mark.parametrize("count", [1, 2, 20])
@pytest.mark.parametrize("rate", ["constant", "variable"])
def test_many_pieces_together_last_what_was_asked_to_half_a_frame(
    tmp_path: Path, room: MediaRoom, upload: Callable[..., Video], rate: str, count: int
) -> None:
    make = make_video if rate == "constant" else make_variable_rate_video
    frame = 1 / 25 if rate == "constant" else 1 / 30
    pieces = [Segment(0.013 + number * 2.9 / count, 1.217 / count) for number in range(count)]

    result = room.trim(upload(make(tmp_path / f"{rate}.mp4")), pieces)

    assert result.duration == pytest.approx(1.217, abs=frame / 2)
    assert decoded_duration(room.static_path(result.path)) == pytest.approx(1.217, abs=frame / 2)


def test_a_video_without_sound_is_cut(tmp_path: Path, room: MediaRoom, upload: Callable[..., Video]) -> None:
    result = room.trim(upload(make_video(tmp_path / "silent.mp4", audio=False)), [Segment(0, 1), Segment(2, 0.6)])

    assert decoded_duration(room.static_path(result.path)) == pytest.approx(1.6, abs=1e-4)
    assert decoded_sound(room.static_path(result.path)) == 0


def test_sound_that_outlasts_the_pictures_is_cut_with_the_last_picture(
    tmp_path: Path, room: MediaRoom, upload: Callable[..., Video]
) -> None:
    sources = ["-f", "lavfi", "-i", "testsrc=size=64x64:rate=25:duration=1", "-f", "lavfi", "-i", "sine=duration=3"]
    ffmpeg(*sources, "-c:v", "libx264", str(tmp_path / "long_sound.mp4"))
    video = upload(tmp_path / "long_sound.mp4")

    result = room.trim(video, [Segment(0.5, 2.0)])

    assert decoded_duration(room.static_path(result.path)) == pytest.approx(2.0, abs=1e-4)


@pytest.mark.parametrize("asked", [[], [Segment(0, 1.0)], [Segment(-1, 99)], [Segment(0, 0.4), Segment(0.4, 9)]])
def test_the_whole_video_costs_nothing(
    room: MediaRoom, upload: Callable[..., Video], runs: list[str], asked: list[Segment]
) -> None:
    video = upload(small_mp4_bytes())
    runs.clear()

    assert room.trim(video, asked) == Trimmed(video.path, video.duration)
    assert runs == []


def test_a_segment_outside_the_video_is_refused_by_name(room: MediaRoom, upload: Callable[..., Video]) -> None:
    video = upload(small_mp4_bytes())

    with pytest.raises(errors.ValidationFailed, match=r"^segments\.1\.startTime"):
        room.trim(video, [Segment(0, 0.5), Segment(5, 1)])

    assert files_in(room.folder) == sorted([video.path, video.thumbnail_path or ""])


def test_the_same_request_later_is_answered_from_the_earlier_result(
    room: MediaRoom, upload: Callable[..., Video], runs: list[str]
) -> None:
    video = upload(small_mp4_bytes())
    first = room.trim(video, [Segment(0.2, 0.5)])
    runs.clear()

    assert room.trim(video, [Segment(0.2, 0.5)]) == first
    assert runs == []


def test_different_requests_have_different_results(room: MediaRoom, upload: Callable[..., Video]) -> None:
    video = upload(small_mp4_bytes())

    assert room.trim(video, [Segment(0.2, 0.5)]).path != room.trim(video, [Segment(0.24, 0.5)]).path


def test_the_original_is_never_touched(room: MediaRoom, upload: Callable[..., Video]) -> None:
    video = upload(small_mp4_bytes())
    before = room.path_of(video).stat()

    room.trim(video, [Segment(0.2, 0.5)])

    after = room.path_of(video).stat()
    assert room.path_of(video).read_bytes() == small_mp4_bytes()
    assert (after.st_ino, after.st_mtime_ns, after.st_nlink) == (before.st_ino, before.st_mtime_ns, before.st_nlink)


def scratch_folders(room: MediaRoom) -> list[Path]:
    return list((room.folder.root / "work").iterdir())


@pytest.fixture
def endless(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for ffmpeg that leaves half a result and never ends."""
    command = ["/bin/sh", "-c", "echo half > output.mp4; sleep 60 & wait"]
    monkeypatch.setattr(cutting, "cut_command", lambda *_, **__: command)


@pytest.mark.usefixtures("endless")
def test_a_cut_that_never_ends_is_given_up_in_plain_words_and_leaves_nothing(
    room: MediaRoom, upload: Callable[..., Video]
) -> None:
    video = upload(small_mp4_bytes())
    hasty = MediaRoom(room.folder.root, 2**30, trim_run_seconds=0.5)

    with pytest.raises(errors.MediaBusy, match="longer than the server may work on it") as caught:
        hasty.trim(video, [Segment(0.2, 0.5)])

    assert caught.value.headers["Retry-After"] == "3600"
    assert scratch_folders(room) == []
    assert files_in(room.folder) == sorted([video.path, video.thumbnail_path or ""])


@pytest.mark.usefixtures("endless")
def test_a_cut_that_is_not_wanted_any_more_is_left_at_once_with_all_that_it_started(
    room: MediaRoom, upload: Callable[..., Video]
) -> None:
    video, began = upload(small_mp4_bytes()), time.monotonic()

    def unwanted(_done: float) -> None:
        # Not before the tool has started something itself.
        if any(scratch_folders(room)) and time.monotonic() - began > 1:
            raise JobStopped

    with pytest.raises(JobStopped):
        room.trim(video, [Segment(0.2, 0.5)], unwanted)

    assert time.monotonic() - began < 20
    assert files_in(room.folder) == sorted([video.path, video.thumbnail_path or ""])
    assert processes_in(room.folder.root) == []


def processes_in(folder: Path) -> list[str]:
    """Return the processes that work in a folder or below."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            where = os.readlink(entry / "cwd")
        except OSError:
            continue
        if where.startswith(str(folder)):
            found.append(entry.name)
    return found


def test_how_much_is_done_is_reported_and_never_goes_back(
    tmp_path: Path, room: MediaRoom, upload: Callable[..., Video]
) -> None:
    video = upload(make_video(tmp_path / "long.mp4", seconds=20.0, size="640x480"))
    heard: list[float] = []

    room.trim(video, [Segment(1.0, 18.0)], heard.append)

    assert heard == sorted(heard)
    assert heard[0] < 0.5 and heard[-1] == pytest.approx(1.0, abs=0.01)


def test_a_server_that_is_killed_while_it_cuts_leaves_only_what_a_sweep_takes(
    room: MediaRoom, upload: Callable[..., Video]
) -> None:
    video = upload(small_mp4_bytes())
    code = (
        "import os, sys; from pathlib import Path\n"
        "from projectapi.media import MediaRoom, cutting\n"
        "from projectapi.project import Segment, Video; video = eval(sys.argv[2])\n"
        "cutting.cut_command = lambda *_, **__: ['/bin/sh', '-c', 'echo half > output.mp4; exec sleep 60']\n"
        "room = MediaRoom(Path(sys.argv[1]), 2**30)\n"
        "result = room.folder.root / 'work'\n"
        "half_done = lambda _: any(result.glob('*/output.mp4')) and os.kill(os.getpid(), 9)\n"
        "room.trim(video, [Segment(0.2, 0.5)], half_done)"
    )
    command = [sys.executable, "-c", code, str(room.folder.root), repr(video)]
    server = subprocess.run(command, cwd=Path(__file__).parents[2], check=False, timeout=30)
    assert server.returncode == -9
    (leftover,) = scratch_folders(room)

    assert room.sweep({video.path, video.thumbnail_path or ""}, 0) == [f"work/{leftover.name}"]
    assert files_in(room.folder) == sorted([video.path, video.thumbnail_path or ""])


def test_when_ffmpeg_fails_the_trouble_is_ours_and_logged_and_nothing_is_left(
    room: MediaRoom, upload: Callable[..., Video], caplog: pytest.LogCaptureFixture
) -> None:
    video = upload(small_mp4_bytes())
    room.path_of(video).write_bytes(b"\0" * video.bytes)

    with caplog.at_level("DEBUG"), pytest.raises(errors.ProjectApiError, match="could not cut this video") as caught:
        room.trim(video, [Segment(0.2, 0.5)])

    assert caught.value.status == 500
    assert [r.levelname for r in caplog.records if r.getMessage().startswith("cutting")] == ["ERROR"]
    assert [r.levelname for r in caplog.records if "Invalid data" in r.getMessage()] == ["DEBUG"]
    assert files_in(room.folder) == sorted([video.path, video.thumbnail_path or ""])


@pytest.mark.parametrize("script", ["exit 1", "exit 0", "echo cut > output.mp4"], ids=["fails", "makes nothing", "succeeds"])
def test_a_video_that_is_discarded_while_it_is_cut_is_not_found_and_leaves_nothing(
    room: MediaRoom, upload: Callable[..., Video], monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    video = upload(small_mp4_bytes())
    source = room.path_of(video)
    monkeypatch.setattr(cutting, "cut_command", lambda *_, **__: ["/bin/sh", "-c", f"rm {source}; {script}"])

    with pytest.raises(errors.VideoNotFound):
        room.trim(video, [Segment(0.2, 0.5)])

    assert files_in(room.folder) == [video.thumbnail_path]


def test_a_video_that_is_discarded_before_it_is_cut_is_not_found(
    room: MediaRoom, upload: Callable[..., Video], monkeypatch: pytest.MonkeyPatch
) -> None:
    video = upload(small_mp4_bytes())
    really_cut = cutting.cut_command

    def cut_what_is_gone(*arguments: Any, **options: Any) -> list[str]:
        room.discard(video)
        return really_cut(*arguments, **options)

    monkeypatch.setattr(cutting, "cut_command", cut_what_is_gone)

    with pytest.raises(errors.VideoNotFound):
        room.trim(video, [Segment(0.2, 0.5)])


def test_cutting_reads_no_playlist_either(room: MediaRoom, upload: Callable[..., Video]) -> None:
    secret = upload(small_mp4_bytes())
    script = f"ffconcat version 1.0\nfile {Path(secret.path).name}\n".encode()
    video = upload(small_mp4_bytes())
    room.path_of(video).write_bytes(script)

    with pytest.raises(errors.ProjectApiError, match="could not cut this video"):
        room.trim(replace(video, bytes=len(script)), [Segment(0.2, 0.5)])
