"""What the simulated world is made of: tasks that can be stopped anywhere, connections that lose things, worker processes."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import redis
from fakeredis import FakeRedisConnection, FakeServer
from greenlet import greenlet

from projectapi.errors import DatabaseUnavailable
from projectapi.infra.redis_client import RedisLink
from projectapi.stores.cache import CacheEngine, CacheSettings

if TYPE_CHECKING:
    from tests.unit.cache.simulation import World

SETTINGS = CacheSettings(ttl_seconds={"project": 300.0, "timeline": 300.0, "list": 300.0}, codings=())
# One server for all worlds: making a Lua runtime costs more than a whole schedule.
SERVER = FakeServer()


class Killed(BaseException):
    """The worker process was killed: nothing in it runs any more."""


class Task:
    """One reader or writer: a greenlet, the worker that it runs in, and the time before which it need not be woken."""

    def __init__(self, world: World, worker: Worker | None, body: Callable[[], None], start_at: float) -> None:
        self.worker = worker
        self.wake_at = start_at
        self.greenlet = greenlet(self._guarded(body), parent=world.main)

    @staticmethod
    def _guarded(body: Callable[[], None]) -> Callable[[], None]:
        def run() -> None:
            try:
                body()
            except (Killed, DatabaseUnavailable):
                return

        return run


class SimulatedConnection(FakeRedisConnection):
    """A connection to the fake server on which commands and replies can be lost."""

    def __init__(self, *, world: World, worker: Worker, **options: Any) -> None:
        super().__init__(**options)
        self._world, self._worker = world, worker
        self._process = world.process
        self._reply_is_lost = False

    def on_connect(self) -> None:
        self._process = self._world.process
        self._reply_is_lost = False

    def _connect(self) -> Any:
        if self._worker.is_cut_off:
            raise redis.ConnectionError("cut off")
        return super()._connect()

    def can_read(self, timeout: float | None = 0) -> bool:
        return self._process != self._world.process or super().can_read(timeout)

    def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        self._world.step()
        fault = self._world.draw_operation_fault(command)
        if self._worker.is_cut_off or self._process != self._world.process or fault == "lost":
            self._break()
        if fault == "delayed":
            self._world.execute_later(command)
            self._break()
        self._reply_is_lost = fault == "reply lost"
        super().send_packed_command(command, check_health)

    def read_response(self, **options: Any) -> Any:
        self._world.step()
        if self._reply_is_lost or self._worker.is_cut_off or self._process != self._world.process:
            self._break()
        return super().read_response(**options)

    def _break(self) -> None:
        if self._world.chance.random() < 0.5:
            self.disconnect()
            raise redis.ConnectionError("reset")
        self._world.sleep(0.2)
        self.disconnect()
        raise redis.TimeoutError("no answer")


class SimulatedEvent:
    """threading.Event for greenlets."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._is_set = False
        self._waiting: list[Task] = []

    def set(self) -> None:
        self._is_set = True
        for task in self._waiting:
            task.wake_at = self._world.now

    def wait(self, timeout: float | None = None) -> bool:
        if not self._is_set:
            self._waiting.append(self._world.current)
            self._world.sleep(timeout or 0.0)
        return self._is_set


class Worker:
    """One worker process: an engine with its own connection pool and its own monotonic clock."""

    def __init__(self, world: World, offset: float) -> None:
        self.world = world
        self.offset = offset
        self.is_dead = False
        self.cut_off_until = 0.0
        pool = redis.ConnectionPool(
            connection_class=SimulatedConnection,
            server=SERVER,
            world=world,
            worker=self,
            protocol=2,
            retry=redis.retry.Retry(redis.backoff.NoBackoff(), 0),
        )
        client = redis.Redis(connection_pool=pool)
        self.link = RedisLink(client, layout="x", monotonic=self.monotonic, identify=lambda _: world.run_id)
        self.engine = CacheEngine(
            self.link,
            world,
            SETTINGS,
            clock=self,
            make_event=lambda: SimulatedEvent(world),
            chance=random.Random(world.chance.random()),
        )

    @property
    def is_cut_off(self) -> bool:
        return self.world.now < self.cut_off_until

    def monotonic(self) -> float:
        return self.world.now + self.offset

    def time(self) -> float:
        return self.world.now

    def sleep(self, seconds: float) -> None:
        self.world.sleep(seconds)
