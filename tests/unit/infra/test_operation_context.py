"""What the log tells of operations that were tried more than once."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest
from pymongo.errors import AutoReconnect

from projectapi.errors import DatabaseUnavailable
from projectapi.infra.operation_context import attempt
from projectapi.infra.retry import Retry


@pytest.fixture
def retry() -> Retry:
    return Retry(deadline_seconds=5, first_wait_seconds=0.001)


@pytest.fixture(autouse=True)
def everything_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "projectapi")


def failing(times: int) -> Callable[[], int]:
    """Return an operation that fails so many times, then returns the number of the attempt."""
    left = [times]

    def operation() -> int:
        left[0] -= 1
        if left[0] >= 0:
            raise AutoReconnect("mongodb://u:s3cret@db: connection closed")
        return attempt.get()

    return operation


def test_an_operation_that_succeeds_at_once_is_not_worth_a_line(retry: Retry, caplog: pytest.LogCaptureFixture) -> None:
    assert retry.read(failing(0)) == 1

    assert caplog.records == []


def test_each_failed_attempt_and_the_good_end_are_told(retry: Retry, caplog: pytest.LogCaptureFixture) -> None:
    assert retry.read(failing(2)) == 3

    fields = [getattr(record, "fields", {}) for record in caplog.records]
    assert [(f["event"], f.get("attempt") or f["attempts"], f.get("cause")) for f in fields] == [
        ("retry", 1, "AutoReconnect"),
        ("retry", 2, "AutoReconnect"),
        ("retried", 3, None),
    ]
    assert fields[-1]["outcome"] == "recovered"


def test_giving_up_is_told_with_its_cause_and_nothing_that_the_error_says(
    retry: Retry, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(DatabaseUnavailable):
        retry.read(failing(3))

    last = caplog.records[-1]
    assert (last.levelname, last.getMessage()) == ("WARNING", "failed after 3 attempts: AutoReconnect")
    assert "s3cret" not in caplog.text


def test_an_operation_inside_another_counts_its_own_attempts(retry: Retry) -> None:
    numbers: list[int] = []
    inner = failing(1)

    def outer() -> None:
        numbers.append(attempt.get())
        numbers.append(retry.read(inner))
        numbers.append(attempt.get())

    retry.read(outer)

    assert numbers == [1, 2, 1]
    assert attempt.get() == 1
