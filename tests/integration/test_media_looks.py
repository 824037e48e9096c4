"""What is shown of a video besides the video: real files, real tools."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from subprocess import PIPE, Popen

import av
import pytest

from projectapi import errors
from projectapi.media import MediaRoom, looking
from projectapi.media.looking import Looks
from projectapi.media.made_once import MadeOnce
from projectapi.media.sandbox import Sandbox
from projectapi.project import Video
from tests.media_samples import ffmpeg, files_in, make_numbered_video, make_picture, make_video, small_mp4_bytes

ROOT = Path(__file__).parents[2]


@pytest.fixture
def looks(room: MediaRoom) -> Looks:
    return Looks(room.folder, room.path_of)


@pytest.fixture
def numbered(tmp_path: Path, upload: Callable[..., Video]) -> Video:
    """Four seconds at 25 frames a second; frame n has a brightness of 16 + 2n."""
    return upload(make_numbered_video(tmp_path / "numbered.mp4"))


def gray(path: Path) -> list[list[int]]:
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
        assert isinstance(frame, av.VideoFrame)
        rows: list[list[int]] = frame.to_ndarray(format="gray").tolist()
        return rows


def frame_number(path: Path) -> int:
    """Return which frame of the numbered video a JPEG shows."""
    rows = gray(path)
    values = [value for row in rows[16:48] for value in row[16:48]]
    # A JPEG's brightness goes from 0 to 255, a video's from 16 to 235.
    return round(sum(values) / len(values) * 219 / 255 / 2)


def processes_started(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    runs: list[object] = []
    really_run = Sandbox.run

    def count(self: Sandbox, command: list[str], **options: object) -> bytes:
        runs.append(command)
        return really_run(self, command, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Sandbox, "run", count)
    return runs


@pytest.mark.parametrize(("seconds", "frame"), [(0.0, 0), (0.03, 0), (0.04, 1), (1.5, 37), (2.0, 50), (3.96, 99), (99.0, 99)])
def test_a_frame_is_what_is_seen_at_that_time(looks: Looks, numbered: Video, seconds: float, frame: int) -> None:
    assert frame_number(looks.frame_at(numbered, seconds)) == frame


def test_where_the_pictures_end_before_the_sound_the_last_one_is_seen(
    tmp_path: Path, looks: Looks, upload: Callable[..., Video]
) -> None:
    picture = make_numbered_video(tmp_path / "numbered.mp4")
    ffmpeg(
        *("-i", str(picture), "-f", "lavfi", "-i", "sine=duration=30", "-map", "0:v", "-map", "1:a", "-c:v", "copy"),
        str(tmp_path / "long.mp4"),
    )
    video = upload(tmp_path / "long.mp4")

    assert [frame_number(looks.frame_at(video, seconds)) for seconds in (5.0, 29.0)] == [99, 75]


def test_a_frame_is_upright_and_at_most_640_pixels_long(tmp_path: Path, looks: Looks, upload: Callable[..., Video]) -> None:
    made = make_video(tmp_path / "flat.mp4", size="1280x720", seconds=1.0)
    ffmpeg("-display_rotation", "-90", "-i", str(made), "-c", "copy", str(tmp_path / "turned.mp4"))

    rows = gray(looks.frame_at(upload(tmp_path / "turned.mp4"), 0.5))

    assert (len(rows[0]), len(rows)) == (360, 640)


def test_what_was_made_is_not_made_again(looks: Looks, numbered: Video, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = processes_started(monkeypatch)

    for _ in range(3):
        looks.frame_at(numbered, 1.001)
        looks.filmstrip_sheet(numbered)
        looks.waveform_of(numbered, 20)
        looks.waveform_of(numbered, 5)

    assert len(runs) == 3


def test_what_vanished_is_made_again(looks: Looks, numbered: Video) -> None:
    sheet = looks.filmstrip_sheet(numbered)
    before = sheet.read_bytes()
    sheet.unlink()

    assert looks.filmstrip_sheet(numbered).read_bytes() == before


def test_everything_goes_with_the_video(room: MediaRoom, looks: Looks, numbered: Video) -> None:
    looks.frame_at(numbered, 1)
    looks.filmstrip_sheet(numbered)
    looks.waveform_of(numbered, 20)
    assert len(files_in(room.folder)) == 5

    room.discard(numbered)

    assert files_in(room.folder) == []


def test_old_looks_are_swept_and_used_ones_stay(room: MediaRoom, looks: Looks, numbered: Video) -> None:
    path = looks.frame_at(numbered, 1)
    in_use = {numbered.path, numbered.thumbnail_path or ""}

    assert room.sweep(in_use, 3600) == []
    assert room.sweep(in_use, -1) == [f"looks/{path.name}"]


def test_many_who_ask_at_once_cost_one_run(looks: Looks, numbered: Video, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = processes_started(monkeypatch)

    with ThreadPoolExecutor(8) as threads:
        sheets = list(threads.map(lambda _: looks.filmstrip_sheet(numbered).read_bytes(), range(8)))

    assert len(set(sheets)) == 1
    assert len(runs) == 1


_OTHER_PROCESS = """
import sys, time
from pathlib import Path
from projectapi.media.made_once import MadeOnce
from projectapi.media.storage import MediaFolder

def make(scratch):
    with open(sys.argv[2], "a") as runs:
        runs.write("run\\n")
    time.sleep(0.5)
    (scratch / "made").write_text("made")
    return scratch / "made"

print("ready", flush=True)
sys.stdin.readline()
print(MadeOnce(MediaFolder(Path(sys.argv[1]), 1), at_once=1, make_seconds=30).path("looks/made", make, 30).read_text())
"""


def test_processes_that_ask_at_once_cost_one_run(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    command = [sys.executable, "-c", _OTHER_PROCESS, str(tmp_path / "media"), str(runs)]
    processes = [Popen(command, cwd=ROOT, stdin=PIPE, stdout=PIPE, text=True) for _ in range(4)]
    for process in processes:
        assert process.stdout and process.stdout.readline() == "ready\n"

    for process in processes:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    answers = [process.communicate(timeout=60)[0] for process in processes]

    assert answers == ["made\n"] * 4
    assert runs.read_text() == "run\n"
    assert [path.name for path in (tmp_path / "media" / "looks").iterdir()] == ["made"]


def test_what_takes_longer_than_a_request_goes_on_and_is_found_later(room: MediaRoom) -> None:
    go_on = threading.Event()

    def make(scratch: Path) -> Path:
        go_on.wait(30)
        (scratch / "made").write_text("made")
        return scratch / "made"

    made = MadeOnce(room.folder, at_once=1, make_seconds=30)
    with pytest.raises(errors.MediaBusy, match="still being made"):
        made.path("looks/slow", make, 0.05)
    with pytest.raises(errors.MediaBusy):
        made.path("looks/other", make, 0.05)
    go_on.set()

    assert made.path("looks/slow", make, 30).read_text() == "made"


def test_a_frame_of_a_video_that_is_lost_says_so(room: MediaRoom, looks: Looks, numbered: Video) -> None:
    looks.frame_at(numbered, 1)
    room.path_of(numbered).unlink()

    frame, waveform = partial(looks.frame_at, numbered, 1), partial(looks.waveform_of, numbered, 1)
    for ask in (frame, partial(looks.filmstrip_of, numbered), waveform):
        with pytest.raises(errors.VideoLost, match="uploaded again"):
            ask()


def test_an_original_that_was_tampered_with_fails_in_plain_words(
    room: MediaRoom, looks: Looks, upload: Callable[..., Video]
) -> None:
    video = upload(small_mp4_bytes())
    script = b"ffconcat version 1.0\nfile secret.mp4\n"
    room.path_of(video).write_bytes(script + b"#" * (video.bytes - len(script)))
    (room.folder.root / "videos" / "secret.mp4").write_bytes(small_mp4_bytes())

    for ask in (lambda: looks.frame_at(video, 0), lambda: looks.filmstrip_sheet(video)):
        with pytest.raises(errors.ProjectApiError, match="untouched") as caught:
            ask()
        assert type(caught.value) is errors.ProjectApiError


def test_work_that_takes_too_long_is_given_up(looks: Looks, numbered: Video, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "_LIMITS", replace(looking._LIMITS, seconds=0.01))

    with pytest.raises(errors.MediaBusy) as caught:
        looks.filmstrip_sheet(numbered)

    assert caught.value.headers["Retry-After"] == "3600"


def test_only_so_many_frames_of_one_video_are_kept(
    room: MediaRoom, looks: Looks, numbered: Video, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "_FRAMES_MAX", 2)

    for seconds in (0, 1, 2, 3):
        looks.frame_at(numbered, seconds)

    kept = [name for name in files_in(room.folder) if name.startswith("looks/")]
    assert [name.rpartition("_")[2] for name in kept] == ["200.jpg", "300.jpg"]


def test_a_frame_that_is_there_is_found_without_looking_through_all_that_is_there(
    looks: Looks, numbered: Video, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = looks.frame_at(numbered, 1)
    monkeypatch.delattr(Path, "glob")

    assert looks.frame_at(numbered, 1) == first


def test_every_tile_of_a_filmstrip_shows_its_time(looks: Looks, numbered: Video) -> None:
    strip = looks.filmstrip_of(numbered)
    rows = gray(looks.filmstrip_sheet(numbered))

    assert (strip.count, strip.interval, strip.columns, strip.rows) == (16, 0.25, 10, 2)
    assert (len(rows[0]), len(rows)) == (strip.tile_width * strip.columns, strip.tile_height * strip.rows)
    for tile in range(strip.count):
        row, column = divmod(tile, strip.columns)
        middle = rows[row * strip.tile_height + strip.tile_height // 2][column * strip.tile_width + strip.tile_width // 2]
        assert middle * 219 / 255 / 2 == pytest.approx(tile * strip.interval * 25, abs=2)


def test_a_long_video_is_shown_by_its_keyframes(looks: Looks, numbered: Video) -> None:
    long = replace(numbered, width=30_000, height=30_000)

    sheet = gray(looks.filmstrip_sheet(long))

    # A keyframe a second: the four tiles of a second are the same.
    strip = looks.filmstrip_of(long)
    tiles = [sheet[strip.tile_height // 2][tile * strip.tile_width + strip.tile_width // 2] for tile in range(8)]
    assert max(tiles[0:4]) - min(tiles[0:4]) <= 2
    assert tiles[4] - tiles[3] > 30


def test_a_waveform_shows_when_it_is_loud(tmp_path: Path, looks: Looks, upload: Callable[..., Video]) -> None:
    # Silence for the first second, a loud tone in the next.
    tone = "sine=frequency=440:duration=2,volume=8*gte(t\\,1):eval=frame"
    picture = "testsrc=size=64x64:rate=25:duration=2"
    ffmpeg("-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", tone, "-c:a", "aac", str(tmp_path / "tone.mp4"))

    waveform = looks.waveform_of(upload(tmp_path / "tone.mp4"), 10)

    assert (waveform.sample_rate, waveform.samples_per_pixel) == (48_000, 4800)
    assert waveform.length == pytest.approx(20, abs=1)
    lows, highs = waveform.data[::2], waveform.data[1::2]
    assert max(highs[:9]) <= 1 and min(lows[:9]) >= -1
    assert min(highs[11:19]) > 60 and max(lows[11:19]) < -60


def test_sound_that_begins_late_stands_at_its_time(tmp_path: Path, looks: Looks, upload: Callable[..., Video]) -> None:
    ffmpeg(
        *("-f", "lavfi", "-i", "testsrc=size=64x64:rate=25:duration=3", "-itsoffset", "2", "-f", "lavfi"),
        *("-i", "sine=duration=1", "-c:a", "aac", str(tmp_path / "late.mkv")),
    )

    data = looks.waveform_of(upload(tmp_path / "late.mkv"), 10).data

    assert max(data[1 : 2 * 18 : 2]) <= 1
    assert max(data[2 * 22 + 1 :: 2]) > 5


def test_fewer_peaks_span_the_same_sound(looks: Looks, numbered: Video) -> None:
    fine, coarse = looks.waveform_of(numbered, 40).data, looks.waveform_of(numbered, 10).data

    assert len(coarse) == pytest.approx(len(fine) / 4, abs=2)
    assert (min(coarse), max(coarse)) == (min(fine), max(fine))
    assert coarse[:2] == [min(fine[0:8:2]), max(fine[1:8:2])]


def test_a_video_without_sound_has_no_peaks(tmp_path: Path, looks: Looks, upload: Callable[..., Video]) -> None:
    waveform = looks.waveform_of(upload(make_video(tmp_path / "silent.mp4", audio=False, seconds=1)), 20)

    assert (waveform.length, waveform.data) == (0, [])


def test_a_killed_maker_leaves_no_lock_behind_that_holds(tmp_path: Path, room: MediaRoom) -> None:
    code = _OTHER_PROCESS.replace("time.sleep(0.5)", "print('making', flush=True); time.sleep(60)")
    command = [sys.executable, "-c", code, str(room.folder.root), str(tmp_path / "runs")]
    process = Popen(command, cwd=ROOT, stdin=PIPE, stdout=PIPE, text=True)
    assert process.stdin and process.stdout
    process.stdin.write("go\n")
    process.stdin.flush()
    assert [process.stdout.readline() for _ in range(2)] == ["ready\n", "making\n"]
    process.kill()
    process.communicate()
    began = time.monotonic()

    made = MadeOnce(room.folder, at_once=1, make_seconds=30)
    path = made.path("looks/made", lambda scratch: make_picture(scratch / "made.png"), 30)

    assert path.stat().st_size > 0
    assert time.monotonic() - began < 20
