"""Equal work at the same time is done once, in the background, and few callers wait for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest

from projectapi import errors
from projectapi.media.single_flight import SingleFlight


def do_nothing() -> int:
    raise AssertionError("somebody else is doing this already")


@dataclass
class Work:
    """Work that goes on until it is told how to end."""

    outcome: int | Exception = 42
    started: threading.Event = field(default_factory=threading.Event)
    finish: threading.Event = field(default_factory=threading.Event)

    def __call__(self) -> int:
        self.started.set()
        assert self.finish.wait(10)
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


@dataclass
class Airport:
    """Flights, callers of them, and one piece of work under the key "key" that runs."""

    flights: SingleFlight[int]
    callers: ThreadPoolExecutor
    work: Work
    leader: Future[int]

    def ask(self, key: str = "key", work: Callable[[], int] = do_nothing, timeout: float = 10) -> Future[int]:
        """Let another caller ask and wait until it is waiting."""
        free = self.flights._others._value  # type: ignore[attr-defined]
        asked = self.callers.submit(self.flights.do, key, work, timeout)
        wait_until(lambda: self.flights._others._value < free)  # type: ignore[attr-defined]
        if key == "key":
            wait_until(lambda: self.flights._flights["key"].callers > 1)
        return asked


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def has_landed(flights: SingleFlight[int]) -> bool:
    return not flights._flights


@pytest.fixture
def airport() -> Iterator[Airport]:
    flights: SingleFlight[int] = SingleFlight(at_once=1, waiting=2)
    work = Work()
    with ThreadPoolExecutor(4) as callers:
        leader = callers.submit(flights.do, "key", work, 10)
        assert work.started.wait(10)
        yield Airport(flights, callers, work, leader)
        work.finish.set()


def test_a_second_caller_gets_the_result_of_the_first(airport: Airport) -> None:
    follower = airport.ask()
    airport.work.finish.set()

    assert [airport.leader.result(10), follower.result(10)] == [42, 42]


def test_a_second_caller_gets_the_error_of_the_first(airport: Airport) -> None:
    airport.work.outcome = IndexError()
    follower = airport.ask()
    airport.work.finish.set()

    with pytest.raises(IndexError):
        airport.leader.result(10)
    with pytest.raises(IndexError):
        follower.result(10)


def test_a_second_caller_waits_no_longer_than_it_wants(airport: Airport) -> None:
    with pytest.raises(TimeoutError):
        airport.flights.do("key", do_nothing, 0.01)


def test_other_work_is_begun_when_a_place_gets_free(airport: Airport) -> None:
    other = airport.ask("other", lambda: 7)
    assert not other.done()

    airport.work.finish.set()

    assert other.result(10) == 7


def test_other_work_that_finds_no_place_in_time_is_turned_away(airport: Airport) -> None:
    with pytest.raises(errors.MediaBusy):
        airport.flights.do("other", do_nothing, 0.01)


@pytest.mark.parametrize("key", ["key", "other"])
def test_when_enough_callers_wait_the_next_is_turned_away_at_once(airport: Airport, key: str) -> None:
    airport.ask("key")
    airport.ask("other", lambda: 7)
    began = time.monotonic()

    with pytest.raises(errors.MediaBusy):
        airport.flights.do(key, do_nothing, 10)

    assert time.monotonic() - began < 5


def test_who_has_waited_makes_room_for_others(airport: Airport) -> None:
    for _ in range(3):
        with pytest.raises(TimeoutError):
            airport.flights.do("key", do_nothing, 0.01)


def test_work_goes_on_when_its_caller_gave_up() -> None:
    flights: SingleFlight[int] = SingleFlight(at_once=1, waiting=1)
    work = Work()
    with pytest.raises(TimeoutError):
        flights.do("key", work, 0.01)

    with ThreadPoolExecutor(1) as callers:
        later = callers.submit(flights.do, "key", do_nothing, 10)
        wait_until(lambda: flights._flights["key"].callers == 1)
        work.finish.set()

        assert later.result(10) == 42


def test_an_error_that_nobody_waited_for_is_told_once_to_who_asks_next() -> None:
    flights: SingleFlight[int] = SingleFlight(at_once=1, waiting=1)
    work = Work(IndexError())
    with pytest.raises(TimeoutError):
        flights.do("key", work, 0.01)
    work.finish.set()
    wait_until(lambda: has_landed(flights))

    with pytest.raises(IndexError):
        flights.do("key", do_nothing, 10)
    assert flights.do("key", lambda: 1, 10) == 1


def test_later_callers_work_anew() -> None:
    flights: SingleFlight[int] = SingleFlight(at_once=1, waiting=1)

    assert [flights.do("key", lambda: 1, 10), flights.do("key", lambda: 2, 10)] == [1, 2]


def test_after_an_error_that_was_told_callers_work_anew() -> None:
    flights: SingleFlight[int] = SingleFlight(at_once=1, waiting=1)
    with pytest.raises(AssertionError):
        flights.do("key", do_nothing, 10)

    assert flights.do("key", lambda: 2, 10) == 2
