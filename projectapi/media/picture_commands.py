"""The ffmpeg commands that take pictures out of a video. Times are in seconds."""

from __future__ import annotations

from collections.abc import Iterator

from projectapi.media.ffmpeg import ffmpeg_command, untrusted_input
from projectapi.project import Video

FRAME = "frame.jpg"

_LONG_SIDE = 640
_SEARCH_SECONDS = 10.0
_A_LITTLE = 0.001


def read_pictures(seek: float = 0.0, *, keyframes_only: bool = False) -> list[str]:
    """Return the beginning of a command that reads the untrusted file's pictures from `seek` on."""
    return [
        *ffmpeg_command(),
        *("-threads", "2", *(("-skip_frame", "nokey") if keyframes_only else ())),
        *(("-ss", f"{seek:.6f}") if seek > 0 else ()),
        *(*untrusted_input(), "-map", "0:V:0", "-an", "-sn", "-dn"),
    ]


def squared(size: str) -> list[str]:
    """Return filters that scale to `size` (arguments of ffmpeg's ``scale``) with square pixels."""
    return ["scale=trunc(iw*sar):ih", "setsar=1", f"scale={size}", "setsar=1", "format=yuvj420p"]


def frame_commands(video: Video, seconds: float) -> Iterator[list[str]]:
    """Return commands of which the first that makes `FRAME` made the picture that is seen at this time.

    The later ones are for times at which no picture begins any more: each looks for the last one from further ahead.
    """
    period = 1 / video.frame_rate if video.frame_rate else 0.0
    moment = min(seconds, max(0.0, video.duration - period))
    # ffmpeg gives the first picture that begins at or after a time: one that began less than a period before is still seen.
    yield _frame_command(moment - period + _A_LITTLE, first=True)
    yield _frame_command(moment - _SEARCH_SECONDS, first=False)
    yield _frame_command(0.0, first=False, keyframes_only=True)


def _frame_command(seek: float, *, first: bool, keyframes_only: bool = False) -> list[str]:
    size = f"w='min({_LONG_SIDE},iw)':h='min({_LONG_SIDE},ih)':force_original_aspect_ratio=decrease"
    return [
        *read_pictures(seek, keyframes_only=keyframes_only),
        *("-vf", ",".join(squared(size)), *(("-frames:v", "1") if first else ())),
        *("-q:v", "3", "-update", "1", FRAME),
    ]
