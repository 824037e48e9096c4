"""From the segments that an editor asks for to the frames that they mean. Pure rules; times are in seconds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from projectapi import errors
from projectapi.project import SEGMENTS_MAX, Segment
from projectapi.timeline.cut import Shot

_TOUCHING_SECONDS = 0.001
_RATE_TOLERANCE = 0.001
_NOMINAL_RATES = [Fraction(n) for n in (10, 12, 15, 20, 24, 25, 30, 48, 50, 60, 100, 120)] + [
    Fraction(n, 1001) for n in (24000, 30000, 60000, 120000)
]


@dataclass(frozen=True, slots=True)
class Cut:
    """A segment in whole frames of the result's rate: the first frame's number in the source, and how many there are.

    `black` is how many black frames come before it in the result.
    """

    first: int
    frames: int
    black: int = 0

    @property
    def after(self) -> int:
        """The number of the first frame that is no longer part of it."""
        return self.first + self.frames


def clamp(segments: Sequence[Segment], video_duration: float) -> list[Segment]:
    """Return the segments cut to what lies inside the video, with those joined that follow each other without a gap.

    Raises ValidationFailed, which names the field, for a segment that has nothing inside the video.
    """
    if len(segments) > SEGMENTS_MAX:
        raise _wrong("segments", f"at most {SEGMENTS_MAX} segments are taken in one request", "too_long")
    kept: list[Segment] = []
    for number, segment in enumerate(segments):
        inside = _inside(segment, video_duration, number)
        if kept and abs(kept[-1].end - inside.start) < _TOUCHING_SECONDS:
            before = kept.pop()
            inside = Segment(before.start, inside.end - before.start)
        kept.append(inside)
    return kept


def covers_all(segments: Sequence[Segment], video_duration: float, rate: Fraction) -> bool:
    """Tell whether clamped segments are the whole video, to half a frame; no segment at all means the whole as well."""
    if not segments:
        return True
    half = float(1 / rate / 2)
    return len(segments) == 1 and segments[0].start <= half and segments[0].end >= video_duration - half


def conformed_rate(frame_rate: float | None) -> Fraction:
    """Return the constant rate in which a video of this mean rate is cut, in frames per second.

    A nominal rate is kept. Any other rate is that of a video whose rate varies: it is conformed, as editing programs do, to
    30 or 60, so that no quick passage loses frames.
    """
    if frame_rate:
        for nominal in _NOMINAL_RATES:
            if abs(frame_rate / nominal - 1) < _RATE_TOLERANCE:
                # 29.97 and 30 are one in a thousand apart: take the nearest, not the first.
                return min(_NOMINAL_RATES, key=lambda rate: abs(frame_rate - float(rate)))
    return Fraction(60 if frame_rate and frame_rate > 30 else 30)


def cuts(segments: Sequence[Segment], rate: Fraction) -> list[Cut]:
    """Return the frames that the segments mean.

    Rounding is done on the running total, so that the sum of many segments is as near to what was asked as one segment is:
    half a frame. Segments of less than half a frame may vanish, but not all of them.
    """
    planned = []
    total = Fraction(0)
    for segment in segments:
        before = round(total * rate)
        total += Fraction(segment.duration)
        if frames := round(total * rate) - before:
            planned.append(Cut(round(Fraction(segment.start) * rate), frames))
    return planned or [Cut(round(Fraction(segments[0].start) * rate), 1)]


def shot_cuts(shots: Sequence[Shot], rate: Fraction, video_duration: float) -> list[Cut]:
    """Return the frames that shots in order mean, with black where they leave gaps or show nothing of the video.

    Every shot begins at the frame nearest to its time, however many there are before it; where shots overlap the earlier one
    is shown. Black after the last shot is left out.
    """
    planned = []
    shown = 0
    for shot in shots:
        skipped = max(0.0, -shot.start)
        seconds = min(shot.duration, video_duration - shot.start)
        begins, ends = round(Fraction(shot.at + skipped) * rate), round(Fraction(shot.at + seconds) * rate)
        late = max(0, shown - begins)
        begins += late
        if ends > begins:
            first = round(Fraction(shot.start + skipped) * rate) + late
            planned.append(Cut(first, ends - begins, black=begins - shown))
            shown = ends
    return planned


def _inside(segment: Segment, video_duration: float, number: int) -> Segment:
    if not math.isfinite(segment.start):
        raise _wrong(f"segments.{number}.startTime", "must be a finite number of seconds", "finite_number")
    if not 0 < segment.duration < math.inf:
        raise _wrong(f"segments.{number}.duration", "must be more than 0 seconds", "greater_than")
    start, end = max(segment.start, 0.0), min(segment.end, video_duration)
    if end <= start:
        where = f"the segment lies outside the video, which lasts {video_duration:g} seconds"
        raise _wrong(f"segments.{number}.startTime", where, "outside_video")
    return Segment(start, end - start)


def _wrong(field: str, what: str, kind: str) -> errors.ValidationFailed:
    location: list[str | int] = ["body", *(int(part) if part.isdigit() else part for part in field.split("."))]
    return errors.ValidationFailed(f"{field}: {what}.", detail=[{"type": kind, "loc": location, "msg": what}])
