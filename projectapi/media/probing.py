"""What is in an uploaded file: found by opening and decoding it in the sandbox, never by what the client says of it."""

from __future__ import annotations

import json
import logging
import math
import os
import re
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from projectapi import errors
from projectapi.media.sandbox import CONTAINERS, Limits, Sandbox, SandboxError, SandboxTimeout

EXTENSIONS = {
    "video/mp4": ".mp4",
    "video/quicktime": ".mov",
    "video/x-msvideo": ".avi",
    "video/x-matroska": ".mkv",
    "video/webm": ".webm",
    "video/ogg": ".ogv",
}
"""The content types that are taken, and the extension under which each is stored."""

MAX_PIXELS = 8192 * 4352
"""Largest picture taken: 8K with some room. A tiny file may claim a picture that no memory holds."""

_CHILD = str(Path(__file__).with_name("inspect_child.py"))
# Less work than time: it is the file's fault when the work is not enough, and a busy machine's when the time is not.
_LIMITS = Limits(seconds=20, cpu_seconds=12, memory_bytes=3 * 2**30, output_bytes=16 * 2**20)
_MARK = "reading"
_OUT_OF_MEANS = (-signal.SIGKILL, os.EX_TEMPFAIL)
_CRASHES = (-signal.SIGSEGV, -signal.SIGABRT, -signal.SIGBUS, -signal.SIGFPE)
_PLAIN_NAME = re.compile(r"[\w,.-]{1,64}", re.ASCII)
_SENTENCES = {
    "cut": "The video is not complete: its end is missing. Please upload the whole file.",
    "no_video": "This file has no moving pictures, only sound or a still image. Please upload a video.",
    "still": "This file is a still image. Please upload a video.",
    "too_large": f"The video's picture is too large: at most {MAX_PIXELS / 1e6:.0f} million pixels are taken.",
    "no_duration": "The video is empty: its duration is zero.",
    "too_long": "The video is too long, or says that it is: at most 48 hours are taken.",
    "too_quick": "The video has too many frames: at most 1000 per second are taken.",
    "too_many": "The video is damaged: it names more frames than it has.",
    "too_costly": "Reading this video takes more work than the server may spend on one file. Please convert it and try again.",
}

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What probing found. Units and meaning of the fields are those of `projectapi.project.Video`."""

    container: str
    content_type: str
    video_codec: str
    audio_codec: str | None
    width: int
    height: int
    frame_rate: float | None
    rotation: int
    duration: float


def inspect_video(source: Path, thumbnail: Path, sandbox: Sandbox) -> Probe:
    """Probe `source` and write a JPEG of the frame at one second to `thumbnail`, whose folder serves as scratch.

    The frame is upright and its long side is at most 640 pixels; a video shorter than a second shows its middle. Raises
    InvalidVideo for everything that is not a whole video in a container we take, MediaBusy when the machine has no time or
    memory for it, DiskFull, and ProjectApiError when the tool itself is broken.
    """
    command = [sys.executable, "-I", "-B", _CHILD, CONTAINERS, str(MAX_PIXELS), thumbnail.name, _MARK]
    try:
        with sandbox.place():
            answer = sandbox.run(command, source=source, scratch=thumbnail.parent, limits=_LIMITS)
    except SandboxError as error:
        raise _meaning(error, reading=(thumbnail.parent / _MARK).exists()) from error
    try:
        found = json.loads(answer)
        if isinstance(found, dict) and "refused" in found:
            raise errors.InvalidVideo(_SENTENCES.get(str(found["refused"])))
        probe = _checked(found)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise errors.InvalidVideo from error
    if not thumbnail.is_file():
        raise errors.InvalidVideo
    return probe


def _meaning(error: SandboxError, *, reading: bool) -> errors.ProjectApiError:
    """Return what a failed run means to who uploaded the file, and log what is our trouble."""
    if isinstance(error, SandboxTimeout) or error.status in _OUT_OF_MEANS:
        # Killed for its use of time or memory: a slow or crowded machine does that to good videos too.
        return errors.MediaBusy()
    if reading and error.status == -signal.SIGXCPU:
        return errors.InvalidVideo(_SENTENCES["too_costly"])
    if reading and error.status in _CRASHES:
        return errors.InvalidVideo()
    _log.error("the inspection of videos does not work: %s", error)
    return errors.ProjectApiError()


def _checked(found: dict[str, Any]) -> Probe:
    """Build the Probe from an answer that a hostile file may have forged; raises ValueError, TypeError or KeyError."""
    if found["content_type"] not in EXTENSIONS:
        raise ValueError("unknown content type")
    rate = found["frame_rate"]
    return Probe(
        container=_name(found["container"]),
        content_type=found["content_type"],
        video_codec=_name(found["video_codec"]),
        audio_codec=None if found["audio_codec"] is None else _name(found["audio_codec"]),
        width=_whole(found["width"], 1, MAX_PIXELS),
        height=_whole(found["height"], 1, MAX_PIXELS),
        frame_rate=None if rate is None else _positive(rate),
        rotation=_whole(found["rotation"], 0, 359),
        duration=_positive(found["duration"]),
    )


def _name(value: Any) -> str:
    if not _PLAIN_NAME.fullmatch(value):
        raise ValueError("not a plain name")
    return str(value)


def _whole(value: Any, low: int, high: int) -> int:
    if type(value) is not int or not low <= value <= high:
        raise ValueError("not a whole number within bounds")
    return value


def _positive(value: Any) -> float:
    number = float(value)
    if not 0 < number < math.inf:
        raise ValueError("not a positive number")
    return number
