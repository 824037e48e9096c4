"""Every number that Prometheus may ask for, and how it is counted; nobody else knows Prometheus.

Under gunicorn each worker counts in files of its own, in the folder that ``PROMETHEUS_MULTIPROC_DIR`` names, and any of them
answers for all. Files belong to a worker's *slot*, not to its process: the worker that takes a dead one's place goes on
counting where that one stopped, so counters never fall and there are never more files than workers.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import TypeVar

from prometheus_client import Counter, Gauge, Histogram, values
from prometheus_client.multiprocess import mark_process_dead

from projectapi import errors

Counted = TypeVar("Counted", Counter, Histogram)

_slot = "parent"

SHARED = bool(values.ValueClass._multiprocess)
"""Whether several processes count together; prometheus_client decides that when it is imported."""

if SHARED:
    # As its documentation does for uWSGI, where workers are numbered.
    values.ValueClass = values.MultiProcessValue(process_identifier=lambda: _slot)  # type: ignore[no-untyped-call]

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
# A client may make up any number of methods.
_OTHER = "other"
_REFUSED = "(refused)"

_QUICK = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_LONG = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120)
_SIZES = (256, 1024, 4096, 16384, 65536, 262_144, 1_048_576, 4_194_304, 16_777_216)

REQUESTS = Counter("projectapi_requests", "Answered requests.", ["method", "route", "status"])
REQUEST_SECONDS = Histogram(
    "projectapi_request_seconds", "Time from having a thread until the answer began.", ["method", "route"], buckets=_LONG
)
QUEUE_SECONDS = Histogram(
    "projectapi_queue_seconds", "Waits for a thread, of requests that had to wait and got one.", buckets=_LONG
)
ERRORS = Counter("projectapi_errors", "Answers that were errors, by their code.", ["status", "code"])

COMMAND_SECONDS = Histogram("projectapi_database_command_seconds", "MongoDB commands.", ["command"], buckets=_QUICK)
COMMAND_FAILURES = Counter("projectapi_database_command_failures", "MongoDB commands that failed.", ["command", "error"])
RETRIES = Counter("projectapi_database_retries", "Attempts that failed and were followed by another one.", ["cause"])
TROUBLED = Counter("projectapi_database_troubled_operations", "Operations that met passing trouble, by their end.", ["outcome"])
DATABASE_CIRCUIT = Gauge(
    "projectapi_database_circuit_open", "Workers that refuse operations since MongoDB is away.", multiprocess_mode="livesum"
)

CONNECTIONS = Gauge("projectapi_database_pool_connections", "Open connections to MongoDB.", multiprocess_mode="livesum")
IN_USE = Gauge("projectapi_database_pool_in_use", "Connections to MongoDB in use.", multiprocess_mode="livesum")
WAITING = Gauge("projectapi_database_pool_waiting", "Operations without a connection yet.", multiprocess_mode="livesum")
POOL_MAX = Gauge("projectapi_database_pool_max", "Most connections to MongoDB, all workers.", multiprocess_mode="livesum")
CHECK_OUT_FAILURES = Counter("projectapi_database_pool_failures", "Operations that got no connection.", ["reason"])

CACHE_READS = Counter("projectapi_cache_reads", "Reads of finished answers, by where they came from.", ["kind", "outcome"])
CACHE_CIRCUIT = Gauge(
    "projectapi_cache_circuit_open", "Workers that spare Redis since it failed.", multiprocess_mode="livesum"
)
CACHE_CIRCUIT_OPENINGS = Counter("projectapi_cache_circuit_openings", "Times that Redis began to fail.")
CACHE_EPOCH = Gauge("projectapi_cache_epoch", "Newest epoch of the cache that a worker knows.", multiprocess_mode="livemax")
CACHE_ON = Gauge("projectapi_cache_on", "Workers in whose knowledge the cache is on.", multiprocess_mode="livesum")

SAVES = Counter("projectapi_saves", "Saves of timelines, by what became of them.", ["outcome"])
REVISION_BYTES = Histogram("projectapi_revision_bytes", "Sizes of the revisions written.", ["kind"], buckets=_SIZES)

UPLOADS_ACTIVE = Gauge("projectapi_uploads_active", "Videos on their way in.", multiprocess_mode="livesum")
UPLOADS = Counter("projectapi_uploads", "Uploads, by what became of them.", ["outcome"])
UPLOADED_BYTES = Counter("projectapi_uploaded_bytes", "Bytes of videos that came in, also of those that were refused.")

_TO_COME: dict[Counter, Iterable[tuple[str | int, ...]]] = {
    ERRORS: [(kind.status, kind.code) for kind in errors.all_errors() if kind.status >= 500],
    RETRIES: [("AutoReconnect",), ("NetworkTimeout",), ("NotPrimaryError",), ("ServerSelectionTimeoutError",)],
    TROUBLED: [("recovered",), ("failed",), ("refused",)],
    CHECK_OUT_FAILURES: [("timeout",), ("connectionError",), ("poolClosed",)],
    SAVES: [("saved",), ("unchanged",), ("conflict",), ("lost a race",)],
    UPLOADS: [("stored",), ("refused",)],
}


def _begin_at_nought() -> None:
    # A counter that is first seen at 3 has not risen, for Prometheus: the start of an outage would be lost on its alerts.
    for counter, known in _TO_COME.items():
        for labels in known:
            counter.labels(*labels)


if not SHARED:
    _begin_at_nought()



def take_slot(slot: int) -> None:
    """Count for this slot from now on; for a worker that was just forked."""
    global _slot
    _slot = str(slot)
    _begin_at_nought()


def leave_slot(slot: int) -> None:
    """Forget what was true of the worker only while it lived; for the parent process, when the worker is gone."""
    mark_process_dead(slot)  # type: ignore[no-untyped-call]


@cache
def _child(metric: Counted, *labels: str | int) -> Counted:
    """Return `metric.labels(*labels)`, which takes longer to find than to count."""
    return metric.labels(*labels)


def count_request(method: str, route: str, status: int, seconds: float) -> None:
    """Count a request that the application answered."""
    method = method if method in _METHODS else _OTHER
    _child(REQUESTS, method, route, status).inc()
    _child(REQUEST_SECONDS, method, route).observe(seconds)


def count_refusal(method: str, status: int, code: str) -> None:
    """Count a request that was answered before the application saw it; it took no time that is worth a number."""
    _child(REQUESTS, method if method in _METHODS else _OTHER, _REFUSED, status).inc()
    count_error(status, code)


def count_error(status: int, code: str) -> None:
    """Count an answer that was an error."""
    _child(ERRORS, status, code).inc()


def count_cache_read(kind: str, outcome: str) -> None:
    """Count a read of a finished answer."""
    _child(CACHE_READS, kind, outcome).inc()


def count_command(command: str, seconds: float, error: str | None = None) -> None:
    """Count a command to MongoDB; `error` is the name of what went wrong."""
    _child(COMMAND_SECONDS, command).observe(seconds)
    if error is not None:
        COMMAND_FAILURES.labels(command, error).inc()


def count_circuit(*, is_open: bool) -> None:
    """Take note that the circuit to Redis has just been opened or closed."""
    CACHE_CIRCUIT.set(is_open)
    if is_open:
        CACHE_CIRCUIT_OPENINGS.inc()


def note_epoch(epoch: int, *, is_on: bool) -> None:
    """Take note of what this worker knows of the cache."""
    CACHE_EPOCH.set(epoch)
    CACHE_ON.set(is_on)
