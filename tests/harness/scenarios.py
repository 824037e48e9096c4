"""The list of what is done to a running installation: one row of the table of verdicts each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.harness import nemesis
from tests.harness.fault_world import World, can_have_wrong_clocks
from tests.harness.killable import GunicornApp, can_have_media_disks
from tests.harness.nemesis import Breaking, delay_connections, drop_connections, freeze_server, kill_server, mongodb, redis
from tests.harness.tcp_proxy import TcpProxy

Apps = Callable[[World], Sequence[GunicornApp]]


@dataclass(frozen=True)
class Scenario:
    """One row of the table.

    `seconds` is how long each fault is held in the long form, `short_seconds` in the short one, where None leaves it out.
    `mongodb_away` allows answers that are labelled as stale; `workers_die` allows reads without an answer, those that a worker
    was at; `lacking` says why it cannot be played on this system.
    """

    name: str
    breaking: Breaking
    seconds: float = 3.0
    short_seconds: float | None = None
    mongodb_away: bool = False
    workers_die: bool = False
    apps: Apps = lambda world: [world.app]
    only_once: bool = False
    lacking: str = ""


def _to_mongodb(world: World) -> TcpProxy:
    return world.mongodb_proxy


def _to_redis(world: World) -> TcpProxy:
    return world.redis_proxy


def _far(world: World) -> Sequence[GunicornApp]:
    return [world.far_app]


SCENARIOS = [
    Scenario("calm", nemesis.nothing, short_seconds=1.0),
    Scenario("MongoDB killed", kill_server(mongodb), short_seconds=1.0, mongodb_away=True),
    Scenario("MongoDB frozen, 3 s", freeze_server(mongodb), mongodb_away=True),
    Scenario("MongoDB frozen, 12 s", freeze_server(mongodb), seconds=12.0, mongodb_away=True),
    Scenario("MongoDB away, 60 s", kill_server(mongodb), seconds=60.0, mongodb_away=True, only_once=True),
    Scenario("MongoDB closes connections", nemesis.close_connections, short_seconds=1.0, mongodb_away=True),
    Scenario("MongoDB fails as in elections", nemesis.fail_as_in_elections, short_seconds=1.0, mongodb_away=True),
    Scenario("MongoDB takes 1 s for commands", nemesis.block_commands, mongodb_away=True),
    # As long as a client's patience: two requests that each take all their time are more than that.
    Scenario("MongoDB takes 3 to 5 s for commands", nemesis.block_commands_for_long, seconds=15.0, mongodb_away=True),
    Scenario("connections to MongoDB dropped", drop_connections(_to_mongodb), mongodb_away=True, apps=_far),
    Scenario("connections to MongoDB delayed", delay_connections(_to_mongodb, 0.1), mongodb_away=True, apps=_far),
    Scenario("Redis killed", kill_server(redis), short_seconds=0.7),
    Scenario("Redis frozen", freeze_server(redis), short_seconds=0.7),
    Scenario("Redis restarted with old data", nemesis.restart_redis_with_old_data, seconds=1.0, short_seconds=0.4),
    Scenario("Redis flushed", nemesis.flush_redis, short_seconds=1.0),
    Scenario("connections to Redis dropped", drop_connections(_to_redis), apps=_far),
    # Just within the time that a worker waits for Redis, and well beyond it
    Scenario("connections to Redis delayed", delay_connections(_to_redis, 0.08, 0.3), apps=_far),
    Scenario(
        "one worker cut off from Redis",
        nemesis.cut_one_worker_off_from_redis,
        short_seconds=1.0,
        apps=lambda world: [world.app, world.half_far_app],
    ),
    Scenario("a worker killed", nemesis.kill_worker, seconds=1.0, short_seconds=0.5),
    Scenario("a worker frozen", nemesis.freeze_worker),
    Scenario("gunicorn's master killed", nemesis.kill_master, short_seconds=0),
    Scenario("gunicorn's master frozen", nemesis.freeze_master),
    Scenario("workers replaced (SIGHUP)", nemesis.reload_workers),
    Scenario("application restarted (SIGTERM)", nemesis.restart_app),
    Scenario(
        "clocks of half the workers jump by an hour",
        nemesis.turn_the_clock,
        short_seconds=1.0,
        apps=lambda world: [world.app, world.wrong_clock_app],
        lacking="" if can_have_wrong_clocks() else "the library that turns clocks was built for Linux on x86-64",
    ),
    Scenario("everything at once", nemesis.everything, mongodb_away=True, workers_die=True),
    Scenario(
        "disk full",
        nemesis.fill_the_disk,
        short_seconds=0.5,
        apps=lambda world: [world.small_disk_app],
        only_once=True,
        lacking="" if can_have_media_disks() else "a small disk needs a system that lets users mount file systems",
    ),
]
