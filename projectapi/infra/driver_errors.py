"""Where the errors of PyMongo and BSON become projectapi's own, and nowhere else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from bson.errors import BSONError
from pymongo.errors import (
    AutoReconnect,
    ConfigurationError,
    ConnectionFailure,
    DocumentTooLarge,
    DuplicateKeyError,
    ExecutionTimeout,
    NetworkTimeout,
    NotPrimaryError,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
    WaitQueueTimeoutError,
    WriteConcernError,
)

from projectapi.errors import Conflict, DatabaseUnavailable, ProjectApiError, TimelineTooLarge, ValidationFailed

_TOO_LARGE = frozenset({10334, 17280, 17419, 17420})
"""Server codes for a document over 16 MiB (BSONObjectTooLarge and its relatives in inserts and updates)."""

_AWAY = frozenset({6, 7, 50, 89, 91, 112, 134, 189, 202, 262, 9001, 10107, 11600, 11602, 13435, 13436, 16500})
"""Server codes for a node that is stepping down, shutting down, overloaded or out of time."""

_NOT_BEGUN = frozenset({112, 10058, 10107, 13435, 13436})
"""Server codes for a write that was rolled back, or that a node did not begin since it is not the primary."""

_VALIDATION_FAILED = 121
"""Server code for a document that the collection's validator refuses."""

_INTERRUPTED = frozenset({91, 189, 11600, 11602})
"""Server codes for a node that changed its state under a write that it may just have finished."""


def is_transient(error: BaseException) -> bool:
    """Tell whether the same operation may succeed when it is tried again a moment later."""
    if isinstance(error, WaitQueueTimeoutError):
        # The pool is exhausted: trying again would only make the line longer.
        return False
    if isinstance(error, (ConnectionFailure, WriteConcernError, ExecutionTimeout)):
        return True
    return isinstance(error, OperationFailure) and (error.code in _AWAY or error.has_error_label("RetryableWriteError"))


def means_no_server(error: BaseException | None) -> bool:
    """Tell whether an error says that there was no server to talk to; one that is merely slow is there."""
    return isinstance(error, AutoReconnect) and not isinstance(error, NetworkTimeout)


def timed_out(error: BaseException | None) -> bool:
    """Tell whether an operation ended because its time was up."""
    return isinstance(error, PyMongoError) and error.timeout


def found_no_connection(error: BaseException | None) -> bool:
    """Tell whether an operation waited in vain for one of this process's connections to be free."""
    return isinstance(error, WaitQueueTimeoutError)


def leaves_outcome_unknown(error: BaseException) -> bool:
    """Tell whether a write that failed with `error` may have been done all the same.

    A server that could not be selected, that vouches for having written nothing, or that is not the primary, did nothing. A
    connection that broke or timed out, a node that was shutting down, and a write concern that was not confirmed, prove
    nothing either way.
    """
    if not isinstance(error, PyMongoError) or error.has_error_label("NoWritesPerformed"):
        return False
    if isinstance(error, (ServerSelectionTimeoutError, WaitQueueTimeoutError)):
        return False
    if isinstance(error, NotPrimaryError):
        return isinstance(error.details, Mapping) and error.details.get("code") in _INTERRUPTED
    if isinstance(error, OperationFailure) and error.code in _NOT_BEGUN:
        return False
    return is_transient(error)


def translate(error: Exception) -> ProjectApiError:
    """Return the error of ours that stands for a driver's error; the caller chains the cause with ``from``."""
    if isinstance(error, DocumentTooLarge) or (isinstance(error, OperationFailure) and error.code in _TOO_LARGE):
        return TimelineTooLarge()
    if isinstance(error, DuplicateKeyError):
        return Conflict()
    if isinstance(error, OperationFailure) and error.code == _VALIDATION_FAILED:
        return ValidationFailed("The database refuses to store this: a field has a type or size that is not allowed.")
    # Looking up the hosts of a mongodb+srv:// address fails with a ConfigurationError, also when only the DNS is away.
    if isinstance(error, (ConnectionFailure, ConfigurationError)):
        return DatabaseUnavailable()
    if isinstance(error, PyMongoError) and (is_transient(error) or error.timeout):
        return DatabaseUnavailable()
    return ProjectApiError()


@contextmanager
def translated() -> Iterator[None]:
    """Raise errors of ours in place of the driver's inside the block, with the cause chained for the log."""
    try:
        yield
    except (PyMongoError, BSONError) as error:
        raise translate(error) from error
