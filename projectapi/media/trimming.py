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

DEADLINE_SECONDS = 25.0
"""Longest time that one request may take, waiting for a place included: existing frontends give up after 30 seconds."""

# Raised when the same cuts would give other bytes, so that results of an older version are not taken for new ones.
_RECIPE = 1
_FAILED = "The server could not cut this video. Your project and the original video are untouched."
_TOO_LONG = (
    "Cutting this video takes longer than the server may keep you waiting. Your timeline and the original video are untouched; "
    "shorter selections work."
)

_log = logging.getLogger(__name__)


class Trimmed(NamedTuple):
    """The result of trimming: its path relative to the media folder and its duration in seconds."""

    path: str
    duration: float


class Trimmer:
    """Cuts videos of one media folder; equal requests at the same time or later cost one run of ffmpeg."""

    def __init__(self, folder: MediaFolder, sandbox: Sandbox, *, deadline_seconds: float = DEADLINE_SECONDS) -> None:
        self._folder = folder
        self._sandbox = sandbox
        self._deadline_seconds = deadline_seconds
        self._flights: SingleFlight[None] = SingleFlight()

    def trim(self, video: Video, source: Path, segments: Sequence[Segment]) -> Trimmed:
        """Return the file that holds just `segments` of `source`, one after the other, cut to half a frame.

        Segments are clamped into the video; none at all, or all of it, is answered with the original. Raises
        ValidationFailed when a segment has nothing inside the video, MediaBusy when the result cannot be had in time,
        InvalidVideo when the video cannot be cut, and DiskFull. The original is only read.
        """
        deadline = time.monotonic() + self._deadline_seconds
        rate = conformed_rate(video.frame_rate)
        inside = clamp(segments, video.duration)
        if covers_all(inside, video.duration, rate):
            return Trimmed(video.path, video.duration)
        plan = cuts(inside, rate)
        name = self._folder.trimmed_name(video, _request(video, plan, rate))
        if not self._reuse(name):
            try:
                self._flights.do(name, lambda: self._make(name, video, source, plan, deadline), self._deadline_seconds)
            except WaitTimeout as error:
                raise errors.MediaBusy(_TOO_LONG) from error
        return Trimmed(name, float(sum(cut.frames for cut in plan) / rate))

    def _reuse(self, name: str) -> bool:
        path = self._folder.root / name
        try:
            # The age decides when results are swept: those still asked for stay young.
            os.utime(path)
        except FileNotFoundError:
            return False
        return True

    def _make(self, name: str, video: Video, source: Path, plan: Sequence[Cut], deadline: float) -> None:
        if self._reuse(name):
            return
        rate = conformed_rate(video.frame_rate)
        run = _Run(self._sandbox, source, rate, video.audio_codec is not None, deadline)
        started = time.monotonic()
        with self._sandbox.place(deadline - started), self._folder.work_folder() as scratch:
            try:
                self._folder.publish(run.cut(plan, scratch), name)
            except SandboxTimeout as error:
                raise errors.MediaBusy(_TOO_LONG) from error
            except (SandboxError, FileNotFoundError) as error:
                _log.warning("trimming %s failed: %s", video.path, error)
                raise errors.InvalidVideo(_FAILED) from error
        _log.info("trimmed %s: %d cuts in %.2f s", video.path, len(plan), time.monotonic() - started)


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
