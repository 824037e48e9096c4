"""The cache engine on a real Redis server that is killed, paused and restarted, and its control document in a real database."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import cast

import pytest
import redis
from pymongo import MongoClient

from projectapi.devstack.servers import REDIS
from projectapi.errors import DatabaseUnavailable
from projectapi.infra import redis_client
from projectapi.infra.redis_client import Command, RedisLink, Reply
from projectapi.stores.cache import (
    CONTROL_COLLECTION,
    CacheEngine,
    CacheKey,
    CacheSettings,
    ControlState,
    Entry,
    MongoControlStore,
    Outcome,
    Reading,
)
from tests.harness.killable import KillableServer, running
from tests.harness.whole_app import wait_for

PROJECT = CacheKey.of_project("project", "p1")
# Times are short so that the tests are; everything else is as it is in production.
SETTINGS = CacheSettings(trust_seconds=0.3)
BODY = b'{"clips":[' + b",".join(b'{"id":"clip-%d","start":%d}' % (i, i * 7) for i in range(2_000)) + b"]}"


class Database:
    """One project, and the control document, in memory."""

    def __init__(self) -> None:
        self.state: ControlState | None = None
        self.version = 1

    def read(self) -> ControlState | None:
        return self.state

    def compare_and_swap(self, old: ControlState | None, new: ControlState) -> bool:
        if (self.state and self.state.epoch) != (old and old.epoch):
            return False
        self.state = new
        return True

    def load(self) -> Entry:
        return Entry.of(BODY, version=self.version, etag=f'"{self.version}"')


def timed(read: Callable[[], Reading]) -> tuple[Outcome, float]:
    started = time.monotonic()
    return read().outcome, time.monotonic() - started


@pytest.fixture
def server(tmp_path: Path) -> Iterator[KillableServer]:
    """A Redis server of this test alone."""
    server = KillableServer(REDIS, tmp_path)
    with running(server):
        yield server


@pytest.fixture
def database() -> Database:
    """The database."""
    return Database()


@pytest.fixture
def make_worker(server: KillableServer, database: Database) -> Iterator[Callable[[], CacheEngine]]:
    """Start workers, each with connections of its own."""
    clients = []

    def make() -> CacheEngine:
        client = redis_client.connect(server.uri)
        clients.append(client)
        return CacheEngine(RedisLink(client, layout=SETTINGS.layout), database, SETTINGS)

    yield make
    for client in clients:
        client.close()


def test_miss_hit_and_not_modified(make_worker: Callable[[], CacheEngine], database: Database) -> None:
    first, second = make_worker(), make_worker()

    assert first.read(PROJECT, database.load).outcome is Outcome.MISS
    unchanged = second.read(PROJECT, database.load, ['"1"'])
    hit = second.read(PROJECT, database.load)

    assert unchanged.outcome is Outcome.HIT and not unchanged.entry.has_body
    assert hit.outcome is Outcome.HIT and hit.entry.body == BODY
    assert hit.entry.encoded(["zstd"])[1] == "zstd"


def test_a_killed_redis_costs_nothing_and_its_successor_starts_empty(
    make_worker: Callable[[], CacheEngine], server: KillableServer, database: Database
) -> None:
    worker, other = make_worker(), make_worker()
    for engine in (worker, other):
        engine.read(PROJECT, database.load)

    server.kill()
    readings = [timed(lambda: worker.read(PROJECT, database.load)) for _ in range(3)]
    with worker.writing("p1", "anna"):
        database.version = 2
    found = other.read(PROJECT, database.load)
    server.start()

    assert [outcome for outcome, _ in readings] == [Outcome.BYPASS] * 3
    assert max(seconds for _, seconds in readings) < redis_client.TIMEOUT_SECONDS
    assert found.entry.version == 2
    wait_for(lambda: worker.read(PROJECT, database.load).outcome is Outcome.HIT, 10, "the cache to be used")
    assert other.read(PROJECT, database.load).entry.version == 2


def test_a_paused_redis_costs_one_short_time_out_a_second_and_never_brings_old_answers_back(
    make_worker: Callable[[], CacheEngine], server: KillableServer, database: Database
) -> None:
    worker, other = make_worker(), make_worker()
    for engine in (worker, other):
        engine.read(PROJECT, database.load)

    server.freeze()
    readings = [timed(lambda: worker.read(PROJECT, database.load)) for _ in range(5)]
    started = time.monotonic()
    with worker.writing("p1", "anna"):
        database.version = 2
    first_write = time.monotonic() - started
    started = time.monotonic()
    with worker.writing("p1", "anna"):
        database.version = 3
    second_write = time.monotonic() - started
    server.thaw()
    found = other.read(PROJECT, database.load)

    assert [outcome for outcome, _ in readings] == [Outcome.BYPASS] * 5
    assert readings[0][1] < 0.45
    assert sum(seconds for _, seconds in readings[1:]) < redis_client.TIMEOUT_SECONDS
    assert first_write < 1.2 and second_write < 0.4
    assert found.entry.version == 3


def test_while_redis_hangs_a_write_waits_for_one_time_out_and_a_worker_for_one_in_each_pause(
    make_worker: Callable[[], CacheEngine], server: KillableServer, database: Database
) -> None:
    # Given a worker that has used Redis just now
    worker = make_worker()
    worker.read(PROJECT, database.load)
    time_outs = count_time_outs(worker)
    server.freeze()

    # When it writes
    started = time.monotonic()
    with worker.writing("p1", "anna"):
        database.version += 1
    assert time_outs == [redis.TimeoutError]

    # Then it does so for all requests together once in each pause
    while time.monotonic() - started < 2.5:
        with worker.writing("p1", "anna"):
            database.version += 1
        assert worker.read(PROJECT, database.load).entry.version == database.version
    assert 1 < len(time_outs) <= 1 + (time.monotonic() - started) / redis_client.BREAKER_PAUSE_SECONDS


def count_time_outs(worker: CacheEngine) -> list[type[Exception]]:
    """Return a list of the errors that a worker waits for from now on."""
    link, seen = cast(RedisLink, worker._link), []
    exchange = link._exchange

    def recorded(server: str | None, commands: Sequence[Command]) -> tuple[str, list[Reply]]:
        started = time.monotonic()
        try:
            return exchange(server, commands)
        except redis.RedisError as error:
            if time.monotonic() - started > redis_client.TIMEOUT_SECONDS / 2:
                seen.append(type(error))
            raise

    link._exchange = recorded  # type: ignore[method-assign]
    return seen


def test_scripts_that_redis_forgot_are_no_special_case(
    make_worker: Callable[[], CacheEngine], server: KillableServer, database: Database
) -> None:
    worker = make_worker()
    worker.read(PROJECT, database.load)
    redis_client.connect(server.uri).script_flush()

    with worker.writing("p1", "anna") as write:
        database.version = 2
        write.publish("project", database.load())

    assert worker.read(PROJECT, database.load).outcome is Outcome.HIT
    assert worker.read(PROJECT, database.load).entry.version == 2


def test_the_control_document_is_swapped_only_from_the_epoch_that_was_seen(mongodb_uri: str) -> None:
    client: MongoClient[dict[str, object]] = MongoClient(mongodb_uri, serverSelectionTimeoutMS=2_000)
    with client:
        client.drop_database("cache_live")
        store = MongoControlStore(client["cache_live"][CONTROL_COLLECTION])
        first = ControlState(2**41, False, "", 2**41)
        second = ControlState(2**41 + 1, True, "run/x", 2**41)

        assert store.read() is None
        assert [store.compare_and_swap(None, first) for _ in range(2)] == [True, False]
        assert store.read() == first
        assert [store.compare_and_swap(first, second) for _ in range(2)] == [True, False]
        assert store.read() == second


def test_a_database_that_is_away_is_reported_within_the_stores_own_deadline() -> None:
    client: MongoClient[dict[str, object]] = MongoClient("mongodb://127.0.0.1:1", serverSelectionTimeoutMS=30_000)
    with client:
        store = MongoControlStore(client["cache_live"][CONTROL_COLLECTION], deadline_seconds=0.3)
        started = time.monotonic()

        with pytest.raises(DatabaseUnavailable):
            store.read()

    assert time.monotonic() - started < 1.0


def test_threads_that_share_a_link_never_get_each_others_replies(server: KillableServer) -> None:
    link = RedisLink(redis_client.connect(server.uri))

    def echo(thread: int) -> bool:
        return all(link.call(None, ("ECHO", f"{thread} {turn}")) == [f"{thread} {turn}".encode()] for turn in range(200))

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(echo, range(8)))
