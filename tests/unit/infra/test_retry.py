"""How often an operation is tried, for how long, and what is said when it cannot be told whether a write was done."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from bson.errors import InvalidDocument
from pymongo import _csot
from pymongo.errors import (
    AutoReconnect,
    DuplicateKeyError,
    NetworkTimeout,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
    WaitQueueTimeoutError,
    WriteError,
    WTimeoutError,
)
from pymongo.monitoring import CommandFailedEvent, CommandStartedEvent

from projectapi.errors import Conflict, DatabaseBusy, DatabaseUnavailable, OutcomeUnknown, ProjectApiError
from projectapi.infra.database_circuit import DatabaseCircuit, within
from projectapi.infra.database_events import CommandEvents
from projectapi.infra.retry import Retry
from projectapi.infra.server_watch import ServerWatch

DROPPED = AutoReconnect("connection closed")
AWAY = ServerSelectionTimeoutError("no server")
REFUSED = WriteError("cannot apply the update", 9)


class Database:
    """Does one write, badly: `troubles` says what happens to each attempt and `arrives` whether the write is done anyway."""

    def __init__(self, *troubles: Exception | None, arrives: bool = False, blind: Exception | None = None) -> None:
        self._troubles = list(troubles)
        self._arrives = arrives
        self._blind = blind
        self.attempts = 0
        self.questions = 0
        self.done = 0

    def write(self) -> str:
        trouble = self._troubles[self.attempts] if self.attempts < len(self._troubles) else None
        self.attempts += 1
        if trouble is None or self._arrives:
            self.done += 1
        if trouble is not None:
            raise trouble
        return "written"

    def landed(self) -> str | None:
        self.questions += 1
        if self._blind is not None:
            raise self._blind
        return "found" if self.done else None


@pytest.fixture
def retry() -> Retry:
    return Retry(first_wait_seconds=0.001)


def test_what_succeeds_is_done_once(retry: Retry) -> None:
    database = Database()

    assert retry.write(database.write, database.landed) == "written"
    assert (database.attempts, database.questions) == (1, 0)


@pytest.mark.parametrize("failures", [1, 2])
def test_a_read_survives_failures_of_the_first_attempts(retry: Retry, failures: int) -> None:
    database = Database(*[DROPPED] * failures)

    assert retry.read(database.write) == "written"
    assert database.attempts == failures + 1


def test_a_read_is_given_up_after_the_third_attempt(retry: Retry) -> None:
    database = Database(*[DROPPED] * 9)

    with pytest.raises(DatabaseUnavailable) as raised:
        retry.read(database.write)

    assert type(raised.value) is DatabaseUnavailable and raised.value.__cause__ is DROPPED
    assert database.attempts == 3


FINAL: list[tuple[Exception, type[ProjectApiError]]] = [
    (WaitQueueTimeoutError("pool"), DatabaseUnavailable),
    (DuplicateKeyError("E11000", 11000), Conflict),
    (REFUSED, ProjectApiError),
    (OperationFailure("not authorised", 13), ProjectApiError),
    (PyMongoError("?"), ProjectApiError),
    (InvalidDocument("?"), ProjectApiError),
]


@pytest.mark.parametrize(("trouble", "ours"), FINAL, ids=lambda value: getattr(value, "__name__", type(value).__name__))
def test_what_would_fail_again_is_tried_once(retry: Retry, trouble: Exception, ours: type[ProjectApiError]) -> None:
    reading, writing = Database(trouble), Database(trouble)

    with pytest.raises(ours) as of_read:
        retry.read(reading.write)
    with pytest.raises(ours) as of_write:
        retry.write(writing.write, writing.landed)

    assert type(of_read.value) is ours is type(of_write.value)
    assert (reading.attempts, writing.attempts) == (1, 1)


def test_errors_that_are_not_the_drivers_come_through_at_once(retry: Retry) -> None:
    database = Database(KeyError("ours"))

    with pytest.raises(KeyError):
        retry.write(database.write, database.landed)

    assert database.attempts == 1


def test_a_write_whose_answer_got_lost_is_found_and_not_sent_again(retry: Retry) -> None:
    database = Database(DROPPED, arrives=True)

    assert retry.write(database.write, database.landed) == "found"
    assert (database.attempts, database.questions, database.done) == (1, 1, 1)


def test_a_write_that_did_not_arrive_is_sent_again_after_a_look(retry: Retry) -> None:
    database = Database(DROPPED, DROPPED)

    assert retry.write(database.write, database.landed) == "written"
    assert (database.attempts, database.questions, database.done) == (3, 2, 1)


def test_a_write_that_was_surely_not_sent_is_sent_again_without_a_look(retry: Retry) -> None:
    database = Database(AWAY, AWAY)

    assert retry.write(database.write, database.landed) == "written"
    assert (database.attempts, database.questions) == (3, 0)


def test_once_in_doubt_every_further_attempt_looks_first(retry: Retry) -> None:
    # The first attempt is in doubt, the second surely not sent: the first may have arrived all the same.
    database = Database(DROPPED, AWAY)

    assert retry.write(database.write, database.landed) == "written"
    assert database.questions == 2


def test_when_no_attempt_reached_the_database_nothing_was_changed(retry: Retry) -> None:
    database = Database(AWAY, AWAY, AWAY)

    with pytest.raises(DatabaseUnavailable) as raised:
        retry.write(database.write, database.landed)

    assert type(raised.value) is DatabaseUnavailable


DOUBTS = [DROPPED, NetworkTimeout("slow"), WTimeoutError("not confirmed", 64)]


@pytest.mark.parametrize("doubt", DOUBTS, ids=lambda doubt: type(doubt).__name__)
@pytest.mark.parametrize("position", [0, 1, 2])
def test_when_one_attempt_may_have_arrived_the_outcome_is_unknown(retry: Retry, doubt: Exception, position: int) -> None:
    troubles: list[Exception] = [AWAY, AWAY, AWAY]
    troubles[position] = doubt
    database = Database(*troubles)

    with pytest.raises(OutcomeUnknown) as raised:
        retry.write(database.write, database.landed)

    assert raised.value.__cause__ is troubles[-1]
    assert (raised.value.status, raised.value.headers["Retry-After"]) == (503, "5")


def test_what_the_driver_sent_before_it_found_no_connection_may_have_arrived(retry: Retry) -> None:
    # Given a driver that repeats by itself what was cut off, and tells of its last error only
    def write() -> str:
        events, server = CommandEvents(slow_milliseconds=100), ("db", 27017)
        events.started(CommandStartedEvent({"findAndModify": "projects"}, "projectapi", 1, server, 1))
        events.failed(CommandFailedEvent(timedelta(), {"errtype": "AutoReconnect"}, "findAndModify", 1, server, 1))
        raise WaitQueueTimeoutError("no connection")

    with pytest.raises(OutcomeUnknown):
        retry.write(write, lambda: None)


def test_when_the_look_itself_fails_the_outcome_is_unknown(retry: Retry) -> None:
    database = Database(DROPPED, arrives=True, blind=AWAY)

    with pytest.raises(OutcomeUnknown):
        retry.write(database.write, database.landed)

    # Neither was the write sent again blindly
    assert (database.attempts, database.questions, database.done) == (1, 2, 1)


def test_a_write_that_fails_for_good_after_a_doubt_says_why(retry: Retry) -> None:
    database = Database(DROPPED, REFUSED)

    with pytest.raises(ProjectApiError) as raised:
        retry.write(database.write, database.landed)

    assert type(raised.value) is ProjectApiError and raised.value.__cause__ is REFUSED


def test_a_write_that_is_the_same_done_twice_is_just_repeated(retry: Retry) -> None:
    database = Database(DROPPED, DROPPED, arrives=True)

    assert retry.repeat(database.write) == "written"
    assert (database.attempts, database.done) == (3, 3)


def test_while_mongodb_is_known_to_be_away_one_a_second_asks_shortly_and_nobody_else_waits() -> None:
    now = 0.0
    retry = Retry(deadline_seconds=8, attempts=1, circuit=DatabaseCircuit(monotonic=lambda: now))
    allowed: list[float] = []

    def note_deadline(error: Exception | None = None) -> None:
        allowed.append(_csot.get_timeout() or 0)
        if error is not None:
            raise error

    def is_refused() -> bool:
        with pytest.raises(DatabaseUnavailable):
            retry.read(lambda: note_deadline(AWAY))
        return True

    assert is_refused() and is_refused() and is_refused()
    now = 1.1
    retry.read(note_deadline)
    retry.read(note_deadline)

    assert allowed == [8, 1, 8]


def test_the_number_of_attempts_is_a_setting() -> None:
    database = Database(*[DROPPED] * 9)

    with pytest.raises(DatabaseUnavailable):
        Retry(attempts=5, first_wait_seconds=0.001).read(database.write)

    assert database.attempts == 5


def duration_of(action: Callable[[], Any]) -> float:
    started = time.monotonic()
    action()
    return time.monotonic() - started


def test_attempts_keep_their_distance_and_it_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr("tenacity.nap.time", SimpleNamespace(sleep=waited.append))

    with pytest.raises(DatabaseUnavailable):
        Retry(first_wait_seconds=0.05).read(Database(*[DROPPED] * 9).write)

    first, second = waited
    assert 0.05 <= first <= 0.1 <= second <= 0.15


def test_no_attempt_begins_after_the_deadline() -> None:
    attempts = []

    def slow() -> None:
        attempts.append(1)
        time.sleep(0.1)
        raise DROPPED

    def give_up() -> None:
        with pytest.raises(DatabaseUnavailable):
            Retry(deadline_seconds=0.5, attempts=100, first_wait_seconds=0.01).read(slow)

    assert duration_of(give_up) < 1.5
    assert 2 <= len(attempts) <= 5


def test_nobody_sleeps_until_a_deadline_that_is_nearer_than_the_next_attempt() -> None:
    database = Database(*[DROPPED] * 9)

    def give_up() -> None:
        with pytest.raises(DatabaseUnavailable):
            Retry(deadline_seconds=0.9, first_wait_seconds=1.0).read(database.write)

    assert duration_of(give_up) < 0.8
    assert database.attempts == 1


class HeardServer(ServerWatch):
    """A server whose heartbeat is heard, or is not."""

    def __init__(self, *, heard: bool) -> None:
        super().__init__()
        self._heard = heard

    def heard_within(self, seconds: float) -> bool:
        return self._heard


@pytest.mark.parametrize(("heard", "attempts"), [(True, 2), (False, 1)])
def test_a_read_in_haste_gets_more_time_from_a_server_that_is_merely_slow(heard: bool, attempts: int) -> None:
    allowed: list[float] = []

    def slow() -> str:
        allowed.append(_csot.get_timeout() or 0)
        if len(allowed) == 1:
            raise NetworkTimeout("no answer yet")
        return "read"

    retry = Retry(attempts=1, circuit=DatabaseCircuit(HeardServer(heard=heard)))
    with suppress(DatabaseUnavailable), within(1.5):
        retry.read(slow)

    assert len(allowed) == attempts
    assert allowed[0] <= 1.5 and all(7 < seconds <= 8 for seconds in allowed[1:])


@pytest.mark.parametrize(
    ("heard", "attempts", "error"), [(True, 2, DatabaseBusy), (False, 1, DatabaseUnavailable)], ids=["there", "away"]
)
def test_an_exhausted_pool_is_waited_for_and_told_from_a_server_that_is_away(
    heard: bool, attempts: int, error: type[DatabaseUnavailable]
) -> None:
    database = Database(*[WaitQueueTimeoutError("pool")] * 9)

    with pytest.raises(DatabaseUnavailable) as raised, within(1.5):
        Retry(circuit=DatabaseCircuit(HeardServer(heard=heard))).read(database.write)

    # First in haste, then, if there is no need for that, with the usual time.
    assert database.attempts == attempts
    assert type(raised.value) is error


def test_a_write_that_may_have_been_done_is_not_called_undone_for_want_of_a_connection() -> None:
    database = Database(DROPPED, WaitQueueTimeoutError("pool"))

    with pytest.raises(OutcomeUnknown):
        Retry(circuit=DatabaseCircuit(HeardServer(heard=True))).write(database.write, lambda: None)
