"""The promise under random schedules and faults, and the proof that the check is worth something: without a rule it fails.

``CACHE_SCHEDULES`` sets how many schedules run for each set of faults (default 150).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any
from unittest import mock

import pytest

from projectapi.stores.cache import ControlState, Write, scripts
from projectapi.stores.cache.control import Control
from projectapi.stores.cache.shared import SharedCache
from projectapi.stores.cache.writer import Writer
from tests.unit.cache.simulation import World, run_schedule

SCHEDULES = int(os.environ.get("CACHE_SCHEDULES", "150"))
FAULTS = {
    "calm": frozenset[str](),
    "eviction": frozenset({"eviction", "loss"}),
    "crash": frozenset({"crash"}),
    "loss": frozenset({"loss"}),
    "late": frozenset({"late"}),
    "partition": frozenset({"partition", "loss"}),
    "restart": frozenset({"restart", "loss"}),
    "database": frozenset({"database", "loss", "restart"}),
    "everything": frozenset({"eviction", "crash", "loss", "partition", "restart"}),
}


@pytest.mark.parametrize("faults", FAULTS.values(), ids=FAULTS.keys())
def test_no_read_is_older_than_what_was_acknowledged_before_it(faults: frozenset[str]) -> None:
    for seed in range(SCHEDULES):
        world = run_schedule(seed, faults)
        assert world.violations == [], f"seed {seed}"


@pytest.mark.parametrize("name", ["calm", "crash"])
def test_no_read_is_older_than_a_commit_that_was_announced(name: str) -> None:
    for seed in range(SCHEDULES, 2 * SCHEDULES):
        world = run_schedule(seed, FAULTS[name])
        assert world.regressions == [], f"seed {seed}"


def violations(world: World) -> list[str]:
    return world.violations


def regressions(world: World) -> list[str]:
    return world.regressions


def _settle_without_ending(original: Callable[..., bool]) -> Callable[..., bool]:
    def ended(*arguments: Any) -> bool:
        original(*arguments)
        return True

    return ended


def _end_as_if_announced(original: Callable[..., None]) -> Callable[..., None]:
    def end(writer: Writer, state: ControlState, write: Write, *, committed: bool) -> None:
        write.announced = state
        original(writer, state, write, committed=committed)

    return end


Check = Callable[[World], list[str]]
Rule = tuple[Callable[[], Any], str, Check]

_FILL_ANYWAY = "redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) return 1"
_PUBLISH_ANYWAY = scripts.END.replace("state == 'W' and marks == ''", "(state == 'W' or state == 'X') and marks == ''")

WITHOUT: dict[str, Rule] = {
    "waiting until the epoch is known for long enough": (
        lambda: mock.patch.object(Control, "seconds_until_alone", lambda *_: 0.0),
        "partition",
        violations,
    ),
    "asking a new connection for its run id": (lambda: mock.patch.object(World, "run_id", "run1"), "restart", violations),
    "announcing the write": (lambda: mock.patch.object(SharedCache, "begin", lambda *_: None), "crash", regressions),
    "comparing the token before a fill": (lambda: mock.patch.object(scripts, "FILL", _FILL_ANYWAY), "calm", violations),
    "looking at the clock after the reply": (
        lambda: mock.patch.object(Control, "confirms", lambda *_: True),
        "partition",
        violations,
    ),
    "ending the epoch when the settlement fails": (
        lambda: mock.patch.object(Writer, "_ended", _settle_without_ending(Writer._ended)),
        "partition",
        violations,
    ),
    "publishing nothing when others write too": (
        lambda: mock.patch.object(scripts, "END", _PUBLISH_ANYWAY),
        "loss",
        violations,
    ),
    "publishing nothing of a write that may be announced only now": (
        lambda: mock.patch.object(Writer, "_end", _end_as_if_announced(Writer._end)),
        "late",
        violations,
    ),
}


@pytest.mark.parametrize("rule", WITHOUT)
def test_the_check_finds_out_when_a_rule_is_missing(rule: str) -> None:
    patch, faults, check = WITHOUT[rule]
    with ExitStack() as stack:
        stack.enter_context(patch())
        found = next((seed for seed in range(2_000) if check(run_schedule(seed, FAULTS[faults]))), None)
    assert found is not None, f"2,000 schedules without {rule}, and nothing went wrong"
