"""What a write leaves behind, and what it takes to acknowledge it."""

from __future__ import annotations

from typing import Any

import pytest

from projectapi.database_budget import database_budget, spending
from projectapi.errors import (
    Conflict,
    DatabaseUnavailable,
    NotFound,
    OutcomeUnknown,
    PreconditionFailed,
    ProjectApiError,
    ValidationFailed,
)
from projectapi.infra.redis_client import RedisUnavailable
from projectapi.stores.cache import CacheKey, ControlState, Entry, Outcome
from tests.unit.cache.conftest import House, Recorder

PROJECT = CacheKey.of_project("project", "p1")
TIMELINE = CacheKey.of_project("timeline", "p1")
FIRST_PAGE = CacheKey.of_list("anna", "first page")


@pytest.mark.parametrize("key", [PROJECT, TIMELINE, FIRST_PAGE], ids=["project", "timeline", "list"])
def test_a_read_after_a_write_sees_it_in_every_worker(house: House, key: CacheKey) -> None:
    workers = [house.worker(), house.worker()]
    for worker in workers:
        worker.read(key, house.load)

    with workers[0].writing("p1", "anna"):
        house.commit()

    assert [worker.read(key, house.load).entry.version for worker in workers] == [2, 2]


@pytest.mark.parametrize("key", [PROJECT, FIRST_PAGE], ids=["project", "list"])
def test_a_reader_that_read_before_the_write_does_not_fill_after_it(house: House, key: CacheKey) -> None:
    reader, writer = house.worker(), house.worker()

    def load_while_another_writes() -> Entry:
        found = house.load()
        with writer.writing("p1", "anna"):
            house.commit()
        return found

    reader.read(key, load_while_another_writes)

    assert reader.read(key, house.load).entry.version == 2


def test_an_absent_project_that_came_went_and_came_is_not_hidden_by_a_late_renewal(house: House) -> None:
    # The renewal compares what it saw with what is there: two "absent" answers must not pass for the same one.
    reader, writer = house.worker(early_beta=1e9), house.worker()

    def slow(entry: Entry) -> Entry:
        house.clock.now += 0.1
        return entry

    reader.read(PROJECT, lambda: slow(Entry.missing()))

    def load_while_others_create_and_delete() -> Entry:
        found = slow(house.entry())
        with writer.writing("p1", "anna"):
            house.commit()
        writer.read(PROJECT, Entry.missing)
        return found

    reader.read(PROJECT, load_while_others_create_and_delete)

    assert house.worker(early_beta=0.0).read(PROJECT, house.load).entry.absent


def test_while_a_write_is_under_way_readers_ask_the_database(house: House) -> None:
    worker = house.worker()
    worker.read(PROJECT, house.load)

    with worker.writing("p1", "anna"):
        outcomes = [worker.read(key, house.load).outcome for key in (PROJECT, TIMELINE, FIRST_PAGE)]
        house.commit()

    assert outcomes == [Outcome.BYPASS] * 3


@pytest.mark.parametrize("key", [PROJECT, FIRST_PAGE], ids=["project", "list"])
def test_a_reader_learns_in_one_trip_that_a_write_is_under_way(house: House, key: CacheKey, count_commands: Recorder) -> None:
    worker = house.worker()
    worker.read(key, house.load)

    with worker.writing("p1", "anna"):
        sent = count_commands(worker)
        worker.read(key, house.load)
        assert len(sent) == 1


def test_a_published_answer_is_what_the_next_reader_gets(house: House) -> None:
    worker = house.worker()

    with worker.writing("p1", "anna") as write:
        house.commit()
        write.publish("project", house.entry())
    reading = house.worker().read(PROJECT, house.load)

    assert (reading.outcome, reading.entry.version, house.loads) == (Outcome.HIT, 2, 0)


def test_nothing_is_published_when_two_writes_overlap(house: House) -> None:
    worker = house.worker()

    with worker.writing("p1", "anna") as first:
        house.commit()
        first.publish("project", house.entry())
        with worker.writing("p1", "anna") as second:
            house.commit()
            second.publish("project", house.entry())

    assert worker.read(PROJECT, house.load).outcome is Outcome.MISS


def test_a_failed_write_takes_its_announcement_back_and_keeps_the_copy(house: House) -> None:
    worker = house.worker()
    worker.read(PROJECT, house.load)

    with pytest.raises(ValidationFailed), worker.writing("p1", "anna"):
        raise ValidationFailed

    assert worker.read(PROJECT, house.load).outcome is Outcome.MISS
    assert house.redis.keys("pv:copy*")


@pytest.mark.parametrize("error", [PreconditionFailed, Conflict, NotFound])
def test_an_error_that_tells_of_the_stored_state_is_settled_so_that_no_later_read_is_older(
    house: House, error: type[ProjectApiError]
) -> None:
    worker, other = house.worker(), house.worker()
    worker.read(PROJECT, house.load)
    house.commit()  # another worker's, which has not settled it yet

    with pytest.raises(error), other.writing("p1", "anna"):
        raise error

    assert not house.redis.keys("pv:copy*"), "the older copy must not be shown either"
    assert worker.read(PROJECT, house.load).entry.version == 2


def test_a_write_that_lost_its_race_publishes_nothing(house: House) -> None:
    worker = house.worker()

    with pytest.raises(PreconditionFailed), worker.writing("p1", "anna") as write:
        write.publish("project", house.entry())
        raise PreconditionFailed

    assert worker.read(PROJECT, house.load).outcome is Outcome.MISS


@pytest.mark.parametrize("error", [OutcomeUnknown, DatabaseUnavailable, RuntimeError])
def test_when_the_outcome_is_unknown_the_database_is_read_until_the_announcement_runs_out(
    house: House, error: type[Exception]
) -> None:
    worker = house.worker()

    with pytest.raises(error), worker.writing("p1", "anna"):
        raise error
    outcomes = [worker.read(PROJECT, house.load).outcome for _ in range(2)]
    house.clock.now += house.settings.writer_seconds + 1
    outcomes.append(worker.read(PROJECT, house.load).outcome)

    assert outcomes == [Outcome.BYPASS, Outcome.BYPASS, Outcome.MISS]


def test_a_dead_writer_is_forgotten_even_while_others_keep_writing(house: House) -> None:
    worker = house.worker()
    with pytest.raises(RuntimeError), worker.writing("p1", "anna"):
        raise RuntimeError("killed")

    for _ in range(4):
        house.clock.now += 20
        with worker.writing("p1", "anna"):
            house.commit()

    assert worker.read(PROJECT, house.load).outcome is Outcome.MISS


def test_a_write_whose_settlement_cannot_be_confirmed_is_not_acknowledged(house: House) -> None:
    worker = house.worker()
    worker.prepare()

    with pytest.raises(OutcomeUnknown), worker.writing("p1", "anna"):
        house.commit()
        house.store.is_away = True


def test_a_settlement_has_a_second_of_the_database_though_the_commit_took_the_requests_time(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker, left = house.worker(), []
    worker.prepare()

    def read() -> ControlState | None:
        with spending() as seconds:
            left.append(seconds)
        return house.store.state

    monkeypatch.setattr(house.store, "read", read)
    with database_budget(0.0), worker.writing("p1", "anna"):
        house.commit()

    assert left == [pytest.approx(1.0, abs=0.1)]


def test_a_settlement_that_failed_once_is_tried_again_before_the_epoch_is_ended(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = house.worker()
    worker.prepare()
    end = worker._shared.end

    def fail_once(*arguments: Any, **options: Any) -> None:
        monkeypatch.setattr(worker._shared, "end", end)
        raise RedisUnavailable("reset")

    monkeypatch.setattr(worker._shared, "end", fail_once)
    with worker.writing("p1", "anna"):
        house.commit()

    assert worker.status().mode == "on"


def test_a_settlement_that_never_gets_through_is_given_up(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a Redis that is away, and others who turn the cache on each time that it was turned off
    worker, tries = house.worker(), []
    worker.prepare()
    house.server.connected = False

    def be_too_late(state: ControlState, *, on: bool) -> bool:
        tries.append(state)
        house.clock.now += 1
        assert len(tries) < 50
        return False

    monkeypatch.setattr(worker._control, "switch", be_too_late)

    with pytest.raises(OutcomeUnknown), worker.writing("p1", "anna"):
        house.commit()
    assert len(tries) == house.settings.settle_seconds


def test_what_was_published_is_what_the_worker_shows_when_everything_is_away(house: House) -> None:
    worker = house.worker()
    worker.prepare()
    house.clock.now += 2
    with worker.writing("p1", "anna") as write:
        house.commit()
        write.publish("project", house.entry())
    house.store.is_away, house.server.connected = True, False
    house.clock.now += 10

    reading = worker.read(PROJECT, house.load)

    assert (reading.outcome, reading.entry.version, reading.age) == (Outcome.STALE, 2, 10)


def test_an_announcement_that_arrives_late_publishes_nothing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a write whose announcement is on its way for so long that the writer gives it up
    worker, other = house.worker(), house.worker()
    worker.prepare()
    other.prepare()
    house.clock.now += 2
    begin, late = worker._shared.begin, []

    def delayed(*announcement: Any) -> None:
        late.append(announcement)
        raise RedisUnavailable("timed out")

    monkeypatch.setattr(worker._shared, "begin", delayed)

    # When another save goes through before it arrives
    with worker.writing("p1", "anna") as write:
        house.commit()
        write.publish("project", house.entry())
        with other.writing("p1", "anna"):
            house.commit()
        begin(*late[0])

    # Then what the first one offered is not taken for the newest
    assert other.read(PROJECT, house.load).entry.version == house.version


def test_what_was_known_before_redis_went_away_is_not_shown_after_a_save_that_it_missed(house: House) -> None:
    # Given a save that Redis has a copy of, and one that it missed
    worker, other = house.worker(), house.worker()
    for one in (worker, other):
        one.prepare()
    house.clock.now += 2
    with worker.writing("p1", "anna") as write:
        house.commit()
        write.publish("project", house.entry())
    house.server.connected = False
    with worker.writing("p1", "anna"):
        house.commit()

    # When Redis comes back with all its data, is used again, and MongoDB goes away
    house.server.connected = True
    house.clock.now += 3
    for _ in range(2):
        worker.read(CacheKey.of_project("project", "another"), house.load)
        other.read(CacheKey.of_project("project", "another"), house.load)
    assert worker.status().mode == "on"
    house.store.is_away = True
    house.clock.now += 3

    # Then nobody is shown the state before the last save
    for one in (worker, other):
        with pytest.raises(DatabaseUnavailable):
            one.read(PROJECT, house.load)
