"""Videos that arrive, and files that only say that they are videos: real files, real tools."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import av
import pytest

from projectapi import errors
from projectapi.media import MediaRoom, inspect_child, probing
from projectapi.media.sandbox import CONTAINERS, Limits, Sandbox
from projectapi.project import Video
from tests.media_samples import (
    ffmpeg,
    files_in,
    make_picture,
    make_sound,
    make_variable_rate_video,
    make_video,
    small_mp4_bytes,
)

GIB = 2**30


def jpeg_size(path: Path) -> tuple[int, int]:
    with av.open(str(path)) as container:
        assert container.streams.video[0].codec_context.name == "mjpeg"
        return container.streams.video[0].width, container.streams.video[0].height


def brightness(path: Path) -> float:
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
        assert isinstance(frame, av.VideoFrame)
        return float(frame.to_ndarray(format="gray").mean())


@pytest.mark.parametrize(
    ("extension", "content_type", "video_codec", "audio_codec"),
    [
        (".mp4", "video/mp4", "h264", "aac"),
        (".mov", "video/quicktime", "h264", "aac"),
        (".avi", "video/x-msvideo", "mpeg4", "mp3"),
        (".mkv", "video/x-matroska", "h264", "aac"),
        (".webm", "video/webm", "vp8", "vorbis"),
        (".ogv", "video/ogg", "theora", "vorbis"),
    ],
)
def test_every_container_is_known_by_its_content(
    tmp_path: Path, upload: Callable[..., Video], extension: str, content_type: str, video_codec: str, audio_codec: str
) -> None:
    made = make_video(tmp_path / f"sample{extension}", seconds=2.0)

    video = upload(made, "called anything.txt")

    assert (video.content_type, video.video_codec, video.audio_codec) == (content_type, video_codec, audio_codec)
    assert video.path.endswith(extension)
    assert (video.width, video.height, video.rotation) == (160, 120, 0)
    assert video.frame_rate == pytest.approx(25.0, abs=0.01)
    assert video.duration == pytest.approx(2.0, abs=0.1)


def test_an_upload_is_stored_byte_for_byte_under_a_record_that_says_so(room: MediaRoom, upload: Callable[..., Video]) -> None:
    content = small_mp4_bytes()

    video = upload(content, "../Ferien.mp4")

    assert room.path_of(video).read_bytes() == content
    assert video.sha256 == hashlib.sha256(content).hexdigest()
    assert video.bytes == len(content)
    assert video.original_name == "Ferien.mp4"
    assert files_in(room.folder) == sorted([video.path, video.thumbnail_path or ""])
    assert list((room.folder.root / "work").iterdir()) == []


def test_a_video_without_sound_is_a_video(tmp_path: Path, upload: Callable[..., Video]) -> None:
    assert upload(make_video(tmp_path / "silent.mp4", audio=False)).audio_codec is None


def test_a_varying_frame_rate_is_reported_as_its_mean(tmp_path: Path, upload: Callable[..., Video]) -> None:
    video = upload(make_variable_rate_video(tmp_path / "varying.mp4"))

    assert video.frame_rate == pytest.approx(16.0, abs=0.5)
    assert video.duration == pytest.approx(3.0, abs=0.05)


def test_a_recording_that_does_not_say_its_length_is_measured(tmp_path: Path, upload: Callable[..., Video]) -> None:
    live = make_video(tmp_path / "live.webm", seconds=3.0, extra=["-live", "1"])
    with av.open(str(live)) as container:
        assert container.duration is None

    assert upload(live).duration == pytest.approx(3.0, abs=0.05)


def test_a_fragmented_mp4_is_taken(tmp_path: Path, upload: Callable[..., Video]) -> None:
    made = make_video(tmp_path / "f.mp4", extra=["-movflags", "frag_keyframe+empty_moov"])

    assert upload(made).duration == pytest.approx(3.0, abs=0.05)


def test_a_turned_phone_video_gets_an_upright_thumbnail(tmp_path: Path, room: MediaRoom, upload: Callable[..., Video]) -> None:
    made = make_video(tmp_path / "flat.mp4", size="320x180", seconds=2.0)
    ffmpeg("-display_rotation", "-90", "-i", str(made), "-c", "copy", str(tmp_path / "turned.mp4"))

    video = upload(tmp_path / "turned.mp4")

    assert (video.width, video.height, video.rotation) == (320, 180, 90)
    assert jpeg_size(room.thumbnail_path_of(video)) == (180, 320)


def test_a_thumbnail_of_a_large_video_is_640_pixels_long(tmp_path: Path, room: MediaRoom, upload: Callable[..., Video]) -> None:
    video = upload(make_video(tmp_path / "hd.mp4", size="1280x720", seconds=0.5))

    assert jpeg_size(room.thumbnail_path_of(video)) == (640, 360)


def test_the_thumbnail_shows_the_first_second(tmp_path: Path, room: MediaRoom, upload: Callable[..., Video]) -> None:
    # Dark but for the time from 0.9 s to 1.1 s.
    picture = "color=black:size=64x64:rate=25:duration=3,format=yuv420p,geq=lum='if(between(N,23,27),220,20)':cb=128:cr=128"
    ffmpeg("-f", "lavfi", "-i", picture, "-c:v", "libx264", str(tmp_path / "flash.mp4"))

    assert brightness(room.thumbnail_path_of(upload(tmp_path / "flash.mp4"))) > 200


def test_the_first_picture_of_a_song_is_no_video(tmp_path: Path, upload: Callable[..., Video]) -> None:
    cover = make_picture(tmp_path / "cover.png")
    song = tmp_path / "song.m4a"
    picture = ["-map", "0", "-map", "1", "-c:v", "png", "-disposition:v", "attached_pic"]
    ffmpeg("-f", "lavfi", "-i", "sine=duration=1", "-i", str(cover), *picture, str(song))

    with pytest.raises(errors.InvalidVideo, match="no moving pictures"):
        upload(song)


def test_sound_in_a_video_container_is_no_video(tmp_path: Path, upload: Callable[..., Video]) -> None:
    with pytest.raises(errors.InvalidVideo, match="no moving pictures"):
        upload(make_sound(tmp_path / "sound.ogg"))


@pytest.mark.parametrize("name", ["sound.wav", "picture.png", "picture.jpg", "picture.avif"])
def test_other_media_are_refused(tmp_path: Path, room: MediaRoom, upload: Callable[..., Video], name: str) -> None:
    made = make_sound(tmp_path / name) if name.startswith("sound") else make_picture(tmp_path / name)

    with pytest.raises(errors.InvalidVideo):
        upload(made)

    assert files_in(room.folder) == []


@pytest.mark.parametrize(
    "content",
    [b"", b"\0", b"no video at all\n" * 100, bytes(range(256)) * 400, b"\0\0\0\x20ftypisom" + b"\xff" * 5000],
    ids=["empty", "one byte", "text", "binary", "a header only"],
)
def test_garbage_is_refused_and_leaves_nothing(room: MediaRoom, upload: Callable[..., Video], content: bytes) -> None:
    with pytest.raises(errors.InvalidVideo):
        upload(content)

    assert files_in(room.folder) == []
    assert list((room.folder.root / "work").iterdir()) == []


@pytest.mark.parametrize("flags", ["0", "+faststart"], ids=["index at the end", "index at the front"])
def test_a_video_that_lost_its_end_is_refused(tmp_path: Path, upload: Callable[..., Video], flags: str) -> None:
    whole = make_video(tmp_path / "whole.mp4", extra=["-movflags", flags]).read_bytes()

    with pytest.raises(errors.InvalidVideo):
        upload(whole[: len(whole) * 2 // 3])


def test_a_recording_that_broke_off_has_the_length_of_what_is_there(tmp_path: Path, upload: Callable[..., Video]) -> None:
    whole = make_video(tmp_path / "whole.mkv", seconds=8.0, audio=False).read_bytes()

    assert 1.0 < upload(whole[: len(whole) // 2]).duration < 6.0


def test_a_huge_picture_in_a_small_file_is_refused(tmp_path: Path, upload: Callable[..., Video]) -> None:
    ffmpeg("-f", "lavfi", "-i", "color=size=16000x4000:rate=1:duration=1", "-c:v", "mjpeg", str(tmp_path / "bomb.avi"))

    with pytest.raises(errors.InvalidVideo, match="too large"):
        upload(tmp_path / "bomb.avi")


HLS = "#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\n{0}\n#EXT-X-ENDLIST\n"
CONCAT = "ffconcat version 1.0\nfile {0}\n"


@pytest.mark.parametrize("script", [HLS, CONCAT], ids=["HLS playlist", "ffconcat script"])
@pytest.mark.parametrize("place", ["{name}", "{folder}/{name}"])
def test_a_playlist_dressed_as_a_video_cannot_show_another_users_film(
    room: MediaRoom, upload: Callable[..., Video], script: str, place: str
) -> None:
    # The other film lies right beside the playlist: it is an upload on its way as well.
    with room.receive() as secret:
        secret.write(small_mp4_bytes())
        before = files_in(room.folder)
        target = place.format(name=secret.path.name, folder=secret.path.parent)

        with pytest.raises(errors.InvalidVideo):
            upload(script.format(target).encode(), "film.mp4")

        assert files_in(room.folder) == before


@pytest.mark.parametrize("script", [HLS, CONCAT], ids=["HLS playlist", "ffconcat script"])
def test_a_playlist_is_not_even_opened_as_one(tmp_path: Path, script: str) -> None:
    (tmp_path / "neighbour.mp4").write_bytes(small_mp4_bytes())
    (tmp_path / "film.mp4").write_text(script.format("neighbour.mp4"))
    child = str(Path(probing.__file__).with_name("inspect_child.py"))
    limits = Limits(seconds=20, cpu_seconds=20, memory_bytes=3 * GIB, output_bytes=GIB)

    # In the same folder as its neighbour, where a tool that knew the file's name could read it.
    answer = Sandbox(slots=1, wait_seconds=0).run(
        [sys.executable, "-I", child, CONTAINERS, "1000000", "thumbnail.jpg", "mark"],
        source=tmp_path / "film.mp4",
        scratch=tmp_path,
        limits=limits,
    )

    assert json.loads(answer) == {"refused": "unreadable"}
    assert not (tmp_path / "thumbnail.jpg").exists()


def test_a_good_video_on_a_machine_that_is_too_slow_is_not_called_bad(
    room: MediaRoom, upload: Callable[..., Video], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probing, "_LIMITS", replace(probing._LIMITS, seconds=0.01))

    with pytest.raises(errors.MediaBusy):
        upload(small_mp4_bytes())

    assert files_in(room.folder) == []


READS = "import os, pathlib, signal, sys; pathlib.Path(sys.argv[4]).touch(); "


@pytest.mark.parametrize(
    ("tool", "meaning"),
    [
        (READS + "os.kill(os.getpid(), signal.SIGSEGV)", errors.InvalidVideo),
        (READS + "os.abort()", errors.InvalidVideo),
        (READS + "print('no JSON')", errors.InvalidVideo),
        (READS + "os.kill(os.getpid(), signal.SIGKILL)", errors.MediaBusy),
        (READS + "sys.exit(os.EX_TEMPFAIL)", errors.MediaBusy),
        (READS + "os.kill(os.getpid(), signal.SIGXCPU)", errors.InvalidVideo),
        (READS + "raise AttributeError", errors.ProjectApiError),
        ("import a_library_that_is_not_there", errors.ProjectApiError),
        ("import os; os.abort()", errors.ProjectApiError),
    ],
)
def test_a_tool_that_breaks_off_blames_the_file_only_for_what_it_can_be_blamed(
    tmp_path: Path,
    upload: Callable[..., Video],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    tool: str,
    meaning: type[errors.ProjectApiError],
) -> None:
    (tmp_path / "tool.py").write_text(tool)
    monkeypatch.setattr(probing, "_CHILD", str(tmp_path / "tool.py"))

    with pytest.raises(errors.ProjectApiError) as caught:
        upload(small_mp4_bytes())

    assert type(caught.value) is meaning
    assert ("ERROR" in [record.levelname for record in caplog.records]) == (meaning is errors.ProjectApiError)


@pytest.mark.parametrize("call", ["open", "CodecContext"])
def test_an_inspection_without_memory_is_not_a_judgement_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise av.error.MemoryError(12, "Cannot allocate memory")

    video = os.open(make_video(tmp_path / "video.mp4", seconds=0.5), os.O_RDONLY)
    monkeypatch.setattr(inspect_child, "_INPUT", video)
    monkeypatch.setattr(av, call, fail if call == "open" else SimpleNamespace(create=fail))

    with pytest.raises(SystemExit) as caught:
        inspect_child.main(CONTAINERS, "1000000", str(tmp_path / "thumbnail.jpg"), str(tmp_path / "mark"))
    os.close(video)

    assert caught.value.code == os.EX_TEMPFAIL


def test_a_file_with_values_that_nobody_can_work_with_is_undecodable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def divide(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(inspect_child, "inspect", divide)

    inspect_child.main(CONTAINERS, "1000000", "thumbnail.jpg", str(tmp_path / "mark"))

    assert json.loads(capsys.readouterr().out) == {"refused": "undecodable"}


def test_a_picture_that_takes_long_to_find_is_not_looked_for_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    video = os.open(make_video(tmp_path / "video.mp4", seconds=3.0, extra=["-g", "999"]), os.O_RDONLY)
    monkeypatch.setattr(inspect_child, "_INPUT", video)
    monkeypatch.setattr(inspect_child, "_FRAME_SEARCH_SECONDS", 0.0)
    sought = []
    monkeypatch.setattr(inspect_child, "_write_thumbnail", lambda frame, *_: sought.append(frame.time))

    found = inspect_child.inspect(CONTAINERS, 10**6, "thumbnail.jpg")
    os.close(video)

    assert found["duration"] == pytest.approx(3.0, abs=0.1)
    assert sought[0] < 0.5


def test_a_whole_upload_waits_longer_for_a_place_than_a_click_would(
    room: MediaRoom, upload: Callable[..., Video], monkeypatch: pytest.MonkeyPatch
) -> None:
    class FreeAfterFifteenSeconds:
        def acquire(self, timeout: float) -> bool:
            return timeout >= 15

        def release(self) -> None: ...

    monkeypatch.setattr(room._inspections, "_slots", FreeAfterFifteenSeconds())

    assert upload(small_mp4_bytes()).duration == pytest.approx(1.0, abs=0.1)


def test_a_video_that_goes_away_while_it_is_looked_for_is_not_found(
    room: MediaRoom, upload: Callable[..., Video], monkeypatch: pytest.MonkeyPatch
) -> None:
    video = upload(small_mp4_bytes())
    really_resolve = room.folder.resolve

    def resolve_and_lose(relative: str) -> Path:
        path = really_resolve(relative)
        path.unlink()
        return path

    monkeypatch.setattr(room.folder, "resolve", resolve_and_lose)

    with pytest.raises(errors.VideoNotFound):
        room.path_of(video)


def test_a_part_of_a_killed_server_is_swept(tmp_path: Path, room: MediaRoom) -> None:
    code = (
        "import os, sys; from pathlib import Path; from projectapi.media.storage import MediaFolder\n"
        "part = MediaFolder(Path(sys.argv[1]), 2**30).new_part()\n"
        "part.write(b'half a video'); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, str(room.folder.root)], cwd=Path(__file__).parents[2], check=False)
    (leftover,) = files_in(room.folder)
    assert leftover.startswith("incoming/")

    assert room.sweep(set(), 0) == [leftover]
    assert files_in(room.folder) == []


def test_a_discarded_video_is_gone_and_said_to_be_gone(room: MediaRoom, upload: Callable[..., Video]) -> None:
    video = upload(small_mp4_bytes())

    room.discard(video)

    with pytest.raises(errors.VideoNotFound):
        room.path_of(video)
    with pytest.raises(errors.ThumbnailNotFound):
        room.thumbnail_path_of(video)
    with pytest.raises(errors.VideoNotFound):
        room.trim(video, [])


def test_a_video_that_shrank_on_the_disk_is_never_served(room: MediaRoom, upload: Callable[..., Video]) -> None:
    video = upload(small_mp4_bytes())
    with open(room.folder.root / video.path, "r+b") as file:
        file.truncate(100)

    with pytest.raises(errors.VideoNotFound):
        room.path_of(video)


def test_no_decoder_is_loaded_into_the_server() -> None:
    code = "import sys, projectapi.media; sys.exit('av' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=False).returncode == 0
