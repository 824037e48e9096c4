"""What is known of the database operation at hand: which attempt it is; and what the log tells of attempts that failed."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from tenacity import RetryCallState

from projectapi.infra import metrics
from projectapi.infra.driver_errors import is_transient

log = logging.getLogger("projectapi.database")

attempt: ContextVar[int] = ContextVar("attempt", default=1)
"""The number of the attempt under way; the driver's listeners, which run in the same thread, quote it."""

cut_off: ContextVar[int] = ContextVar("cut_off", default=0)
"""How many commands of this thread were sent and never answered; the driver's listeners count on."""


@contextmanager
def counted_attempts() -> Iterator[None]:
    """Surround all attempts of one operation, and tell how it ended if there was trouble that passes."""
    outer = attempt.set(1)
    try:
        yield
    except Exception as error:
        if attempt.get() > 1 or is_transient(error):
            _ended(logging.WARNING, "failed", type(error).__name__)
        raise
    else:
        if attempt.get() > 1:
            _ended(logging.INFO, "recovered", None)
    finally:
        attempt.reset(outer)


def begin_attempt(state: RetryCallState) -> None:
    """Take note of the attempt that begins (tenacity's ``before``)."""
    attempt.set(state.attempt_number)


def tell_of_retry(state: RetryCallState) -> None:
    """Tell that an attempt failed and another one follows (tenacity's ``before_sleep``)."""
    error = state.outcome.exception() if state.outcome else None
    cause = type(error).__name__
    milliseconds = round(state.upcoming_sleep * 1000)
    fields = {"event": "retry", "attempt": state.attempt_number, "cause": cause, "waitMilliseconds": milliseconds}
    metrics.RETRIES.labels(cause).inc()
    log.info(
        "attempt %d failed with %s; another one follows in %d ms",
        state.attempt_number,
        cause,
        milliseconds,
        extra={"fields": fields},
    )


def _ended(level: int, outcome: str, cause: str | None) -> None:
    metrics.TROUBLED.labels(outcome).inc()
    attempts = attempt.get()
    fields = {"event": "retried", "attempts": attempts, "outcome": outcome, "cause": cause}
    log.log(level, "%s after %d attempts%s", outcome, attempts, f": {cause}" if cause else "", extra={"fields": fields})
