"""All database operations of one request share one budget; what no request asks for has none."""

from __future__ import annotations

import threading
import time

import pytest
from pymongo import _csot
from pymongo.errors import NetworkTimeout

from projectapi.database_budget import at_least, database_budget, spending
from projectapi.errors import DatabaseUnavailable, OutcomeUnknown
from projectapi.infra.retry import Retry


def seconds_allowed(retry: Retry) -> float:
    return retry.read(lambda: _csot.get_timeout() or 0.0)


def spend(seconds: float) -> None:
    with spending():
        time.sleep(seconds)


def test_an_operation_gets_what_those_before_it_have_left() -> None:
    with database_budget(5.0):
        spend(0.1)

        assert 4.0 < seconds_allowed(Retry(deadline_seconds=8.0)) <= 4.9


def test_no_operation_gets_more_than_its_own_deadline() -> None:
    with database_budget(5.0):
        assert seconds_allowed(Retry(deadline_seconds=2.0)) <= 2.0


def test_when_the_budget_is_used_up_nothing_is_tried() -> None:
    tried: list[int] = []

    with database_budget(0.01):
        spend(0.02)
        with pytest.raises(DatabaseUnavailable) as raised:
            Retry().write(lambda: tried.append(1), lambda: None)

    assert not tried and type(raised.value) is DatabaseUnavailable


def test_a_write_that_the_end_of_the_budget_cuts_off_is_one_of_unknown_outcome() -> None:
    def cut_off() -> None:
        time.sleep(0.06)
        raise NetworkTimeout("no answer")

    with database_budget(0.05), pytest.raises(OutcomeUnknown):
        Retry().write(cut_off, lambda: None)


def test_time_outside_of_the_database_does_not_count() -> None:
    with database_budget(0.5):
        time.sleep(0.1)

        with spending() as left:
            assert left == 0.5


def test_an_operation_inside_another_one_counts_once() -> None:
    with database_budget(5.0):
        started = time.monotonic()
        with spending():
            spend(0.2)
        took = time.monotonic() - started

        with spending() as left:
            assert 5.0 - took <= left <= 4.8


def test_what_must_be_done_has_a_little_time_even_then_and_only_there() -> None:
    with database_budget(0.01):
        spend(0.02)
        with at_least(1.0), spending() as granted:
            pass
        with spending() as left:
            pass

    assert granted == pytest.approx(1.0) and left == 0.0


def test_a_thread_that_a_request_starts_has_no_part_in_its_budget() -> None:
    allowed: list[float] = []

    with database_budget(0.01):
        spend(0.02)
        job = threading.Thread(target=lambda: allowed.append(seconds_allowed(Retry(deadline_seconds=8.0))))
        job.start()
        job.join()

    assert allowed[0] > 7
