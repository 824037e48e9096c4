"""What a timeline shows, and what is left when words are taken out."""

from __future__ import annotations

from typing import Any

import pytest

from projectapi.project import Segment
from projectapi.timeline.cut import Shot, main_layer_shots, without

JsonObject = dict[str, Any]


def clip(start: float, length: float, original: float | None = None) -> JsonObject:
    # Frontends leave a wrong end_time behind when they cut.
    return {"start_time": start, "end_time": 99, "duration": length, "original_start_time": original}


def timeline(*clips: JsonObject, **layer: Any) -> JsonObject:
    return {"layers": [{"type": "video", "is_main_video": True, "clips": list(clips), **layer}]}


def test_clips_are_shown_in_the_order_of_the_timeline_where_it_has_them() -> None:
    state = timeline(clip(5, 1, 0), clip(1, 2, 10))

    assert main_layer_shots(state) == [Shot(1, 10, 2), Shot(5, 0, 1)]


def test_a_clip_that_does_not_say_where_it_is_from_is_from_where_it_stands() -> None:
    assert main_layer_shots(timeline(clip(3, 1))) == [Shot(3, 3, 1)]
    assert main_layer_shots(timeline(clip(3, 1, 0))) == [Shot(3, 0, 1)]


@pytest.mark.parametrize(
    ("start", "end", "shots"),
    [
        (0, 10, [Shot(1, 10, 2), Shot(5, 0, 1)]),
        (2, 5.5, [Shot(0, 11, 1), Shot(3, 0, 0.5)]),
        (1.5, 2, [Shot(0, 10.5, 0.5)]),
        (3, 5, []),
        (6, 9, []),
        (4, 7, [Shot(1, 0, 1)]),
    ],
)
def test_a_part_of_the_timeline_begins_where_it_is_asked_for(start: float, end: float, shots: list[Shot]) -> None:
    assert main_layer_shots(timeline(clip(1, 2, 10), clip(5, 1, 0)), start=start, end=end) == shots


def test_other_layers_are_not_shown() -> None:
    state = timeline(clip(0, 1, 0))
    state["layers"].insert(0, {"type": "video", "is_main_video": False, "clips": [clip(0, 9, 50)]})
    state["layers"].insert(0, {"type": "text", "clips": [clip(0, 9, 70)]})

    assert main_layer_shots(state) == [Shot(0, 0, 1)]


def test_without_a_main_layer_the_first_with_video_is_shown() -> None:
    state = timeline(clip(0, 1, 0), is_main_video=False)

    assert main_layer_shots(state) == [Shot(0, 0, 1)]
    assert main_layer_shots({"layers": []}) == [] == main_layer_shots({})


@pytest.mark.parametrize(
    ("spans", "kept", "removed"),
    [
        ([], [Segment(0, 10)], []),
        ([(2, 3)], [Segment(0, 2), Segment(3, 7)], [Segment(2, 1)]),
        ([(8, 99), (-5, 1)], [Segment(1, 7)], [Segment(0, 1), Segment(8, 2)]),
        ([(2, 4), (3, 5)], [Segment(0, 2), Segment(5, 5)], [Segment(2, 2), Segment(4, 1)]),
        ([(2, 4), (2, 4), (3, 3)], [Segment(0, 2), Segment(4, 6)], [Segment(2, 2)]),
        ([(11, 12)], [Segment(0, 10)], []),
        ([(0, 10)], [], [Segment(0, 10)]),
    ],
)
def test_what_is_taken_out_and_what_is_left_are_the_whole(
    spans: list[tuple[float, float]], kept: list[Segment], removed: list[Segment]
) -> None:
    assert without(spans, 10) == (kept, removed)
