"""The sound of a video as recognisers want it: a WAV of one channel, 16,000 samples a second, decoded in the sandbox."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from projectapi import errors
from projectapi.media.ffmpeg import ffmpeg_command, untrusted_input
from projectapi.media.sandbox import Limits, Sandbox, SandboxError, SandboxTimeout

SAMPLE_RATE = 16_000
BYTES_PER_SECOND = 2 * SAMPLE_RATE

WorkFolder = Callable[[int], AbstractContextManager[Path]]
"""Lends an empty scratch folder for work that takes about so many bytes. Raises DiskFull when they are not there."""

TOO_LONG = "Transcribing this video takes longer than the server may work on it. Shorter videos work."

_START_SECONDS, _TIME_PER_SECOND = 120, 12
_SOUND = "sound.wav"
_LIMITS = Limits(seconds=1800, cpu_seconds=1800, memory_bytes=3 * 2**30, output_bytes=4 * 2**30)
_BROKEN = "The sound of this video cannot be read. Your project and the video are untouched."

_log = logging.getLogger(__name__)


def sound_bytes(duration: float) -> int:
    """Return about how large the sound of a video of this duration in seconds is when it is decoded."""
    return round(BYTES_PER_SECOND * duration)


def listening_seconds(duration: float) -> float:
    """Return how long a recogniser may listen to a sound of this duration, both in seconds."""
    return _START_SECONDS + _TIME_PER_SECOND * duration


def decode_sound(media: Path, scratch: Path, sandbox: Sandbox, watch: Callable[[bytes], None]) -> Path | None:
    """Write the sound of `media` to a file in `scratch` and return it, None when there is none; times are the video's own.

    `watch` is called now and then, and what it raises ends the decoding. Raises VideoNotFound, SpeechUnavailable when it
    takes too long, ProjectApiError when the file cannot be read, and DiskFull.
    """
    reading = [*ffmpeg_command(), *untrusted_input()]
    # What begins after the pictures keeps its time; silence stands before it.
    wanted = ["-map", "0:a:0", "-af", f"aresample={SAMPLE_RATE}:async=1:first_pts=0", "-ac", "1", "-c:a", "pcm_s16le"]
    first_picture = ["-map", "0:V:0", "-frames:v", "1", "-f", "null", "-"]
    if _runs([*reading, *wanted, _SOUND], media, scratch, sandbox, watch):
        return scratch / _SOUND
    if _runs([*reading, *first_picture], media, scratch, sandbox, watch):
        return None
    _log.error("the sound of %s cannot be read", media.name)
    raise errors.ProjectApiError(_BROKEN)


def _runs(command: list[str], media: Path, scratch: Path, sandbox: Sandbox, watch: Callable[[bytes], None]) -> bool:
    try:
        sandbox.run(command, source=media, scratch=scratch, limits=_LIMITS, watch=watch)
    except SandboxTimeout as error:
        raise errors.SpeechUnavailable("This video is too long to be transcribed on this server.") from error
    except FileNotFoundError as error:
        raise errors.VideoNotFound from error
    except SandboxError:
        return False
    return True
