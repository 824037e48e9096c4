"""Trimming and rendering: pieces of a video as a new file, made once for each different request."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

from projectapi import errors
from projectapi.media import cutting
from projectapi.media.sandbox import Sandbox, SandboxError, SandboxTimeout
from projectapi.media.segments import Cut, clamp, conformed_rate, covers_all, cuts, shot_cuts
from projectapi.media.storage import MediaFolder
from projectapi.project import Segment, Video
from projectapi.protocols import Report
from projectapi.timeline.cut import Edit

RUN_SECONDS = 1800.0
"""Longest time that one result may take."""

# Raised when the same cuts would give other bytes, so that results of an older version are not taken for new ones.
_RECIPE = 2
_FAILED = "The server could not cut this video. Your project and the original video are untouched."
_TOO_LONG = (
    "Cutting this video takes longer than the server may work on it. Your timeline and the original video are untouched; "
    "shorter selections work."
)
_TOO_LONG_TIMELINE = "Timelines of more than {hours:g} hours are not rendered."
_TIMELINE_SECONDS_MAX = 6 * 3600
_ALL_BLACK = "The timeline shows nothing of the video there: there is nothing to render."

_log = logging.getLogger(__name__)


class Trimmed(NamedTuple):
    """The result of trimming: its path relative to the media folder and its duration in seconds."""

    path: str
    duration: float


class Trimmer:
    """Cuts videos of one media folder; the same request later finds the file that an earlier one made.

    Who asks for the same at the same time makes the same file twice, and the later one takes the place of the earlier one:
    that does no harm, and that it does not happen is the caller's business, as is how many cuts run at once.
    """

    def __init__(self, folder: MediaFolder, *, run_seconds: float = RUN_SECONDS) -> None:
        self._folder = folder
        # Its places are not used: jobs have places for the whole machine.
        self._sandbox = Sandbox(slots=1, wait_seconds=0)
        self._run_seconds = run_seconds

    def plan_trim(self, video: Video, segments: Sequence[Segment]) -> Plan | Trimmed:
        """Return what is to be made so that it holds just `segments`, one after the other, cut to half a frame.

        Segments are clamped into the video; none at all, or all of it, is the original. Raises ValidationFailed when a
        segment has nothing inside the video.
        """
        rate = conformed_rate(video.frame_rate)
        inside = clamp(segments, video.duration)
        if covers_all(inside, video.duration, rate):
            return Trimmed(video.path, video.duration)
        return self._plan(video, rate, cuts(inside, rate), None)

    def plan_render(self, video: Video, edit: Edit) -> Plan | Trimmed:
        """Return what is to be made so that it shows what `edit` says; all of the video, unscaled, is the original.

        Raises ValidationFailed when that is all black, or too long.
        """
        rate = conformed_rate(video.frame_rate)
        planned = shot_cuts(edit.shots, rate, video.duration)
        if not planned:
            raise errors.ValidationFailed(_ALL_BLACK)
        if edit.height is None and _shows_all(planned, rate, video.duration):
            return Trimmed(video.path, video.duration)
        plan = self._plan(video, rate, planned, edit.height)
        if plan.frames / rate > _TIMELINE_SECONDS_MAX:
            raise errors.ValidationFailed(_TOO_LONG_TIMELINE.format(hours=_TIMELINE_SECONDS_MAX / 3600))
        return plan

    def find(self, plan: Plan | Trimmed) -> Trimmed | None:
        """Return the result if there is nothing to make, or if an earlier request made it."""
        if isinstance(plan, Trimmed):
            return plan
        if not self._folder.is_made(plan.name):
            return None
        return Trimmed(plan.name, float(plan.frames / plan.rate))

    def make(self, plan: Plan | Trimmed, video: Video, source: Path, report: Report) -> Trimmed:
        """Return the result, made from `source`, which is only read.

        Raises MediaBusy when it takes too long, VideoNotFound when the original goes away, ProjectApiError when ffmpeg fails,
        Unavailable, DiskFull, and what `report` raises; then nothing is left of it.
        """
        if isinstance(plan, Trimmed):
            return plan
        if found := self.find(plan):
            return found
        started = time.monotonic()
        run = _Run(self._sandbox, plan, source, video.audio_codec is not None, started + self._run_seconds, report)
        with self._folder.work_folder(plan.bytes_of(video)) as scratch:
            try:
                self._folder.publish(run.cut(scratch), plan.name)
            except (SandboxError, FileNotFoundError) as error:
                raise _meaning(error, source) from error
        # Who discards a video deletes the original first and then its cuts: this one may have come too late for that.
        if not source.exists():
            (self._folder.root / plan.name).unlink(missing_ok=True)
            raise errors.VideoNotFound
        _log.info("cut %s: %d pieces in %.2f s", video.path, len(plan.cuts), time.monotonic() - started)
        return Trimmed(plan.name, float(plan.frames / plan.rate))

    def _plan(self, video: Video, rate: Fraction, planned: Sequence[Cut], height: int | None) -> Plan:
        asked = [_RECIPE, video.sha256, str(rate), [(cut.first, cut.frames, cut.black) for cut in planned], height]
        request = hashlib.sha256(json.dumps(asked).encode()).hexdigest()
        return Plan(self._folder.trimmed_name(video, request), rate, tuple(planned), height)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be made: the name of the result, which is equal for equal requests, its frame rate and its pieces."""

    name: str
    rate: Fraction
    cuts: tuple[Cut, ...]
    height: int | None

    @property
    def frames(self) -> int:
        """How many frames the result has."""
        return sum(cut.black + cut.frames for cut in self.cuts)

    def bytes_of(self, video: Video) -> int:
        """Return about how many bytes making it takes: its share of the original, of smaller pictures less."""
        shown = sum(cut.frames for cut in self.cuts) / float(self.rate)
        scale = min(1.0, self.height / video.height) ** 2 if self.height else 1.0
        # What is made in pieces is there twice while they are joined.
        copies = 1 if len(cutting.batches(self.cuts, self.rate)) == 1 else 2
        return round(video.bytes * shown / video.duration * scale * copies)


def _shows_all(planned: Sequence[Cut], rate: Fraction, duration: float) -> bool:
    return len(planned) == 1 and planned[0] == Cut(0, round(Fraction(duration) * rate))


def _meaning(error: SandboxError | FileNotFoundError, source: Path) -> errors.ProjectApiError:
    """Return what the failure of a cut means to who asked for it, and log what is our trouble."""
    if isinstance(error, SandboxTimeout):
        _log.warning("cutting %s was given up: it took too long", source.name)
        return errors.MediaBusy(_TOO_LONG, headers={"Retry-After": "3600"})
    if not source.exists():
        return errors.VideoNotFound()
    _log.error("cutting %s failed: %s", source.name, error)
    return errors.ProjectApiError(_FAILED)


@dataclass(slots=True)
class _Run:
    """One result in the making."""

    sandbox: Sandbox
    plan: Plan
    source: Path
    audio: bool
    deadline: float
    report: Report
    frames_before: int = 0
    frames_now: int = 0

    def cut(self, scratch: Path) -> Path:
        """Make the result in `scratch`; many cuts are made in batches, which are then joined without a new encoding."""
        output = scratch / cutting.OUTPUT
        batches = cutting.batches(self.plan.cuts, self.plan.rate)
        names = [f"piece{number}.mov" for number in range(len(batches))] if len(batches) > 1 else [cutting.OUTPUT]
        for name, batch in zip(names, batches, strict=True):
            command = cutting.cut_command(batch, self.plan.rate, audio=self.audio, height=self.plan.height, output=name)
            self._ffmpeg(command, self.source, len(batch), scratch)
            self.frames_before += sum(cut.black + cut.frames for reading in batch for cut in reading)
        if len(batches) > 1:
            script = scratch / "pieces.ffconcat"
            script.write_text("ffconcat version 1.0\n" + "".join(f"file {name}\n" for name in names), encoding="ascii")
            self._ffmpeg(cutting.join_command(script), script, 1, scratch)
        return output

    def _ffmpeg(self, command: list[str], source: Path, opened: int, scratch: Path) -> None:
        seconds = self.deadline - time.monotonic()
        if seconds <= 0:
            raise SandboxTimeout
        self.frames_now = 0
        limits = cutting.limits(seconds)
        self.sandbox.run(command, source=source, opened=opened, scratch=scratch, limits=limits, watch=self._watch)

    def _watch(self, printed: bytes) -> None:
        self.frames_now = cutting.frames_done(printed) or self.frames_now
        self.report(min(1.0, (self.frames_before + self.frames_now) / self.plan.frames))
