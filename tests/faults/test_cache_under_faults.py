"""Whatever happens to Redis and to the workers, no read is older than what was acknowledged before it, and no save is lost.

Each scenario runs for FAULT_SECONDS (default 4) on real servers, with writers that number their saves and readers that check
every answer. The counts are printed at the end of the run.
"""

from __future__ import annotations

import os
import random
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from projectapi.devstack.servers import MONGODB, REDIS
from projectapi.infra.redis_client import connect
from tests.harness.killable import GunicornApp, KillableServer, running, set_up_database
from tests.harness.load import HANG_SECONDS, Load
from tests.harness.tcp_proxy import Mode, TcpProxy

SECONDS = float(os.environ.get("FAULT_SECONDS", "4"))
RECOVERY_SECONDS = 20.0


@dataclass(frozen=True)
class World:
    """Two servers and the application with two workers."""

    folder: Path
    mongodb: KillableServer
    redis: KillableServer
    app: GunicornApp

    @contextmanager
    def another_app(self, name: str, redis_port: int, **options: str) -> Iterator[GunicornApp]:
        """Have one more worker run, that reaches Redis on this port."""
        redis_url = REDIS.uri.format(port=redis_port)
        app = GunicornApp(self.folder / name, mongodb_uri=self.mongodb.uri, redis_url=redis_url, workers=1, **options)
        with running(app):
            yield app


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Everything, running; each scenario leaves it as it was."""
    folder = tmp_path_factory.mktemp("world")
    mongodb, redis = KillableServer(MONGODB, folder), KillableServer(REDIS, folder)
    with running(mongodb), running(redis):
        set_up_database(mongodb.uri, redis.uri, folder / "media")
        app = GunicornApp(folder / "app", mongodb_uri=mongodb.uri, redis_url=redis.uri, workers=2)
        with running(app):
            yield World(folder, mongodb, redis, app)


def calm(world: World, load: Load) -> None:
    time.sleep(1)


def kill_redis(world: World, load: Load) -> None:
    time.sleep(0.5)
    world.redis.kill()
    time.sleep(0.7)
    world.redis.start()
    time.sleep(1)


def freeze_redis(world: World, load: Load) -> None:
    time.sleep(0.5)
    world.redis.freeze()
    time.sleep(0.7)
    world.redis.thaw()
    time.sleep(0.7)


def restart_redis_with_old_data(world: World, load: Load) -> None:
    """Bring an old dump back, once while nobody writes: then no writer can have noticed that Redis was away."""
    dump, old = world.redis.folder / "dump.rdb", world.folder / "old.rdb"
    with load.quiet():
        # Time for the readers to fill the cache with what will be old soon.
        time.sleep(0.3)
        with closing(connect(world.redis.uri, socket_timeout=5)) as client:
            client.save()
        shutil.copy(dump, old)
    time.sleep(0.4)
    with load.quiet():
        _restart_with(world, old, dump)
        # The circuit breakers of the workers keep away from Redis for the first second.
        time.sleep(1.5)
    time.sleep(0.3)
    _restart_with(world, old, dump)
    time.sleep(0.3)


def _restart_with(world: World, old: Path, dump: Path) -> None:
    world.redis.kill()
    shutil.copy(old, dump)
    world.redis.start()


def kill_workers(world: World, load: Load) -> None:
    time.sleep(random.uniform(0.3, 0.9))
    world.app.kill_worker(random.Random())


def flush(world: World, load: Load) -> None:
    time.sleep(random.uniform(0.02, 0.2))
    with closing(connect(world.redis.uri, socket_timeout=5)) as client:
        client.flushall()


def all_at_once(world: World, load: Load) -> None:
    world.app.kill_worker(random.Random())
    random.choice([kill_redis, freeze_redis, restart_redis_with_old_data, flush])(world, load)


SCENARIOS = {
    "calm": calm,
    "Redis killed": kill_redis,
    "Redis frozen": freeze_redis,
    "Redis restarted with old data": restart_redis_with_old_data,
    "workers killed": kill_workers,
    "Redis flushed": flush,
}
if SECONDS >= 10:
    # Too rare a mixture to say much in a short time.
    SCENARIOS["all at once"] = all_at_once


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_no_read_is_stale_and_no_save_is_lost(
    world: World, scenario: str, record_property: Callable[[str, object], None]
) -> None:
    with Load([world.app.port]) as load:
        repeat(SCENARIOS[scenario], world, load)
        load.wait_for_hits(RECOVERY_SECONDS)

    check(load, scenario, record_property, may_fail=scenario in ("workers killed", "all at once"))


def test_no_read_is_stale_while_one_worker_is_cut_off_from_redis(
    world: World, record_property: Callable[[str, object], None]
) -> None:
    with (
        TcpProxy(world.redis.port, delay_seconds=0.15) as proxy,
        world.another_app("cut-off", proxy.port) as cut_off,
        Load([world.app.port, cut_off.port]) as load,
    ):
        repeat(lambda *_: cut_off_and_reconnect(proxy), world, load)
        load.wait_for_hits(RECOVERY_SECONDS)

    check(load, "one worker cut off from Redis", record_property)


def cut_off_and_reconnect(proxy: TcpProxy) -> None:
    for mode in (Mode.DROP, Mode.BLACKHOLE, Mode.DELAY):
        time.sleep(0.4)
        proxy.switch(mode)
        time.sleep(0.6)
        proxy.switch(Mode.PASS)


def repeat(fault: Callable[[World, Load], None], world: World, load: Load) -> None:
    """Let the fault happen again and again for about the time of a scenario, at least once."""
    started = time.monotonic()
    rounds, took = 0, 0.0
    while rounds == 0 or took + took / rounds / 2 < SECONDS:
        fault(world, load)
        rounds, took = rounds + 1, time.monotonic() - started


def check(load: Load, scenario: str, record_property: Callable[[str, object], None], *, may_fail: bool = False) -> None:
    tally = load.tally
    record_property("counts", {"scenario": scenario, **tally.row()})
    assert tally.stale == []
    assert tally.lost == []
    assert tally.reads["answered"] > 0 and tally.writes["acknowledged"] > 0 and tally.sources["HIT"] > 0
    assert max(tally.slowest_read, tally.slowest_write) < HANG_SECONDS
    if not may_fail:
        assert not tally.failed_reads and not tally.failed_writes


BREAKABLE: dict[str, Callable[[World, TcpProxy, Load], None]] = {
    "nobody invalidates": lambda world, proxy, load: None,
    "a settlement that failed counts as done": lambda world, proxy, load: proxy.switch(Mode.DROP),
    "any Redis is believed": lambda world, proxy, load: restart_redis_with_old_data(world, load),
}


@pytest.mark.parametrize("rule", BREAKABLE)
def test_the_readers_do_see_it_when_a_rule_of_the_cache_is_taken_out(world: World, rule: str) -> None:
    broken = {"app": "tests.harness.broken_rules:app", "BROKEN_RULE": rule}
    ports = []
    if rule == "any Redis is believed":
        # A database of its own: workers that follow the rules would turn the cache off for all.
        broken["MONGODB_DATABASE"] = "believer"
    else:
        ports.append(world.app.port)
    with (
        TcpProxy(world.redis.port) as proxy,
        world.another_app(rule.replace(" ", "-"), proxy.port, **broken) as app,
        Load([*ports, app.port]) as load,
    ):
        time.sleep(0.5)
        BREAKABLE[rule](world, proxy, load)
        load.wait_for_stale_reads(RECOVERY_SECONDS)

    assert load.tally.stale != []
