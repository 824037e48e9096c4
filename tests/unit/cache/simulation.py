"""A small world in which the real cache engine runs step by step, in any order that chance picks, with faults in between.

Every worker is a real `CacheEngine` over the real `RedisLink`, over fakeredis (which runs the real Lua scripts); every reader
and every writer is a greenlet that hands control back to the world before and after each thing that it says to Redis, to the
database or to a clock. Time passes only when the world says so. What is checked is the promise itself: a read that starts after
a write was acknowledged returns that write or a later one.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from unittest import mock

import fakeredis
from fakeredis import FakeRedisConnection
from greenlet import getcurrent

from projectapi.errors import DatabaseUnavailable, OutcomeUnknown, PreconditionFailed
from projectapi.stores.cache import CacheKey, ControlState, Entry, Outcome, Write, scripts
from tests.unit.cache.simulated_parts import SERVER, Killed, Task, Worker

PROJECT_ID = "p1"
OWNER = "anna"
KEYS = (
    CacheKey.of_project("project", PROJECT_ID),
    CacheKey.of_project("timeline", PROJECT_ID),
    CacheKey.of_list(OWNER, "first page"),
)
_BEGIN = scripts.BEGIN.encode()
_ADMIN = fakeredis.FakeRedis(server=SERVER, protocol=2)


class World:
    """The database, Redis, the workers, and chance."""

    def __init__(self, seed: int, faults: frozenset[str]) -> None:
        self.chance = random.Random(seed)
        self.faults = faults
        self.keys = self.chance.sample(KEYS, self.chance.choice((1, 1, 2)))
        self.now = 1_700_000_000.0
        self.main = getcurrent()
        self.tasks: list[Task] = []
        self.current: Any = None
        self.is_calm = True
        self.process = 1
        self.control: ControlState | None = None
        self.version = 1
        self.acknowledged = 1
        self.announced = 1
        self.violations: list[str] = []
        self.regressions: list[str] = []
        _ADMIN.flushall()
        self.snapshot: list[tuple[bytes, bytes, int]] = []
        self.workers = [Worker(self, offset) for offset in (0.0, 500.0, 9_000.0)]

    @property
    def run_id(self) -> str:
        return f"run{self.process}"

    # --- what the workers call -------------------------------------------------------------------------------------------

    def step(self) -> None:
        """Let the world go on; come back when chance picks this task again."""
        if getcurrent() is not self.main:
            if not self.is_calm and self.chance.random() < 0.04:
                self.current.wake_at = self.now + self.chance.choice((0.3, 1.3, 3.0))
            self.main.switch()
            worker = self.current.worker
            if worker is not None and worker.is_dead:
                raise Killed

    def sleep(self, seconds: float) -> None:
        """Come back no earlier than in `seconds`."""
        if getcurrent() is self.main:
            self.now += seconds
            return
        self.current.wake_at = self.now + seconds
        self.main.switch()
        if self.current.worker is not None and self.current.worker.is_dead:
            raise Killed

    def read(self) -> ControlState | None:
        """Read the control document (ControlStore)."""
        self.step()
        self.fail_sometimes()
        state = self.control
        self.step()
        return state

    def compare_and_swap(self, old: ControlState | None, new: ControlState) -> bool:
        """Swap the control document (ControlStore)."""
        self.step()
        self.fail_sometimes()
        if (self.control and self.control.epoch) != (old and old.epoch):
            return False
        self.control = new
        self.step()
        return True

    def fail_sometimes(self) -> None:
        """Raise DatabaseUnavailable, if that is among the faults."""
        if not self.is_calm and "database" in self.faults and self.chance.random() < 0.03:
            raise DatabaseUnavailable

    def draw_operation_fault(self, command: list[bytes]) -> str | None:
        """Say what happens to one command."""
        if self.is_calm:
            return None
        if "late" in self.faults and _BEGIN in b"".join(command) and self.chance.random() < 0.5:
            return "delayed"
        if "loss" in self.faults and self.chance.random() < 0.12:
            return self.chance.choice(("lost", "reply lost", "delayed"))
        return None

    def execute_later(self, command: list[bytes]) -> None:
        """Carry a command out some time after the client has stopped waiting for it."""
        process = self.process

        def run() -> None:
            if process == self.process:
                connection = FakeRedisConnection(server=SERVER, protocol=2)
                connection.send_packed_command(command)

        self.tasks.append(Task(self, None, run, self.now + self.chance.choice((0.2, 0.5, 1.5, 3.0))))

    # --- the tasks -------------------------------------------------------------------------------------------------------

    def load(self) -> Entry:
        """Read the project from the database."""
        self.step()
        self.fail_sometimes()
        version = self.version
        self.step()
        return Entry.of(str(version).encode(), version=version, etag=f'"{version}"')

    def commit(self) -> int:
        """Write the project to the database."""
        self.step()
        self.fail_sometimes()
        self.version += 1
        return self.version

    def reader(self, worker: Worker, key: CacheKey, times: int = 1) -> Callable[[], None]:
        """Return a task that reads, and holds what it gets against what was acknowledged before it asked."""

        def run() -> None:
            for _ in range(times):
                self.step()
                floor, announced = self.acknowledged, self.announced
                reading = worker.engine.read(key, self.load)
                if reading.outcome is Outcome.STALE:
                    continue
                found = reading.entry.version
                if found < floor:
                    self.violations.append(f"{key.kind}: read {found} after {floor} was acknowledged ({reading.outcome})")
                if found < announced:
                    self.regressions.append(f"{key.kind}: read {found} after {announced} was committed")

        return run

    def writer(self, worker: Worker) -> Callable[[], None]:
        """Return a task that writes once."""

        def run() -> None:
            self.step()
            with worker.engine.writing(PROJECT_ID, OWNER) as write:
                version = self.commit()
                if write.announced is not None:
                    self.announced = max(self.announced, version)
                if self.chance.random() < 0.6:
                    self.publish(write, version)
                self.step()
                if "loss" in self.faults and self.chance.random() < 0.05:
                    raise OutcomeUnknown
            self.acknowledge(version)

        return run

    def publish(self, write: Write, version: int) -> None:
        """Offer what the write has left, which is an earlier state when others have committed while it was made an answer."""
        if self.chance.random() < 0.3:
            rival = self.chance.choice(self.workers)
            self.add(rival, self.writer(rival))
        self.sleep(self.chance.choice((0.0, 0.0, 1.0, 4.0)))
        for key in KEYS[:2]:
            write.publish(key.kind, Entry.of(str(version).encode(), version=version, etag=f'"{version}"'))

    def seer(self, worker: Worker) -> Callable[[], None]:
        """Return a task that lost a race: it tells its client of the version that it has seen."""

        def run() -> None:
            self.step()
            version = self.version
            with suppress(PreconditionFailed), worker.engine.writing(PROJECT_ID, OWNER):
                raise PreconditionFailed
            self.acknowledge(version)

        return run

    def acknowledge(self, version: int) -> None:
        """Tell the client, who looks at once, and at another worker."""
        self.acknowledged = max(self.acknowledged, version)
        for delay in (0.0, self.chance.choice((0.0, 0.05, 0.3, 0.8))):
            worker = self.chance.choice(self.workers)
            self.add(worker, self.reader(worker, self.chance.choice(self.keys)), delay)

    # --- the scheduler ---------------------------------------------------------------------------------------------------

    def add(self, worker: Worker, body: Callable[[], None], delay: float = 0.0) -> Task:
        """Start a task."""
        task = Task(self, worker, body, self.now + delay)
        self.tasks.append(task)
        return task

    def warm_up(self) -> None:
        """Start the workers in calm weather; each has known the epoch for a while, or not yet."""
        for worker in self.workers:
            worker.engine.prepare()
            self.now += self.chance.choice((0.0, 0.4, 1.5))
        if self.chance.random() < 0.7:
            for key in self.keys:
                self.chance.choice(self.workers).engine.read(key, self.load)

    def advance(self, task: Task) -> None:
        """Let one task do its next step."""
        self.current = task
        task.greenlet.switch()
        if task.greenlet.dead:
            self.tasks.remove(task)

    def run(self) -> None:
        """Run all tasks to their end, in a random order and with faults."""
        self.is_calm = False
        while self.tasks:
            ready = [task for task in self.tasks if task.wake_at <= self.now]
            if not ready:
                self.now = min(task.wake_at for task in self.tasks)
                continue
            self.disturb()
            self.advance(self.chance.choice(ready))

    def disturb(self) -> None:
        """Let time pass, and trouble come."""
        dice = self.chance.random()
        if dice < 0.03:
            self.now += self.chance.choice((0.05, 0.3, 0.7, 1.05, 5.5) if self.faults <= {"crash"} else (0.3, 1.05, 5.5, 61.0))
        elif dice < 0.08 and "eviction" in self.faults:
            self.evict()
        elif dice < 0.09 and "crash" in self.faults:
            self.kill(self.chance.choice(self.workers))
        elif dice < 0.105 and "partition" in self.faults:
            self.chance.choice(self.workers).cut_off_until = self.now + self.chance.choice((0.3, 1.0, 3.0))
        elif dice < 0.13 and "restart" in self.faults:
            self.restart_or_snapshot()

    def evict(self) -> None:
        """Let Redis drop a key for want of memory."""
        keys = sorted(_ADMIN.keys())
        if keys:
            _ADMIN.delete(self.chance.choice(keys))

    def restart_or_snapshot(self) -> None:
        """Let Redis dump its data, or come back as a new process with what it dumped last."""
        if self.chance.random() < 0.6:
            self.snapshot = [(key, _ADMIN.get(key), _ADMIN.pexpiretime(key)) for key in _ADMIN.scan_iter()]
            return
        self.process += 1
        _ADMIN.flushall()
        for key, value, expires_at in self.snapshot:
            _ADMIN.set(key, value, pxat=expires_at)

    def kill(self, worker: Worker) -> None:
        """Kill a worker process in the middle of whatever it does; a fresh one takes its place."""
        if worker in self.workers:
            worker.is_dead = True
            self.workers.remove(worker)
            self.workers.append(Worker(self, self.chance.random() * 1000))


@contextmanager
def simulated_time(world: World) -> Iterator[None]:
    """Make fakeredis use the world's clock."""
    clock = mock.Mock(time=lambda: world.now, monotonic=lambda: world.now)
    with (
        mock.patch.object(fakeredis._socket._base, "time", clock),
        mock.patch.object(fakeredis._helpers, "time", clock),
        mock.patch.object(fakeredis.commands_mixins.server_mixin, "time", clock),
    ):
        yield


def run_schedule(seed: int, faults: frozenset[str]) -> World:
    """Run one random schedule and return the world with what went wrong in it."""
    world = World(seed, faults)
    with simulated_time(world):
        world.warm_up()
        chance = world.chance
        delays = (0.0, 0.0, 0.0, 0.05, 0.3, 0.8)
        for _ in range(chance.randint(2, 6)):
            worker = chance.choice(world.workers)
            world.add(worker, world.reader(worker, chance.choice(world.keys), chance.randint(1, 2)), chance.choice(delays))
        for _ in range(chance.randint(1, 3)):
            worker = chance.choice(world.workers)
            world.add(worker, world.writer(worker), chance.choice(delays))
        if chance.random() < 0.2:
            worker = chance.choice(world.workers)
            world.add(worker, world.seer(worker), chance.choice(delays))
        world.run()
    return world
