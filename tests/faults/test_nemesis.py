"""Whatever is killed, frozen, cut off or made to fail: no save is lost or done twice, no read is stale, nobody waits for ever.

Each scenario runs on real servers and the application as the Procfile starts it, with writers that number their saves and
readers that check every answer. FAULT_SECONDS (default 2) is for how long a fault is repeated, again and again; from 10 on the
long form runs, with all scenarios. The verdicts are printed as a table at the end of the run.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.faults.conftest import SECONDS
from tests.harness.fault_world import MONGODB_PASSWORD, REDIS_PASSWORD, World
from tests.harness.load import HANG_SECONDS, Load
from tests.harness.numbered import CLIP_MARK, NAME_MARK
from tests.harness.scenarios import SCENARIOS, Scenario
from tests.harness.verdicts import PATIENCE_SECONDS

IS_LONG = SECONDS >= 10
CACHED_READS_ANSWERED = 0.999
REPEATED_DONE = 0.95


def play(scenario: Scenario, world: World) -> Load:
    """Let the fault happen again and again for about the time of a scenario, at least once; return the load when it is over."""
    hold = scenario.seconds if IS_LONG else scenario.short_seconds or 0.0
    with Load([app.port for app in scenario.apps(world)]) as load:
        load.wait_for_hits()
        started, rounds, took = time.monotonic(), 0, 0.0
        while rounds == 0 or (took + took / rounds / 2 < SECONDS and not scenario.only_once):
            with load.fault(mongodb_away=scenario.mongodb_away) as fault:
                scenario.breaking(world, load, hold)
            load.wait_until_normal(fault)
            rounds, took = rounds + 1, time.monotonic() - started
    return load


PLAYED = [scenario for scenario in SCENARIOS if IS_LONG or scenario.short_seconds is not None]


@pytest.mark.parametrize("scenario", PLAYED, ids=[scenario.name for scenario in PLAYED])
def test_no_save_is_lost_or_done_twice_and_no_read_is_stale_when(
    world: World, scenario: Scenario, record_property: Callable[[str, object], None]
) -> None:
    if scenario.lacking:
        pytest.skip(scenario.lacking)
    tally = play(scenario, world).tally

    record_property("verdict", {"what happens": scenario.name, **tally.row()})
    print(f"\n{scenario.name}: {dict(tally.failures)}; the slowest: {tally.slowest_answer}")
    assert tally.lost == []
    assert tally.stale == []
    assert tally.doubled == []
    assert tally.slowest < HANG_SECONDS
    assert tally.acknowledged > 0 and tally.sources["HIT"] > 0, "nothing was tried"
    asked, good = tally.cached_reads_during_faults()
    if scenario.mongodb_away and not scenario.workers_die:
        assert good >= asked * CACHED_READS_ANSWERED
    if scenario.seconds < PATIENCE_SECONDS:
        failed, helped = tally.repeated()
        assert helped >= failed * REPEATED_DONE
    if scenario.name == "calm":
        assert not tally.failures and not tally.sources["STALE"]


def test_no_log_shows_a_password_or_what_users_wrote(world: World) -> None:
    """This test looks at what the others have left, so it stands behind them."""
    logs = world.logs()

    assert logs and all("projectapi" in text for text in logs.values())
    for name, text in logs.items():
        shown = [mark for mark in (MONGODB_PASSWORD, REDIS_PASSWORD, NAME_MARK, CLIP_MARK) if mark in text]
        assert shown == [], f"in the log of the application {name!r}"
