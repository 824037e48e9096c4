"""Every error of PyMongo and BSON becomes one of ours, and each is known to be worth a repetition or not."""

from __future__ import annotations

import inspect

import bson.errors
import pymongo.errors
import pytest
from bson.errors import BSONError, InvalidBSON, InvalidDocument, InvalidId, InvalidStringData
from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    ClientBulkWriteException,
    CollectionInvalid,
    ConfigurationError,
    ConnectionFailure,
    CursorNotFound,
    DocumentTooLarge,
    DuplicateKeyError,
    EncryptedCollectionError,
    EncryptionError,
    ExecutionTimeout,
    InvalidName,
    InvalidOperation,
    InvalidURI,
    NetworkTimeout,
    NotPrimaryError,
    OperationFailure,
    ProtocolError,
    PyMongoError,
    ServerSelectionTimeoutError,
    WaitQueueTimeoutError,
    WriteConcernError,
    WriteError,
    WTimeoutError,
    _OperationCancelled,
)

from projectapi.errors import Conflict, DatabaseUnavailable, ProjectApiError, TimelineTooLarge, ValidationFailed
from projectapi.infra.driver_errors import is_transient, leaves_outcome_unknown, translate, translated

AWAY, OURS, CONFLICT, TOO_LARGE = DatabaseUnavailable, ProjectApiError, Conflict, TimelineTooLarge
STATUS = {AWAY: 503, OURS: 500, CONFLICT: 409, TOO_LARGE: 413}

# class: (what it becomes, is it worth a repetition, may the write have been done all the same)
TABLE: dict[type[Exception], tuple[type[ProjectApiError], bool, bool]] = {
    PyMongoError: (OURS, False, False),
    ProtocolError: (OURS, False, False),
    ConnectionFailure: (AWAY, True, True),
    AutoReconnect: (AWAY, True, True),
    _OperationCancelled: (AWAY, True, True),
    NetworkTimeout: (AWAY, True, True),
    NotPrimaryError: (AWAY, True, False),
    ServerSelectionTimeoutError: (AWAY, True, False),
    WaitQueueTimeoutError: (AWAY, False, False),
    ConfigurationError: (AWAY, False, False),
    InvalidURI: (AWAY, False, False),
    OperationFailure: (OURS, False, False),
    CursorNotFound: (OURS, False, False),
    ExecutionTimeout: (AWAY, True, True),
    WriteConcernError: (AWAY, True, True),
    WTimeoutError: (AWAY, True, True),
    WriteError: (OURS, False, False),
    DuplicateKeyError: (CONFLICT, False, False),
    BulkWriteError: (OURS, False, False),
    ClientBulkWriteException: (OURS, False, False),
    InvalidOperation: (OURS, False, False),
    InvalidName: (OURS, False, False),
    CollectionInvalid: (OURS, False, False),
    EncryptionError: (OURS, False, False),
    EncryptedCollectionError: (OURS, False, False),
    DocumentTooLarge: (TOO_LARGE, False, False),
    BSONError: (OURS, False, False),
    InvalidBSON: (OURS, False, False),
    InvalidStringData: (OURS, False, False),
    InvalidDocument: (OURS, False, False),
    InvalidId: (OURS, False, False),
}


def driver_classes() -> set[type[Exception]]:
    """Return every error that the installed driver can raise; private ones reach us, too."""
    found = {
        thing
        for module in (pymongo.errors, bson.errors)
        for thing in vars(module).values()
        if inspect.isclass(thing) and issubclass(thing, PyMongoError | BSONError)
    }
    pending = [PyMongoError, BSONError]
    while pending:
        for child in pending.pop().__subclasses__():
            pending.append(child)
            if child.__module__ in ("pymongo.errors", "bson.errors"):
                found.add(child)
    return found


def example(kind: type[Exception]) -> Exception:
    """Return an error of a class as the driver would make it."""
    if kind is EncryptionError:
        return EncryptionError(ValueError("secret"))
    if kind is EncryptedCollectionError:
        return EncryptedCollectionError(ValueError("secret"), {})
    if kind is BulkWriteError:
        return BulkWriteError({"writeErrors": []})
    if kind is ClientBulkWriteException:
        return ClientBulkWriteException({"writeErrors": []}, True)
    if issubclass(kind, ExecutionTimeout):
        return kind("secret", 50)
    return kind("secret")


def test_the_table_knows_every_error_of_the_driver_and_no_other() -> None:
    assert driver_classes() == set(TABLE)


@pytest.mark.parametrize("kind", TABLE, ids=lambda kind: kind.__name__)
def test_every_error_becomes_one_of_ours_and_says_nothing_of_its_cause(kind: type[Exception]) -> None:
    error = translate(example(kind))

    assert type(error) is TABLE[kind][0] and error.status == STATUS[TABLE[kind][0]]
    assert (error.text, error.detail) == (error.sentence, error.sentence)
    assert "secret" not in repr((error.args, error.headers, error.extra))


@pytest.mark.parametrize("kind", TABLE, ids=lambda kind: kind.__name__)
def test_every_error_is_known_to_be_worth_a_repetition_or_not(kind: type[Exception]) -> None:
    assert is_transient(example(kind)) is TABLE[kind][1]


@pytest.mark.parametrize("kind", TABLE, ids=lambda kind: kind.__name__)
def test_every_error_is_known_to_leave_a_write_in_doubt_or_not(kind: type[Exception]) -> None:
    assert leaves_outcome_unknown(example(kind)) is TABLE[kind][2]


# server code: (what it becomes, is it worth a repetition, may the write have been done all the same)
CODES: dict[int, tuple[type[ProjectApiError], bool, bool]] = {
    6: (AWAY, True, True),  # HostUnreachable
    7: (AWAY, True, True),  # HostNotFound
    13: (OURS, False, False),  # Unauthorized
    18: (OURS, False, False),  # AuthenticationFailed
    50: (AWAY, True, True),  # MaxTimeMSExpired
    64: (OURS, False, False),  # WriteConcernFailed outside of a write concern's own error
    89: (AWAY, True, True),  # NetworkTimeout
    112: (AWAY, True, False),  # WriteConflict: the server rolled it back
    121: (ValidationFailed, False, False),  # DocumentValidationFailure
    134: (AWAY, True, True),  # ReadConcernMajorityNotAvailableYet
    202: (AWAY, True, True),  # NetworkInterfaceExceededTimeLimit
    262: (AWAY, True, True),  # ExceededTimeLimit
    9001: (AWAY, True, True),  # SocketException
    10334: (TOO_LARGE, False, False),  # BSONObjectTooLarge
    17419: (TOO_LARGE, False, False),
    17420: (TOO_LARGE, False, False),
}


@pytest.mark.parametrize("code", CODES)
def test_a_failure_is_judged_by_the_servers_code(code: int) -> None:
    error = OperationFailure("secret", code)

    assert (type(translate(error)), is_transient(error), leaves_outcome_unknown(error)) == CODES[code]


# A node that is no primary has not begun; one that was interrupted, steps down or shuts down may have finished before.
STATE_CHANGES = {10058: False, 10107: False, 13435: False, 13436: False, 91: True, 189: True, 11600: True, 11602: True}


@pytest.mark.parametrize("code", STATE_CHANGES)
def test_a_node_that_changes_its_state_leaves_only_those_writes_in_doubt_that_it_had_begun(code: int) -> None:
    error = NotPrimaryError("secret", {"code": code})

    assert (type(translate(error)), is_transient(error)) == (AWAY, True)
    assert leaves_outcome_unknown(error) is STATE_CHANGES[code]


def test_a_server_that_vouches_that_it_wrote_nothing_is_believed() -> None:
    labels = {"code": 91, "errorLabels": ["RetryableWriteError", "NoWritesPerformed"]}

    for error in (NotPrimaryError("secret", labels), OperationFailure("secret", 91, labels)):
        assert (is_transient(error), leaves_outcome_unknown(error)) == (True, False)


def test_a_failure_that_the_server_itself_calls_retryable_is_transient() -> None:
    error = OperationFailure("secret", 4711, {"errorLabels": ["RetryableWriteError"]})

    assert is_transient(error) and leaves_outcome_unknown(error)
    assert type(translate(error)) is DatabaseUnavailable


def test_the_cause_is_chained_for_the_log() -> None:
    cause = AutoReconnect("mongodb://user:secret@host")

    with pytest.raises(DatabaseUnavailable) as raised, translated():
        raise cause

    assert raised.value.__cause__ is cause


@pytest.mark.parametrize("error", [KeyError("x"), Conflict(), RuntimeError("x")])
def test_what_is_not_the_drivers_comes_through_as_it_is(error: Exception) -> None:
    with pytest.raises(type(error)) as raised, translated():
        raise error

    assert raised.value is error
