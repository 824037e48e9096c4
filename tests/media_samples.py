"""Small real videos, and files that only claim to be videos, made with the ffmpeg binary that the project uses."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import imageio_ffmpeg

from projectapi.media.storage import MediaFolder
from projectapi.project import Video

H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")
_CODECS = {
    ".mp4": (*H264, "-c:a", "aac"),
    ".mov": (*H264, "-c:a", "aac"),
    ".mkv": (*H264, "-c:a", "aac"),
    ".avi": ("-c:v", "mpeg4", "-c:a", "libmp3lame"),
    ".webm": ("-c:v", "libvpx", "-deadline", "realtime", "-c:a", "libvorbis"),
    ".ogv": ("-c:v", "libtheora", "-c:a", "libvorbis"),
}


def ffmpeg(*arguments: str) -> None:
    """Run the bundled ffmpeg on files of ours."""
    program = imageio_ffmpeg.get_ffmpeg_exe()
    subprocess.run([program, "-y", "-nostdin", "-v", "error", *arguments], check=True, capture_output=True, timeout=30)


@cache
def _content(suffix: str, *arguments: str) -> bytes:
    with TemporaryDirectory() as folder:
        made = Path(folder) / f"made{suffix}"
        ffmpeg(*arguments, str(made))
        return made.read_bytes()


def _make(path: Path, *arguments: str) -> Path:
    # Many tests ask for the same file, and each call of ffmpeg costs a fifth of a second.
    path.write_bytes(_content(path.suffix, *arguments))
    return path


def make_video(
    path: Path, *, seconds: float = 3.0, rate: str = "25", audio: bool = True, size: str = "160x120", extra: Sequence[str] = ()
) -> Path:
    """Make a test picture with a sine tone; the container and the codecs follow from the name."""
    source = ["-f", "lavfi", "-i", f"testsrc=size={size}:rate={rate}:duration={seconds}"]
    if audio:
        source += ["-f", "lavfi", "-i", f"sine=frequency=440:sample_rate=44100:duration={seconds}"]
    codecs = [word for word in _CODECS[path.suffix] if audio or word not in ("-c:a", *_AUDIO_CODECS)]
    return _make(path, *source, *codecs, "-g", "25", *extra)


_AUDIO_CODECS = {"aac", "libmp3lame", "libvorbis"}


def make_numbered_video(path: Path, *, seconds: float = 4.0, rate: str = "25") -> Path:
    """Make a video whose frame n has a brightness of 16 + 2n, so that `frame_numbers` can tell which frames are left."""
    picture = f"color=black:size=64x64:rate={rate}:duration={seconds},format=yuv420p,geq=lum='16+2*N':cb=128:cr=128"
    tone = f"sine=frequency=440:sample_rate=44100:duration={seconds}"
    return _make(path, "-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", tone, *H264, "-crf", "4", "-g", "25", "-c:a", "aac")


def make_variable_rate_video(path: Path) -> Path:
    """Make 3 s of video that shows every third frame of 25 per second at first and all of them later."""
    picture = "testsrc=size=160x120:rate=25:duration=3,select='not(mod(n,3))+gt(n,40)'"
    return _make(path, "-f", "lavfi", "-i", picture, "-fps_mode", "vfr", *H264)


def make_sound(path: Path) -> Path:
    """Make a file with sound only."""
    return _make(path, "-f", "lavfi", "-i", "sine=duration=1")


def make_picture(path: Path) -> Path:
    """Make a still image."""
    return _make(path, "-f", "lavfi", "-i", "testsrc=size=64x64:duration=1", "-frames:v", "1")


@cache
def small_mp4_bytes() -> bytes:
    """Return one second of video with sound as an MP4, made once: for tests that only need some video."""
    with TemporaryDirectory() as folder:
        return make_video(Path(folder) / "small.mp4", seconds=1.0).read_bytes()


def padded_mp4_bytes(size: int) -> bytes:
    """Return an MP4 of just this many bytes: the small one and a box of free space (ISO 14496-12, section 8.1.2)."""
    video = small_mp4_bytes()
    padding = size - len(video)
    assert padding >= 8
    # No two pages of it alike, so that bytes in the wrong place show.
    free = b"".join(number.to_bytes(8, "big") for number in range(padding // 8))
    return video + padding.to_bytes(4, "big") + b"free" + free.ljust(padding - 8, b"-")[: padding - 8]


def frame_times(path: Path) -> list[float]:
    """Decode the whole video and return the time of every frame, in seconds."""
    import av

    with av.open(str(path)) as container:
        return [frame.time for frame in container.decode(video=0) if frame.time is not None]


def decoded_duration(path: Path) -> float:
    """Return how long the decoded frames of a video with a constant rate last, in seconds."""
    times = frame_times(path)
    step = min(later - earlier for earlier, later in pairwise(times)) if len(times) > 1 else 0.04
    return times[-1] - times[0] + step


def decoded_sound(path: Path) -> float:
    """Return how long the decoded sound lasts, in seconds; 0 without sound."""
    import av

    with av.open(str(path)) as container:
        if not container.streams.audio:
            return 0.0
        return sum(frame.samples / frame.sample_rate for frame in container.decode(audio=0))


def frame_numbers(path: Path) -> list[int]:
    """Return which frames of a numbered video these are, by their brightness."""
    import av

    with av.open(str(path)) as container:
        brightness = [frame.to_ndarray(format="yuv420p")[16:48, 16:48].mean() for frame in container.decode(video=0)]
    return [round((value - 16) / 2) for value in brightness]


def stored_video(folder: MediaFolder, content: bytes = b"moving pictures") -> Video:
    """Store bytes as if they were a probed video, with a thumbnail."""
    with folder.new_part() as part, folder.work_folder() as scratch:
        part.write(content)
        thumbnail = scratch / "thumbnail.jpg"
        thumbnail.write_bytes(b"a picture")
        path, thumbnail_path = folder.keep(part, ".mp4", thumbnail)
        return video_record(path=path, thumbnail_path=thumbnail_path, bytes=part.bytes, sha256=part.sha256)


def video_record(name: str = "film", **different: Any) -> Video:
    """Return what is known of a video, of which there need be no files."""
    usual: dict[str, Any] = {
        "path": f"{name}.mp4",
        "thumbnail_path": f"{name}.jpg",
        "original_name": "holiday.mp4",
        "content_type": "video/mp4",
        "bytes": 1234,
        "sha256": "0" * 64,
        "container": "mov",
        "video_codec": "h264",
        "audio_codec": None,
        "width": 160,
        "height": 120,
        "frame_rate": 25.0,
        "rotation": 0,
        "duration": 3.0,
    }
    return Video(**{**usual, **different})


def files_in(folder: MediaFolder) -> list[str]:
    """Return all files below the root, relative to it."""
    return sorted(str(path.relative_to(folder.root)) for path in folder.root.rglob("*") if path.is_file())
