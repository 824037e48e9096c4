"""The one way to MongoDB: every operation of the stores runs through a `Retry`.

Three attempts, exponential backoff with jitter, inside one deadline for the whole operation; and all operations of one request
inside one budget (`projectapi.database_budget`). A read may simply be repeated. A write may be repeated only because it can
recognise its own success: after a failure that leaves the outcome unknown, `landed` asks the database whether the write was
done before it is sent again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import pymongo
from pymongo.errors import PyMongoError
from tenacity import Retrying, retry_if_exception, stop_after_attempt, stop_before_delay, wait_exponential_jitter

from projectapi.database_budget import spending
from projectapi.errors import DatabaseBusy, DatabaseUnavailable, OutcomeUnknown, ProjectApiError
from projectapi.infra.database_circuit import DatabaseCircuit
from projectapi.infra.driver_errors import (
    found_no_connection,
    is_transient,
    leaves_outcome_unknown,
    timed_out,
    translated,
)
from projectapi.infra.operation_context import begin_attempt, counted_attempts, cut_off, tell_of_retry

T = TypeVar("T")


class Retry:
    """Runs database operations: `attempts` times at the most, inside `deadline_seconds` all together.

    How long they wait for a MongoDB that is away, and whether at all, is for `circuit` to say (one of its own when missing).
    """

    def __init__(
        self,
        *,
        deadline_seconds: float = 8.0,
        attempts: int = 3,
        first_wait_seconds: float = 0.1,
        circuit: DatabaseCircuit | None = None,
    ) -> None:
        self._deadline_seconds = deadline_seconds
        self._attempts = attempts
        self._first_wait_seconds = first_wait_seconds
        self._circuit = circuit or DatabaseCircuit()

    def read(self, operation: Callable[[], T]) -> T:
        """Run an operation that changes nothing. Raises DatabaseUnavailable, its child DatabaseBusy if MongoDB is there."""
        return self._run(operation)

    def repeat(self, operation: Callable[[], T]) -> T:
        """Run a write that is the same done once or twice. Raises DatabaseUnavailable, after which it may have been done."""
        return self.read(operation)

    def look_up(self, landed: Callable[[], T | None]) -> T | None:
        """Ask whether a write was done that seems not to have been. Raises OutcomeUnknown when the answer cannot be had."""
        try:
            return self.read(landed)
        except DatabaseUnavailable as error:
            raise OutcomeUnknown from error.__cause__

    def write(self, operation: Callable[[], T], landed: Callable[[], T | None]) -> T:
        """Run an operation that writes, at most once in effect.

        `landed` returns what `operation` would have returned if an earlier attempt reached the database, else None. Raises
        DatabaseUnavailable when nothing was changed, and its child OutcomeUnknown when that cannot be told.
        """
        unsure = False

        def attempt() -> T:
            nonlocal unsure
            if unsure and (earlier := landed()) is not None:
                return earlier
            before = cut_off.get()
            try:
                return operation()
            except PyMongoError as error:
                # The driver repeats by itself and raises its last error, which need not be that of the command that was done.
                unsure = unsure or leaves_outcome_unknown(error) or cut_off.get() > before
                raise

        try:
            return self._run(attempt)
        except DatabaseUnavailable as error:
            if unsure:
                raise OutcomeUnknown from error.__cause__
            raise

    def _run(self, operation: Callable[[], T]) -> T:
        with spending() as left:
            try:
                return self._run_in_time(min(self._deadline_seconds, left), operation)
            except DatabaseUnavailable as error:
                # With the server gone the pool is exhausted, too, by those who wait for it.
                if found_no_connection(error.__cause__) and self._circuit.hears_server:
                    raise DatabaseBusy from error.__cause__
                raise

    def _run_in_time(self, deadline: float, operation: Callable[[], T]) -> T:
        started = time.monotonic()
        seconds = self._circuit.seconds_for(deadline)
        try:
            return self._run_within(seconds, operation)
        except DatabaseUnavailable as error:
            left = deadline - (time.monotonic() - started)
            if seconds >= deadline or left <= 0 or not self._is_merely_slow(error.__cause__):
                raise
        # The haste was for a server that is gone. This one is there and slow, and gets what is left of the usual time.
        return self._run_within(left, operation)

    def _is_merely_slow(self, cause: BaseException | None) -> bool:
        return timed_out(cause) and self._circuit.hears_server

    def _run_within(self, seconds: float, operation: Callable[[], T]) -> T:
        try:
            with translated(), pymongo.timeout(seconds), counted_attempts():
                result = self._retrying(seconds)(operation)
        except ProjectApiError as error:
            self._circuit.failed(error.__cause__)
            raise
        self._circuit.succeeded()
        return result

    def _retrying(self, seconds: float) -> Retrying:
        return Retrying(
            # Nobody waits for an attempt that the deadline would cut off before it began.
            stop=stop_after_attempt(self._attempts) | stop_before_delay(seconds),
            wait=wait_exponential_jitter(multiplier=self._first_wait_seconds, max=1.0, jitter=self._first_wait_seconds),
            retry=retry_if_exception(is_transient),
            before=begin_attempt,
            before_sleep=tell_of_retry,
            reraise=True,
        )
