"""A cache engine over fakeredis with a clock that stands still."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any
from unittest import mock

import fakeredis
import pytest

from projectapi.errors import DatabaseUnavailable
from projectapi.infra.redis_client import RedisLink
from projectapi.stores.cache import CacheEngine, CacheSettings, ControlState, Entry


class StoppedClock:
    """A clock that moves when it is told to, and when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


class MemoryControlStore:
    """The control document in memory; `is_away` makes it fail."""

    def __init__(self) -> None:
        self.state: ControlState | None = None
        self.is_away = False
        self.reads = 0

    def read(self) -> ControlState | None:
        if self.is_away:
            raise DatabaseUnavailable
        self.reads += 1
        return self.state

    def compare_and_swap(self, old: ControlState | None, new: ControlState) -> bool:
        if self.is_away:
            raise DatabaseUnavailable
        if (self.state and self.state.epoch) != (old and old.epoch):
            return False
        self.state = new
        return True


@dataclass
class House:
    """One database, one Redis, and as many workers as a test asks for."""

    server: fakeredis.FakeServer
    clock: StoppedClock
    store: MemoryControlStore
    settings: CacheSettings
    run_id: str = "first"
    version: int = 1
    loads: int = 0

    def worker(self, **changes: Any) -> CacheEngine:
        """Start a worker; `changes` are settings."""
        settings = replace(self.settings, **changes)
        client = fakeredis.FakeRedis(server=self.server, protocol=2)
        link = RedisLink(
            client, layout=settings.layout, monotonic=self.clock.monotonic, identify=lambda connection: self.run_id
        )
        return CacheEngine(link, self.store, settings, clock=self.clock, chance=random.Random(1))

    def load(self) -> Entry:
        """Read the project from the database."""
        if self.store.is_away:
            raise DatabaseUnavailable
        self.loads += 1
        return self.entry()

    def entry(self) -> Entry:
        """Return the project as it is now."""
        return Entry.of(f'{{"version":{self.version}}}'.encode(), version=self.version, etag=f'"{self.version}"', owner="anna")

    def commit(self) -> int:
        """Write the project to the database."""
        self.version += 1
        return self.version

    @property
    def redis(self) -> fakeredis.FakeRedis:
        """Return a client to look into Redis with."""
        return fakeredis.FakeRedis(server=self.server, protocol=2)


@pytest.fixture
def house() -> Iterator[House]:
    """Return a house whose clocks stand still."""
    clock = StoppedClock()
    fake_time = mock.Mock(time=clock.time, monotonic=clock.monotonic)
    settings = CacheSettings(ttl_jitter=0.0)
    with (
        mock.patch.object(fakeredis._socket._base, "time", fake_time),
        mock.patch.object(fakeredis._helpers, "time", fake_time),
        mock.patch.object(fakeredis.commands_mixins.server_mixin, "time", fake_time),
    ):
        yield House(fakeredis.FakeServer(), clock, MemoryControlStore(), settings)


Recorder = Callable[[CacheEngine], list[tuple[Any, ...]]]


@pytest.fixture
def count_commands(house: House) -> Recorder:
    """Return a function that records the batches of commands that an engine sends from now on."""

    def start(engine: CacheEngine) -> list[tuple[Any, ...]]:
        sent: list[tuple[Any, ...]] = []
        link = engine._link
        call = link.call

        def recorded(server: str | None, *commands: Any, urgent: bool = False) -> list[Any]:
            sent.append(commands)
            return call(server, *commands, urgent=urgent)

        link.call = recorded  # type: ignore[method-assign]
        return sent

    return start
