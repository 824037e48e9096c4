"""Trimming: the kept segments of a video as a new file, made once for each different request."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
from collections.abc import Sequence
from concurrent.futures import TimeoutError as WaitTimeout
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

from projectapi import errors
from projectapi.media import cutting
from projectapi.media.sandbox import Sandbox, SandboxError, SandboxTimeout
from projectapi.media.segments import Cut, clamp, conformed_rate, covers_all, cuts
from projectapi.media.single_flight import SingleFlight
from projectapi.media.storage import MediaFolder
from projectapi.project import Segment, Video

WAIT_SECONDS = 25.0
"""Longest time that one request waits for its cut: existing frontends give up after 30 seconds."""

RUN_SECONDS = 600.0
"""Longest time that one cut may take; it goes on when the request that began it was answered."""

# Raised when the same cuts would give other bytes, so that results of an older version are not taken for new ones.
_RECIPE = 1
_WAITING_MAX = 3
_FAILED = "The server could not cut this video. Your project and the original video are untouched."
_STILL_MADE = "The cut is still being made; ask again in a moment."
_TOO_LONG = (
    "Cutting this video takes longer than the server may work on it. Your timeline and the original video are untouched; "
    "shorter selections work."
)

_log = logging.getLogger(__name__)


class Trimmed(NamedTuple):
    """The result of trimming: its path relative to the media folder and its duration in seconds."""

    path: str
    duration: float


class Trimmer:
    """Cuts videos of one media folder; equal requests at the same time or later cost one run of ffmpeg.

    A cut that takes longer than its request may wait goes on in the background, and the same request finds it later.
    """

    def __init__(
        self, folder: MediaFolder, *, at_once: int, wait_seconds: float = WAIT_SECONDS, run_seconds: float = RUN_SECONDS
    ) -> None:
        self._folder = folder
        # As many places as flights, so that no flight waits for one.
        self._sandbox = Sandbox(slots=at_once, wait_seconds=0)
        self._flights: SingleFlight[None] = SingleFlight(at_once=at_once, waiting=_WAITING_MAX)
        self._wait_seconds = wait_seconds
        self._run_seconds = run_seconds

    def trim(self, video: Video, source: Path, segments: Sequence[Segment]) -> Trimmed:
        """Return the file that holds just `segments` of `source`, one after the other, cut to half a frame.

        Segments are clamped into the video; none at all, or all of it, is answered with the original. The original is only
        read. Raises ValidationFailed when a segment has nothing inside the video, MediaBusy when the result is not there yet
        or cannot be had, VideoNotFound when the original goes away, ProjectApiError when ffmpeg fails, Unavailable, DiskFull.
        """
        rate = conformed_rate(video.frame_rate)
        inside = clamp(segments, video.duration)
        if covers_all(inside, video.duration, rate):
            return Trimmed(video.path, video.duration)
        plan = cuts(inside, rate)
        name = self._folder.trimmed_name(video, _request(video, plan, rate))
        if not self._reuse(name):
            try:
                self._flights.do(name, lambda: self._make(name, video, source, plan), self._wait_seconds)
            except WaitTimeout as error:
                raise errors.MediaBusy(_STILL_MADE) from error
        return Trimmed(name, float(sum(cut.frames for cut in plan) / rate))

    def _reuse(self, name: str) -> bool:
        path = self._folder.root / name
        try:
            # The age decides when results are swept: those still asked for stay young.
            os.utime(path)
        except FileNotFoundError:
            return False
        return True

    def _make(self, name: str, video: Video, source: Path, plan: Sequence[Cut]) -> None:
        if self._reuse(name):
            return
        started = time.monotonic()
        rate = conformed_rate(video.frame_rate)
        run = _Run(self._sandbox, source, rate, video.audio_codec is not None, started + self._run_seconds)
        with self._sandbox.place(), self._folder.work_folder() as scratch:
            try:
                self._folder.publish(run.cut(plan, scratch), name)
            except (SandboxError, FileNotFoundError) as error:
                raise _meaning(error, source) from error
        # Who discards a video deletes the original first and then its cuts: this one may have come too late for that.
        if not source.exists():
            (self._folder.root / name).unlink(missing_ok=True)
            raise errors.VideoNotFound
        _log.info("trimmed %s: %d cuts in %.2f s", video.path, len(plan), time.monotonic() - started)


def _meaning(error: SandboxError | FileNotFoundError, source: Path) -> errors.ProjectApiError:
    """Return what the failure of a cut means to who asked for it, and log what is our trouble."""
    if isinstance(error, SandboxTimeout):
        _log.warning("trimming %s was given up: it took too long", source.name)
        return errors.MediaBusy(_TOO_LONG, headers={"Retry-After": "3600"})
    if not source.exists():
        return errors.VideoNotFound()
    _log.error("trimming %s failed: %s", source.name, error)
    return errors.ProjectApiError(_FAILED)


@dataclass(frozen=True, slots=True)
class _Run:
    """One result in the making."""

    sandbox: Sandbox
    source: Path
    rate: Fraction
    audio: bool
    deadline: float

    def cut(self, plan: Sequence[Cut], scratch: Path) -> Path:
        """Make the result in `scratch`; many cuts are made in batches, which are then joined without a new encoding."""
        output = scratch / cutting.OUTPUT
        batches = cutting.batches(plan, self.rate)
        if len(batches) == 1:
            command = cutting.cut_command(batches[0], self.rate, audio=self.audio)
            self._ffmpeg(command, self.source, len(batches[0]), scratch)
            return output
        names = [f"piece{number}.mov" for number in range(len(batches))]
        for name, batch in zip(names, batches, strict=True):
            command = cutting.cut_command(batch, self.rate, audio=self.audio, output=name)
            self._ffmpeg(command, self.source, len(batch), scratch)
        script = scratch / "pieces.ffconcat"
        script.write_text("ffconcat version 1.0\n" + "".join(f"file {name}\n" for name in names), encoding="ascii")
        self._ffmpeg(cutting.join_command(script), script, 1, scratch)
        return output

    def _ffmpeg(self, command: list[str], source: Path, opened: int, scratch: Path) -> None:
        seconds = self.deadline - time.monotonic()
        if seconds <= 0:
            raise SandboxTimeout
        self.sandbox.run(command, source=source, opened=opened, scratch=scratch, limits=cutting.limits(seconds))


def _request(video: Video, plan: Sequence[Cut], rate: Fraction) -> str:
    """Return the name of what is asked for, equal for equal requests: 64 hexadecimal digits."""
    asked = [_RECIPE, video.sha256, str(rate), [(cut.first, cut.frames) for cut in plan]]
    return hashlib.sha256(json.dumps(asked).encode()).hexdigest()
