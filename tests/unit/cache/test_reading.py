"""What a reader gets, from where, and at what cost."""

from __future__ import annotations

import threading

import pytest

from projectapi.errors import DatabaseBusy, DatabaseUnavailable, ProjectNotFound
from projectapi.stores.cache import CacheKey, ControlState, Entry, Outcome
from tests.unit.cache.conftest import House, Recorder

PROJECT = CacheKey.of_project("project", "p1")
FIRST_PAGE = CacheKey.of_list("anna", "first page")


@pytest.mark.parametrize("key", [PROJECT, FIRST_PAGE], ids=["project", "list"])
def test_the_second_reader_is_served_from_redis(house: House, key: CacheKey) -> None:
    first, second = house.worker(), house.worker()

    assert first.read(key, house.load).outcome is Outcome.MISS
    reading = second.read(key, house.load)

    assert reading.outcome is Outcome.HIT
    assert reading.entry.body == b'{"version":1}'
    assert reading.entry.belongs_to("anna") and not reading.entry.belongs_to("ben")
    assert house.loads == 1


@pytest.mark.parametrize("key", [PROJECT, FIRST_PAGE], ids=["project", "list"])
def test_a_worker_that_holds_the_body_asks_only_for_the_head_in_one_trip(
    house: House, key: CacheKey, count_commands: Recorder
) -> None:
    worker = house.worker()
    worker.read(key, house.load)
    sent = count_commands(worker)

    assert worker.read(key, house.load).outcome is Outcome.HIT

    assert len(sent) == 1
    assert sent[0][-1][0] == "GETRANGE"


def test_an_etag_is_answered_from_the_head_alone(house: House, count_commands: Recorder) -> None:
    house.worker().read(PROJECT, house.load)
    other = house.worker()
    other.prepare()
    sent = count_commands(other)

    reading = other.read(PROJECT, house.load, ['"1"'])

    assert reading.outcome is Outcome.HIT and not reading.entry.has_body
    assert reading.entry.etag == '"1"'
    assert [commands[0][0] for commands in sent] == ["GETRANGE"]


def test_an_etag_that_does_not_match_brings_the_body(house: House) -> None:
    house.worker().read(PROJECT, house.load)

    reading = house.worker().read(PROJECT, house.load, ['"0"'])

    assert reading.outcome is Outcome.HIT and reading.entry.body == b'{"version":1}'


def test_a_body_in_memory_that_is_outdated_costs_one_more_trip_and_is_replaced(house: House, count_commands: Recorder) -> None:
    first, second = house.worker(), house.worker()
    first.read(PROJECT, house.load)
    with second.writing("p1", "anna"):
        house.commit()
    second.read(PROJECT, house.load)
    sent = count_commands(first)

    bodies = [first.read(PROJECT, house.load).entry.body for _ in range(2)]

    assert bodies == [b'{"version":2}'] * 2
    assert [commands[0][0] for commands in sent] == ["GETRANGE", "GET", "GETRANGE"]


def test_an_absent_project_is_remembered_shortly(house: House) -> None:
    worker = house.worker()
    worker.read(PROJECT, Entry.missing)

    assert worker.read(PROJECT, house.load).entry.absent
    house.clock.now += house.settings.absent_seconds + 1
    assert not worker.read(PROJECT, house.load).entry.absent


def test_an_entry_expires(house: House) -> None:
    worker = house.worker()
    worker.read(PROJECT, house.load)
    house.clock.now += 301

    assert worker.read(PROJECT, house.load).outcome is Outcome.MISS


@pytest.mark.parametrize(("kind", "seconds"), [("project", 300.0), ("timeline", 60.0)])
def test_entries_are_kept_for_the_time_of_their_kind_and_do_not_expire_all_at_once(
    house: House, kind: str, seconds: float
) -> None:
    worker = house.worker(ttl_jitter=0.1, ttl_seconds={**house.settings.ttl_seconds, "timeline": 60.0})
    for number in range(30):
        worker.read(CacheKey.of_project(kind, f"p{number}"), house.load)

    left = [house.redis.pttl(name) / 1000 for name in house.redis.keys(f"*:{kind}") if b"copy" not in name]

    assert len(left) == 30
    assert seconds * 0.9 <= min(left) < seconds < max(left) <= seconds * 1.1
    assert max(left) - min(left) > seconds * 0.1


def test_a_slow_answer_is_renewed_before_it_expires_by_one_reader(house: House) -> None:
    worker = house.worker()

    def slow_load() -> Entry:
        house.clock.now += 2.0
        return house.load()

    worker.read(PROJECT, slow_load)
    house.clock.now += 299.9

    outcomes = [worker.read(PROJECT, house.load).outcome for _ in range(5)]

    assert Outcome.MISS in outcomes
    assert house.clock.now < 1_700_000_302.0 and worker.read(PROJECT, house.load).outcome is Outcome.HIT


def test_a_failed_load_is_the_callers_and_gives_the_lease_back(house: House) -> None:
    worker = house.worker()

    def fail() -> Entry:
        raise ProjectNotFound

    with pytest.raises(ProjectNotFound):
        worker.read(PROJECT, fail)

    assert worker.read(PROJECT, house.load).outcome is Outcome.MISS
    assert house.clock.slept == []


def test_a_reader_waits_for_the_worker_that_fills_and_no_longer_than_the_limit(house: House) -> None:
    filler, other = house.worker(), house.worker(fill_wait_seconds=0.3)
    seen = []

    def load_slowly() -> Entry:
        started = house.clock.now
        seen.append(other.read(PROJECT, house.load).outcome)
        seen.append(house.clock.now - started)
        return house.load()

    filler.read(PROJECT, load_slowly)

    assert seen[0] is Outcome.BYPASS
    assert 0.3 <= seen[1] < 0.7


def test_many_threads_that_miss_together_read_the_database_once(house: House) -> None:
    worker = house.worker(fill_wait_seconds=5.0)
    worker.prepare()
    together = threading.Barrier(8)
    outcomes = []

    def load() -> Entry:
        # Long enough for all others to arrive; they wait for this thread and not for a clock.
        threading.Event().wait(0.05)
        return house.load()

    def read() -> None:
        together.wait()
        outcomes.append(worker.read(PROJECT, load).outcome)

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert house.loads == 1
    assert sorted(outcomes) == [Outcome.HIT] * 7 + [Outcome.MISS]


def test_with_the_database_away_the_last_known_answer_is_served_with_its_age(house: House) -> None:
    worker = house.worker()
    worker.read(PROJECT, house.load)
    house.clock.now += 3600
    house.store.is_away = True

    reading = worker.read(PROJECT, house.load)

    assert (reading.outcome, reading.age, reading.entry.body) == (Outcome.STALE, 3600, b'{"version":1}')


def test_while_the_database_is_only_busy_nothing_outdated_is_served(house: House) -> None:
    worker = house.worker()
    worker.read(PROJECT, house.load)
    house.clock.now += 3600

    def wait_in_vain() -> Entry:
        raise DatabaseBusy

    with pytest.raises(DatabaseBusy):
        worker.read(PROJECT, wait_in_vain)


def test_a_copy_is_not_kept_for_longer_than_its_time(house: House) -> None:
    worker = house.worker()
    worker.read(PROJECT, house.load)
    house.clock.now += house.settings.copy_seconds + 1
    house.store.is_away = True

    with pytest.raises(DatabaseUnavailable):
        worker.read(PROJECT, house.load)


def test_copies_can_be_turned_off(house: House) -> None:
    worker = house.worker(copy_seconds=0.0)
    worker.read(PROJECT, house.load)
    house.store.is_away = True
    house.clock.now += 2

    with pytest.raises(DatabaseUnavailable):
        worker.read(PROJECT, house.load)


def test_a_worker_that_starts_while_the_database_is_away_serves_the_copies_too(house: House) -> None:
    house.worker().read(PROJECT, house.load)
    house.store.is_away = True

    assert house.worker().read(PROJECT, house.load).outcome is Outcome.STALE


def test_an_acknowledged_write_takes_the_older_copy_away(house: House) -> None:
    worker = house.worker()
    worker.read(PROJECT, house.load)
    with worker.writing("p1", "anna"):
        house.commit()
    house.store.is_away = True
    house.clock.now += 2

    with pytest.raises(DatabaseUnavailable):
        worker.read(PROJECT, house.load)


def test_that_there_is_nothing_is_no_last_known_answer(house: House) -> None:
    worker = house.worker()
    worker.read(PROJECT, Entry.missing)
    assert not house.redis.keys("pv:copy*")
    house.store.is_away = True
    house.server.connected = False
    house.clock.now += 2

    with pytest.raises(DatabaseUnavailable):
        worker.read(PROJECT, house.load)


def test_what_a_worker_holds_is_not_shown_for_longer_than_a_copy_either(house: House) -> None:
    worker = house.worker()
    worker.read(PROJECT, house.load)
    house.store.is_away = True
    house.server.connected = False
    house.clock.now += house.settings.copy_seconds + 1

    with pytest.raises(DatabaseUnavailable):
        worker.read(PROJECT, house.load)


def test_while_the_database_is_away_one_read_a_second_looks_for_the_control_document(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker, looks = house.worker(), []
    worker.read(PROJECT, house.load)

    def be_away() -> ControlState | None:
        looks.append(house.clock.now)
        raise DatabaseUnavailable

    monkeypatch.setattr(house.store, "read", be_away)
    house.store.is_away = True
    for _ in range(3):
        house.clock.now += 2
        for _ in range(4):
            assert worker.read(PROJECT, house.load).outcome is Outcome.STALE

    assert len(looks) == len(set(looks)) == 3


def test_with_database_and_redis_away_the_worker_serves_what_it_holds(house: House) -> None:
    worker = house.worker()
    worker.read(PROJECT, house.load)
    house.store.is_away = True
    house.server.connected = False
    house.clock.now += 2

    assert worker.read(PROJECT, house.load).outcome is Outcome.STALE


def test_what_is_no_entry_of_ours_is_passed_by(house: House) -> None:
    worker = house.worker()
    worker.read(PROJECT, house.load)
    (name,) = [name for name in house.redis.keys("*:project") if b"copy" not in name]
    house.redis.set(name, b"V and then nonsense")

    assert house.worker().read(PROJECT, house.load).outcome is Outcome.BYPASS
