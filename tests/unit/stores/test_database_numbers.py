"""What the metrics are told of the database: how large it is, and how jobs stand, whoever does them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import mongomock
import pytest
from pymongo.database import Database

from projectapi.errors import MediaBusy
from projectapi.infra.database_circuit import DatabaseCircuit
from projectapi.infra.retry import Retry
from projectapi.project import new_id
from projectapi.protocols import JobKind, JobState
from projectapi.stores.collections import JOBS, TIMELINE_STATES
from projectapi.stores.database_numbers import DatabaseNumbers, JobsTally
from projectapi.stores.mongo_jobs import MongoJobStore
from tests.harness.jobs import job_request
from tests.harness.stores import connect, prepare

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture(params=["mongomock", "mongodb"])
def database(request: pytest.FixtureRequest) -> Iterator[Database[dict[str, Any]]]:
    """A database of the test's own, in memory and on a server."""
    if request.param == "mongomock":
        yield prepare(mongomock.MongoClient(tz_aware=True)["projectapi"])
    else:
        with connect(request.getfixturevalue("mongodb_uri")) as client:
            yield prepare(client[f"numbers_{new_id()}"])


@pytest.fixture
def stored(mongodb_uri: str) -> Iterator[Database[dict[str, Any]]]:
    """A database on a server, which knows how large it is."""
    with connect(mongodb_uri) as client:
        yield prepare(client[f"numbers_{new_id()}"])


def numbers_of(database: Database[dict[str, Any]]) -> DatabaseNumbers:
    return DatabaseNumbers(database, DatabaseCircuit())


def test_jobs_are_told_by_kind_and_state_with_the_time_that_they_took(database: Database[dict[str, Any]]) -> None:
    clock = [NOON]
    store = MongoJobStore(database[JOBS], Retry(), clock=lambda: clock[0])
    jobs = [store.begin(job_request(kind=JobKind.EXPORT))[0].id for _ in range(5)]
    finished, failed, cancelled, running, _queued = jobs
    for job_id in (finished, failed, running):
        store.claim(job_id, "holder")
    clock[0] = NOON + timedelta(seconds=12)
    store.finish(finished, "holder", {})
    store.finish(failed, "holder", MediaBusy())
    store.cancel(cancelled)

    told = numbers_of(database).jobs()

    assert told is not None
    assert {state: told[JobKind.EXPORT, state] for state in JobState} == {
        JobState.FINISHED: JobsTally(1, 12.0),
        JobState.FAILED: JobsTally(1, 12.0),
        JobState.CANCELLED: JobsTally(1),
        JobState.RUNNING: JobsTally(1),
        JobState.QUEUED: JobsTally(1),
    }
    # What there is none of is nought, and not unknown.
    assert told[JobKind.TRANSCRIBE, JobState.RUNNING] == JobsTally()


def test_the_history_is_a_part_of_the_database_that_has_a_size_of_its_own(stored: Database[dict[str, Any]]) -> None:
    before = numbers_of(stored).sizes()
    versions = [{"_id": new_id(), "data": bytes(10_000)} for _ in range(20)]
    stored[TIMELINE_STATES].insert_many(versions, bypass_document_validation=True)

    sizes = numbers_of(stored).sizes()

    assert before is not None and sizes is not None
    assert sizes.history_versions - before.history_versions == 20
    assert sizes.history_bytes - before.history_bytes >= 200_000
    assert sizes.database_bytes >= sizes.history_bytes


def test_what_cannot_be_had_is_done_without() -> None:
    with connect("mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=100") as client:
        numbers = numbers_of(client["projectapi"])

        assert (numbers.sizes(), numbers.jobs()) == (None, None)
