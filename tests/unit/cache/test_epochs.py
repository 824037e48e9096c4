"""What happens when Redis goes, comes back, is another one, or is no longer to be believed."""

from __future__ import annotations

import pytest

from projectapi.errors import DatabaseUnavailable
from projectapi.infra.redis_client import RedisUnavailable
from projectapi.stores.cache import CacheKey, ControlState, Outcome
from tests.unit.cache.conftest import House

PROJECT = CacheKey.of_project("project", "p1")
TIMELINE = CacheKey.of_project("timeline", "p1")


def test_with_redis_away_the_first_write_ends_the_epoch_and_waits_and_later_ones_do_not(house: House) -> None:
    worker = house.worker()
    worker.read(PROJECT, house.load)
    house.clock.now += 5
    house.server.connected = False

    for _ in range(2):
        with worker.writing("p1", "anna"):
            house.commit()

    assert worker.status().mode == "off"
    assert [seconds for seconds in house.clock.slept if seconds > 0] == [pytest.approx(1.1)]


def test_a_worker_that_is_cut_off_makes_the_others_leave_the_old_epoch(house: House) -> None:
    cut_off, other = house.worker(), house.worker()
    other.read(PROJECT, house.load)
    cut_off.prepare()
    house.clock.now += 0.5
    other.prepare()
    cut_off._link.call = _fail  # type: ignore[method-assign]

    with cut_off.writing("p1", "anna"):
        house.commit()

    assert other.read(PROJECT, house.load).entry.version == 2


def _fail(*_: object, **__: object) -> list[object]:
    raise RedisUnavailable("cut off")


def test_redis_that_comes_back_is_used_again_after_a_second_with_nothing_of_the_old(house: House) -> None:
    worker = house.worker()
    worker.read(PROJECT, house.load)
    house.server.connected = False
    with worker.writing("p1", "anna"):
        house.commit()
    house.server.connected = True
    house.clock.now += 2.5

    readings = [worker.read(PROJECT, house.load) for _ in range(2)]

    assert [reading.outcome for reading in readings] == [Outcome.MISS, Outcome.HIT]
    assert readings[1].entry.version == 2


def test_another_redis_process_is_never_read_under_the_old_epoch(house: House) -> None:
    house.worker().read(PROJECT, house.load)
    house.commit()  # its settlement reached the old process and is missing in the dump that the new one started from
    house.run_id = "second"
    house.clock.now += 2

    fresh = house.worker()
    readings = [fresh.read(PROJECT, house.load)]
    house.clock.now += 1.5
    readings += [fresh.read(PROJECT, house.load) for _ in range(3)]

    assert [reading.entry.version for reading in readings] == [2, 2, 2, 2]
    assert readings[-1].outcome is Outcome.HIT


def test_a_write_that_finds_another_redis_process_takes_that_into_use(house: House) -> None:
    house.worker().read(PROJECT, house.load)
    house.run_id = "second"
    writer = house.worker()
    writer.prepare()
    house.clock.now += 2

    with writer.writing("p1", "anna"):
        house.commit()

    status = writer.status()
    assert status.mode == "on" and status.server is not None and status.server.startswith("second/")


def test_an_epoch_lasts_for_a_second_at_least_however_often_redis_comes_and_goes(house: House) -> None:
    worker = house.worker()
    worker.prepare()
    house.clock.now += 2
    worker._control.switch(worker._control.observe(), on=False)
    worker._control.observe()

    outcomes = []
    for _ in range(2):
        outcomes.append(worker.read(PROJECT, house.load).outcome)
        house.clock.now += 1.1

    assert outcomes == [Outcome.BYPASS, Outcome.MISS]


def test_a_release_that_stores_things_differently_reads_nothing_of_the_old_one(house: House) -> None:
    house.worker().read(PROJECT, house.load)
    house.clock.now += 2

    newer = house.worker(representation="2")

    assert newer.read(PROJECT, house.load).outcome is not Outcome.HIT


def test_a_control_document_read_before_the_commit_would_leave_an_older_answer_behind(house: House) -> None:
    """Rare at random: between the read and the commit Redis goes and comes, and a reader fills the new epoch's key."""
    writer, other = house.worker(), house.worker()
    other.read(PROJECT, house.load)

    with writer.writing("p1", "anna"):
        other._control.switch(other._control.observe(), on=True)
        house.clock.now += 1.5
        other.prepare()
        assert other.read(PROJECT, house.load).outcome is Outcome.MISS
        house.commit()

    assert other.read(PROJECT, house.load).entry.version == 2


def test_a_look_at_the_control_document_that_was_overtaken_does_not_take_a_worker_back(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker, other = house.worker(), house.worker()
    for one in (worker, other):
        one.prepare()

    def be_overtaken() -> ControlState | None:
        found = house.store.state
        monkeypatch.undo()
        other._control.switch(other._control.observe(), on=True)
        worker._control.observe()
        return found

    monkeypatch.setattr(house.store, "read", be_overtaken)
    worker._control.observe()

    assert worker._control.known == house.store.state


def test_a_purge_forgets_entries_and_copies(house: House) -> None:
    worker, other = house.worker(), house.worker()
    for key in (PROJECT, TIMELINE):
        worker.read(key, house.load)
    other.read(PROJECT, house.load)
    house.commit()  # by hand

    worker.purge()

    assert other.read(PROJECT, house.load).entry.version == 2
    house.store.is_away = True
    house.clock.now += 2
    with pytest.raises(DatabaseUnavailable):
        other.read(TIMELINE, house.load)
    house.server.connected = False
    with pytest.raises(DatabaseUnavailable):
        worker.read(TIMELINE, house.load)


def test_an_epoch_never_comes_back_even_when_the_control_document_was_lost(house: House) -> None:
    house.worker().prepare()
    assert house.store.state is not None
    before = house.store.state.epoch
    house.clock.now += 60
    house.store.state = None

    house.worker().prepare()

    assert house.store.state.epoch > before


def test_the_status_tells_epoch_mode_circuit_and_counts(house: House) -> None:
    worker = house.worker()
    assert worker.status().mode == "unknown"
    for _ in range(3):
        worker.read(PROJECT, house.load)
    house.server.connected = False
    worker.read(PROJECT, house.load)

    status = worker.status()

    assert (status.mode, status.circuit_open) == ("on", True)
    assert status.server is not None and status.server.startswith("first/")
    assert status.counts == {("project", "MISS"): 1, ("project", "HIT"): 2, ("project", "BYPASS"): 1}
