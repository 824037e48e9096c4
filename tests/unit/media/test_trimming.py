"""How much room a cut is thought to take, before it begins."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from projectapi.media.segments import Cut
from projectapi.media.trimming import Plan
from projectapi.project import Video

RATE = Fraction(25)


@pytest.mark.parametrize(
    ("cuts", "height", "expected"),
    [
        ([Cut(0, 50)], None, 200),
        ([Cut(0, 50, black=500)], None, 200),
        ([Cut(0, 50)], 60, 50),
        ([Cut(0, 50)], 240, 200),
        # In pieces, which are there beside the whole while they are joined.
        ([Cut(number * 2, 2) for number in range(100)], None, 1600),
    ],
)
def test_a_result_takes_about_its_share_of_the_original(
    video: Video, cuts: list[Cut], height: int | None, expected: int
) -> None:
    original = replace(video, bytes=1000, duration=10.0, height=120)

    assert Plan("trimmed/x.mp4", RATE, tuple(cuts), height).bytes_of(original) == expected
