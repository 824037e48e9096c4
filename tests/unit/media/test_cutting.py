"""The ffmpeg commands of trimming."""

from __future__ import annotations

from fractions import Fraction

import pytest

from projectapi.media.cutting import batches, cut_command
from projectapi.media.sandbox import CONTAINERS, FIRST_INPUT
from projectapi.media.segments import Cut

RATE = Fraction(25)


def test_every_input_is_an_open_descriptor_behind_both_allow_lists() -> None:
    command = cut_command([[Cut(0, 5)], [Cut(900, 5)]], RATE, audio=True)

    inputs = [index for index, word in enumerate(command) if word == "-i"]
    assert [command[index + 1] for index in inputs] == ["fd:", "fd:"]
    assert [command[index - 1] for index in inputs] == [str(FIRST_INPUT), str(FIRST_INPUT + 1)]
    for start, end in zip([0, *inputs], inputs, strict=False):
        options = command[start:end]
        assert options[options.index("-protocol_whitelist") + 1] == "fd"
        assert options[options.index("-format_whitelist") + 1] == CONTAINERS


@pytest.mark.parametrize(
    ("cuts", "sizes"),
    [
        ([Cut(0, 5), Cut(20, 5), Cut(40, 5)], [[3]]),
        ([Cut(0, 5), Cut(500, 5)], [[1, 1]]),
        ([Cut(40, 5), Cut(0, 5)], [[1, 1]]),
        ([Cut(0, 5), Cut(3, 5)], [[1, 1]]),
        ([Cut(n * 10, 5) for n in range(100)], [[90], [10]]),
        ([Cut(n * 1000, 5) for n in range(20)], [[1] * 16, [1] * 4]),
    ],
)
def test_near_cuts_are_read_in_one_go_and_a_run_has_limits(cuts: list[Cut], sizes: list[list[int]]) -> None:
    runs = batches(cuts, RATE)

    assert [[len(reading) for reading in run] for run in runs] == sizes
    assert [cut for run in runs for reading in run for cut in reading] == cuts
