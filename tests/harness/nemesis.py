"""What can be done to a running installation: each fault breaks something for `hold` seconds and repairs it."""

from __future__ import annotations

import random
import shutil
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from os import kill
from typing import Any

import pymongo

from projectapi.infra.redis_client import connect
from tests.harness.failing_server import ALL_COMMANDS
from tests.harness.fault_world import World
from tests.harness.killable import KillableServer
from tests.harness.load import Load
from tests.harness.tcp_proxy import Mode, TcpProxy
from tests.harness.uploads import DISK_FULL, Filler, Uploads
from tests.harness.whole_app import wait_for

_ELECTIONS = (91, 189, 10107, 11600)
_PULSE_SECONDS = 0.2

Breaking = Callable[[World, Load, float], None]
Server = Callable[[World], KillableServer]
Proxy = Callable[[World], TcpProxy]


def nothing(world: World, load: Load, hold: float) -> None:
    """Break nothing: what the others are compared with."""
    time.sleep(hold)


# The servers


def _holding(break_it: Callable[[World], None], repair: Callable[[World], None]) -> Breaking:
    def breaking(world: World, load: Load, hold: float) -> None:
        break_it(world)
        time.sleep(hold)
        repair(world)

    return breaking


def kill_server(which: Server) -> Breaking:
    """Return the fault that kills one of the servers and starts it again on the same data."""
    return _holding(lambda world: which(world).kill(), lambda world: which(world).start())


def freeze_server(which: Server) -> Breaking:
    """Return the fault that lets one of the servers stand still, with all its connections open."""
    return _holding(lambda world: which(world).freeze(), lambda world: which(world).thaw())


def mongodb(world: World) -> KillableServer:
    return world.mongodb


def redis(world: World) -> KillableServer:
    return world.redis


def fail_commands(world: World, load: Load, hold: float, failures: Sequence[Mapping[str, Any]]) -> None:
    """Have every other pulse of the nemesis fail the next two commands, so that even a repetition meets a failure."""
    chance = random.Random(5)
    with pymongo.MongoClient[dict[str, Any]](world.mongodb.uri) as client:
        until = time.monotonic() + hold
        while time.monotonic() < until:
            data = {"failCommands": ALL_COMMANDS, "appName": "projectapi", **chance.choice(failures)}
            client["admin"].command({"configureFailPoint": "failCommand", "mode": {"times": 2}, "data": data})
            time.sleep(_PULSE_SECONDS)
        client["admin"].command({"configureFailPoint": "failCommand", "mode": "off"})


def close_connections(world: World, load: Load, hold: float) -> None:
    fail_commands(world, load, hold, [{"closeConnection": True}])


def fail_as_in_elections(world: World, load: Load, hold: float) -> None:
    fail_commands(world, load, hold, [{"errorCode": code} for code in _ELECTIONS])


def block_commands(world: World, load: Load, hold: float) -> None:
    fail_commands(world, load, hold, [{"blockConnection": True, "blockTimeMS": 1000}])


def block_commands_for_long(world: World, load: Load, hold: float) -> None:
    """Take almost as long for a command as a request has for all of its commands."""
    fail_commands(world, load, hold, [{"blockConnection": True, "blockTimeMS": ms} for ms in (3000, 4000, 5000)])


def restart_redis_with_old_data(world: World, load: Load, hold: float) -> None:
    """Bring an old dump back, once while nobody writes: then no writer can have noticed that Redis was away."""
    dump, old = world.redis.folder / "dump.rdb", world.folder / "old.rdb"
    with load.quiet():
        # Time for the readers to fill the cache with what will be old soon.
        time.sleep(0.3)
        with closing(connect(world.redis.uri, socket_timeout=5)) as client:
            client.save()
        shutil.copy(dump, old)
    time.sleep(hold / 2)

    def restart() -> None:
        world.redis.kill()
        shutil.copy(old, dump)
        world.redis.start()

    with load.quiet():
        restart()
        # The circuit breakers of the workers keep away from Redis for the first second.
        time.sleep(1.5)
    time.sleep(hold / 2)
    restart()


def flush_redis(world: World, load: Load, hold: float) -> None:
    until = time.monotonic() + hold
    while time.monotonic() < until:
        time.sleep(random.uniform(0.02, 0.2))
        with closing(connect(world.redis.uri, socket_timeout=5)) as client:
            client.flushall()


# The application


def kill_worker(world: World, load: Load, hold: float) -> None:
    time.sleep(random.uniform(0, hold))
    world.app.kill_worker(random.Random())


def kill_master(world: World, load: Load, hold: float) -> None:
    world.app.kill_master()
    world.app.start()


def freeze_worker(world: World, load: Load, hold: float) -> None:
    worker = random.choice(world.app.workers())
    kill(worker, signal.SIGSTOP)
    time.sleep(hold)
    kill(worker, signal.SIGCONT)


freeze_master = _holding(
    lambda world: world.app.signal_master(signal.SIGSTOP), lambda world: world.app.signal_master(signal.SIGCONT)
)


def reload_workers(world: World, load: Load, hold: float) -> None:
    world.app.reload()


def restart_app(world: World, load: Load, hold: float) -> None:
    world.app.restart()


def turn_the_clock(world: World, load: Load, hold: float) -> None:
    for seconds in (3600, -3600, 0):
        world.set_clock(seconds)
        wait_for(lambda s=seconds: abs(world.wrong_clock_app.clock() - time.time() - s) < 60, 10, "the clock to turn")
        time.sleep(hold / 3)


def fill_the_disk(world: World, load: Load, hold: float) -> None:
    """Check, besides, what the tally cannot see: the old video plays on, and nothing of the refused ones stays."""
    app = world.small_disk_app
    uploads, filler = Uploads(load, app.port), Filler(app.media_dir)
    wait_for(lambda: uploads.track.reached >= 2, 20, "an upload")

    def is_refused() -> bool:
        filler.fill()
        return DISK_FULL in uploads.outcomes[-1:]

    wait_for(is_refused, 20, "a refused upload")
    until = time.monotonic() + hold
    while time.monotonic() < until:
        filler.fill()
        acknowledged = uploads.track.reached
        # One that was on its way may still have found room.
        assert uploads.served() in (acknowledged, acknowledged + 1)
        time.sleep(_PULSE_SECONDS)
    filler.delete()
    wait_for(lambda: uploads.track.reached > acknowledged + 1, 20, "uploads on a disk with room")
    with load.quiet():
        assert uploads.served() == uploads.track.reached
        left = [path.parent.name for path in app.media_dir.rglob("*") if path.is_file()]
        assert sorted(left) == ["thumbnails", "videos"], left
        assert set(uploads.outcomes) <= {"ok", DISK_FULL}


# The network


def drop_connections(which: Proxy) -> Breaking:
    """Return the fault that closes all connections through a proxy, and refuses new ones."""
    return _holding(lambda world: which(world).switch(Mode.DROP), lambda world: which(world).switch(Mode.PASS))


def delay_connections(which: Proxy, *delays: float) -> Breaking:
    """Return the fault that holds every piece up in a proxy, for so many seconds each, one delay after the other."""

    def breaking(world: World, load: Load, hold: float) -> None:
        for seconds in delays:
            which(world).delay_seconds = seconds
            which(world).switch(Mode.DELAY)
            time.sleep(hold / len(delays))
        which(world).switch(Mode.PASS)

    return breaking


def cut_one_worker_off_from_redis(world: World, load: Load, hold: float) -> None:
    for mode in (Mode.DROP, Mode.BLACKHOLE):
        world.redis_proxy.switch(mode)
        time.sleep(hold / 2)
        world.redis_proxy.switch(Mode.PASS)
        time.sleep(0.2)


def everything(world: World, load: Load, hold: float) -> None:
    world.app.kill_worker(random.Random())
    others = [kill_server(mongodb), kill_server(redis), freeze_server(redis), restart_redis_with_old_data, flush_redis]
    random.choice(others)(world, load, hold / 2)
