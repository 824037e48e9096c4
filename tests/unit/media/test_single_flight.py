"""Equal work at the same time is done once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from projectapi.media.single_flight import SingleFlight


def do_nothing() -> int:
    raise AssertionError("somebody else is doing this already")


@dataclass
class Leader:
    """A caller whose work goes on until it is told how to end."""

    flights: SingleFlight[int]
    pool: ThreadPoolExecutor
    result: Future[int]
    finish: Callable[[], None]

    def has_followers(self, key: str) -> bool:
        return bool(self.flights._flights[key]._condition._waiters)  # type: ignore[attr-defined]


@pytest.fixture
def outcome() -> list[int]:
    return [42]


@pytest.fixture
def leader(outcome: list[int]) -> Iterator[Leader]:
    flights: SingleFlight[int] = SingleFlight()
    started, finished = threading.Event(), threading.Event()

    def work() -> int:
        started.set()
        assert finished.wait(10)
        return outcome.pop()

    with ThreadPoolExecutor(2) as pool:
        result = pool.submit(flights.do, "key", work, 10)
        assert started.wait(10)
        yield Leader(flights, pool, result, finished.set)
        finished.set()


def follow(leader: Leader) -> Future[int]:
    """Start a second caller and wait until it is waiting for the first."""
    follower = leader.pool.submit(leader.flights.do, "key", do_nothing, 10)
    deadline = time.monotonic() + 10
    while not leader.has_followers("key"):
        assert time.monotonic() < deadline
        time.sleep(0.001)
    return follower


def test_a_second_caller_gets_the_result_of_the_first(leader: Leader) -> None:
    follower = follow(leader)
    leader.finish()

    assert [leader.result.result(10), follower.result(10)] == [42, 42]


def test_a_second_caller_gets_the_error_of_the_first(leader: Leader, outcome: list[int]) -> None:
    follower = follow(leader)
    outcome.clear()
    leader.finish()

    with pytest.raises(IndexError):
        leader.result.result(10)
    with pytest.raises(IndexError):
        follower.result(10)


def test_a_second_caller_waits_no_longer_than_it_wants(leader: Leader) -> None:
    with pytest.raises(TimeoutError):
        leader.flights.do("key", do_nothing, 0.01)


def test_other_work_is_not_held_up(leader: Leader) -> None:
    assert leader.flights.do("other", lambda: 7, 10) == 7


def test_later_callers_work_anew() -> None:
    flights: SingleFlight[int] = SingleFlight()

    assert [flights.do("key", lambda: 1, 1), flights.do("key", lambda: 2, 1)] == [1, 2]
