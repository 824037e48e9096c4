"""From segments in seconds to frames."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projectapi import errors
from projectapi.media.segments import Cut, clamp, conformed_rate, covers_all, cuts
from projectapi.project import Segment

RATE = Fraction(25)


@pytest.mark.parametrize(
    ("asked", "inside"),
    [
        (Segment(1, 2), Segment(1, 2)),
        (Segment(-1, 3), Segment(0, 2)),
        (Segment(4, 10), Segment(4, 2)),
        (Segment(-5, 100), Segment(0, 6)),
    ],
)
def test_a_segment_is_cut_to_what_lies_inside_the_video(asked: Segment, inside: Segment) -> None:
    assert clamp([asked], 6.0) == [inside]


@pytest.mark.parametrize(
    ("segment", "field"),
    [
        (Segment(6, 1), "startTime"),
        (Segment(7, 1), "startTime"),
        (Segment(-2, 1), "startTime"),
        (Segment(math.nan, 1), "startTime"),
        (Segment(math.inf, 1), "startTime"),
        (Segment(1, 0), "duration"),
        (Segment(1, -1), "duration"),
        (Segment(1, math.nan), "duration"),
        (Segment(1, math.inf), "duration"),
    ],
)
def test_a_segment_with_nothing_inside_is_refused_by_name(segment: Segment, field: str) -> None:
    with pytest.raises(errors.ValidationFailed, match=rf"^segments\.1\.{field}: ") as caught:
        clamp([Segment(0, 1), segment], 6.0)

    assert isinstance(caught.value.detail, list)
    assert caught.value.detail[0]["loc"] == ["body", "segments", 1, field]


def test_more_segments_than_anybody_cuts_are_refused() -> None:
    with pytest.raises(errors.ValidationFailed, match="at most 1000"):
        clamp([Segment(0, 1)] * 1001, 6.0)


def test_segments_that_follow_without_a_gap_become_one() -> None:
    assert clamp([Segment(1, 1), Segment(2, 1.5), Segment(5, 1)], 6.0) == [Segment(1, 2.5), Segment(5, 1)]


def test_segments_in_another_order_stay_apart() -> None:
    assert clamp([Segment(2, 1), Segment(1, 1)], 6.0) == [Segment(2, 1), Segment(1, 1)]


@pytest.mark.parametrize(
    ("segments", "whole"),
    [
        ([], True),
        ([Segment(0, 6)], True),
        ([Segment(0.01, 5.98)], True),
        ([Segment(0, 5.9)], False),
        ([Segment(0.1, 5.9)], False),
        ([Segment(3, 3), Segment(0, 3)], False),
    ],
)
def test_the_whole_video_is_recognised(segments: list[Segment], whole: bool) -> None:
    assert covers_all(segments, 6.0, RATE) is whole


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0.001, 10)), min_size=1, max_size=40))
def test_many_cuts_together_are_as_exact_as_one(asked: list[tuple[float, float]]) -> None:
    segments = [Segment(*pair) for pair in asked]

    total = sum(cut.frames for cut in cuts(segments, RATE)) / RATE

    exact = sum(Fraction(segment.duration) for segment in segments)
    assert abs(total - exact) <= 1 / RATE / 2 or total == 1 / RATE


def test_a_segment_shorter_than_a_frame_still_shows_one() -> None:
    assert cuts([Segment(1, 0.001)], RATE) == [Cut(25, 1)]


@pytest.mark.parametrize(
    ("mean", "rate"),
    [
        (25.0, Fraction(25)),
        (29.97, Fraction(30000, 1001)),
        (30000 / 1001, Fraction(30000, 1001)),
        (30.0, Fraction(30)),
        (23.976, Fraction(24000, 1001)),
        (60.0, Fraction(60)),
        (16.3, Fraction(30)),
        (29.3, Fraction(30)),
        (47.1, Fraction(60)),
        (1000.0, Fraction(60)),
        (None, Fraction(30)),
    ],
)
def test_nominal_rates_are_kept_and_varying_ones_conformed(mean: float | None, rate: Fraction) -> None:
    assert conformed_rate(mean) == rate
