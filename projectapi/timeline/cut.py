"""Which pieces of the video a timeline shows: from layers and clips, or from words taken out, to shots and segments."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from projectapi.project import JsonObject, Segment


@dataclass(frozen=True, slots=True)
class Shot:
    """A piece of a video that is shown from `at` on in a result; it begins at `start` in the video. All in seconds."""

    at: float
    start: float
    duration: float


@dataclass(frozen=True, slots=True)
class Edit:
    """What a rendered video shows: shots in order, black and silence between them.

    `height` is what the picture is scaled down to, in pixels; None leaves it as it is.
    """

    shots: tuple[Shot, ...]
    height: int | None = None


def main_layer_shots(state: JsonObject, *, start: float = 0.0, end: float | None = None) -> list[Shot]:
    """Return what the main video layer shows between two moments of the timeline, in seconds.

    Shots are where the timeline has them, counted from `start`: between clips that do not meet there is nothing to see. A clip
    starts in the video at `original_start_time` where the frontend says so, else where it starts on the timeline; its
    `duration` counts, never its `end_time`, which frontends leave behind when they cut.
    """
    shots = []
    for clip in sorted(_main_clips(state), key=lambda clip: clip["start_time"]):
        begins, length = clip["start_time"], clip["duration"]
        skipped = max(0.0, start - begins)
        kept = min(length, (end if end is not None else begins + length) - begins) - skipped
        if kept > 0:
            source = clip.get("original_start_time")
            shots.append(Shot(begins + skipped - start, (begins if source is None else source) + skipped, kept))
    return shots


def _main_clips(state: JsonObject) -> Sequence[JsonObject]:
    layers = [layer for layer in state.get("layers") or [] if layer["type"] == "video"]
    main = next((layer for layer in layers if layer.get("is_main_video")), layers[0] if layers else None)
    return (main.get("clips") or []) if main else []


def without(spans: Iterable[tuple[float, float]], duration: float) -> tuple[list[Segment], list[Segment]]:
    """Return what is kept and what is removed when these spans (start, end) are taken out of a video of `duration` seconds."""
    removed: list[Segment] = []
    kept: list[Segment] = []
    position = 0.0
    for begins, ends in sorted((max(0.0, begins), min(duration, ends)) for begins, ends in spans):
        begins = max(begins, position)
        if ends <= begins:
            continue
        if begins > position:
            kept.append(Segment(position, begins - position))
        removed.append(Segment(begins, ends - begins))
        position = ends
    if position < duration:
        kept.append(Segment(position, duration - position))
    return kept, removed
