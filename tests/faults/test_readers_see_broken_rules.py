"""A check that finds nothing is worth something only if it would find something: with a rule taken out, it does."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.harness.fault_world import World
from tests.harness.load import RECOVERY_SECONDS, Load
from tests.harness.nemesis import restart_redis_with_old_data
from tests.harness.tcp_proxy import Mode

BREAKABLE: dict[str, Callable[[World, Load], None]] = {
    "nobody invalidates": lambda world, load: None,
    "a settlement that failed counts as done": lambda world, load: world.redis_proxy.switch(Mode.DROP),
    "any Redis is believed": lambda world, load: restart_redis_with_old_data(world, load, 0.8),
}


@pytest.mark.parametrize("rule", BREAKABLE)
def test_the_readers_do_see_it_when_a_rule_of_the_cache_is_taken_out(world: World, rule: str) -> None:
    options = {"app": "tests.harness.broken_rules:app", "BROKEN_RULE": rule}
    ports = []
    if rule == "any Redis is believed":
        # A database of its own: workers that follow the rules would turn the cache off for all.
        options["MONGODB_DATABASE"] = "believer"
    else:
        ports.append(world.app.port)
    app = world.started(rule, redis_port=world.redis_proxy.port, workers=1, **options)
    with Load([*ports, app.port]) as load:
        time.sleep(0.5)
        BREAKABLE[rule](world, load)
        load.wait_for_stale_reads(RECOVERY_SECONDS)
    world.redis_proxy.switch(Mode.PASS)

    assert load.tally.stale != []
