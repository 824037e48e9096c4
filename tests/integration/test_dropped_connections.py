"""Connections that drop in the middle of a write, on a real server: nothing is done twice, nobody is told a false conflict."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.errors import NetworkTimeout, NotPrimaryError, OperationFailure

from projectapi.errors import DatabaseUnavailable, OutcomeUnknown, ProjectApiError
from projectapi.infra.retry import Retry
from projectapi.project import ProjectKey, new_id, new_write_id
from projectapi.stores.collections import PROJECTS, TIMELINE_STATES
from tests.harness.failing_server import failing
from tests.harness.meddling import MeddlingCollection, Trouble, answer_lost, not_sent
from tests.harness.stores import Stores, connect, open_stores, prepare, same, save, state, stores_over, tag_of

JsonObject = dict[str, Any]


@pytest.fixture(scope="module")
def stores(failing_uri: str) -> Iterator[Stores]:
    with connect(failing_uri, serverSelectionTimeoutMS=2000) as client:
        yield open_stores(prepare(client["projectapi"]))


def history_of(stores: Stores, key: ProjectKey) -> list[int]:
    return [revision.version for revision in stores.timelines.list_revisions(key, limit=100)]


FAILURES: dict[str, JsonObject] = {
    "connection closed": {"closeConnection": True},
    "shutting down": {"errorCode": 91, "errorLabels": ["RetryableWriteError"]},
    "shutting down, without a label": {"errorCode": 91},
    "no primary": {"errorCode": 10107},
    "done and not confirmed": {
        "writeConcernError": {"code": 91, "errmsg": "shutting down"},
        "errorLabels": ["RetryableWriteError"],
    },
    "done, not confirmed, without a label": {"writeConcernError": {"code": 64, "errmsg": "waiting timed out"}},
}


# Each state change costs the driver half a second to find the server again, so not all are tried twice in a row.
@pytest.mark.parametrize(
    ("failure", "times"), [*((failure, 1) for failure in FAILURES), ("connection closed", 2), ("done and not confirmed", 2)]
)
def test_the_server_fails_during_each_step_and_every_write_is_done_once(
    admin: MongoClient[JsonObject], stores: Stores, failure: str, times: int
) -> None:
    how, mode, owner = FAILURES[failure], {"times": times}, new_id()

    # When the server fails while a project is created
    with failing(admin, "insert", mode, **how):
        created = stores.projects.create_project(name="Holiday", description=None, owner=owner)
    # Then there is one
    key = ProjectKey(created.id)
    assert stores.project_documents.count_documents({"createdBy": owner}) == 1

    # When it fails while the project is renamed on the version that was read
    with failing(admin, "findAndModify", mode, **how):
        renamed = stores.projects.update_project(key, {"name": "Wedding"}, tag_of(created))
    # Then its version has grown by one, and no conflict was told
    assert (renamed.name, renamed.version) == ("Wedding", 2)
    assert stores.projects.get_project(key) == renamed

    # When it fails while a timeline is saved, be it at the revision or at the pointer
    for version in (1, 2):
        with failing(admin, "update", mode, **how):
            saved = stores.timelines.save_timeline(key, save(version))
        # Then the save is one version
        assert saved.version == version and same(stores.timelines.get_revision(key, version).state, state(version))
    assert history_of(stores, key) == [2, 1]


@pytest.mark.parametrize("times", [1, 2])
def test_a_read_survives_connections_that_close(admin: MongoClient[JsonObject], stores: Stores, times: int) -> None:
    key = stores.create()
    stores.timelines.save_timeline(key, save(1))

    with failing(admin, "find", {"times": times}, closeConnection=True):
        project = stores.projects.get_project(key)

    assert project.timeline is not None and same(project.timeline.state, state(1))


def test_a_server_that_keeps_failing_is_given_up_at_the_deadline(
    admin: MongoClient[JsonObject], stores: Stores
) -> None:
    key, impatient = stores.create("before"), open_stores(stores.database, Retry(deadline_seconds=1.2))
    started = time.monotonic()

    with failing(admin, "findAndModify", "alwaysOn", closeConnection=True), pytest.raises(OutcomeUnknown):
        impatient.projects.update_project(key, {"name": "after"})

    assert time.monotonic() - started < 3.0
    assert stores.projects.get_project(key).version == 1


def test_a_server_that_hangs_is_given_up_at_the_deadline_and_its_late_write_counts_once(
    admin: MongoClient[JsonObject], stores: Stores
) -> None:
    # Given a server that hangs for longer than we wait
    key, impatient = stores.create("before"), open_stores(stores.database, Retry(deadline_seconds=0.5))
    write_id, started = new_write_id(), time.monotonic()
    # The first call only looks whether the write was done before
    with failing(admin, "findAndModify", {"skip": 1}, blockConnection=True, blockTimeMS=1000):
        with pytest.raises(OutcomeUnknown):
            impatient.projects.update_project(key, {"name": "after"}, write_id=write_id)
        # Before it answered
        assert time.monotonic() - started < 1.0

    # When the client sends the same write again, and whatever hung has ended
    again = stores.projects.update_project(key, {"name": "after"}, write_id=write_id)
    time.sleep(max(0.0, started + 1.5 - time.monotonic()))

    # Then it was done once
    assert (again.name, again.version) == ("after", 2)
    assert stores.projects.get_project(key) == again


def test_a_server_that_is_gone_is_said_to_be_gone_and_changes_nothing(tmp_path: Path) -> None:
    with connect("mongodb://127.0.0.1:1/", serverSelectionTimeoutMS=2000) as client:
        away = open_stores(client["projectapi"], Retry(deadline_seconds=0.4))
        calls: list[Callable[[], Any]] = [
            lambda: away.projects.get_project(ProjectKey("x")),
            lambda: away.projects.update_project(ProjectKey("x"), {"name": "y"}),
            lambda: away.timelines.save_timeline(ProjectKey("x"), save()),
        ]
        for call in calls:
            started = time.monotonic()

            with pytest.raises(DatabaseUnavailable) as raised:
                call()

            assert type(raised.value) is DatabaseUnavailable
            # Before the driver gave up
            assert time.monotonic() - started < 2.0


# Three hundred writes with troubles drawn at random

OPERATIONS = 300
DEADLINE_SECONDS = 8.0


def raising(error: Exception) -> Trouble:
    """Fail before the call reaches the database, with this error."""

    def trouble(_: Callable[[], Any]) -> Any:
        raise error

    return trouble


def done_then(error: Exception) -> Trouble:
    """Fail after the call has taken effect, with this error."""

    def trouble(call: Callable[[], Any]) -> Any:
        call()
        raise error

    return trouble


TROUBLES: list[Trouble] = [
    not_sent,
    answer_lost,
    raising(NetworkTimeout("slow")),
    done_then(NetworkTimeout("slow")),
    raising(NotPrimaryError("stepping down", {"code": 189})),
    done_then(NotPrimaryError("stepping down", {"code": 189})),
    raising(OperationFailure("too slow", 262)),
    done_then(OperationFailure("too slow", 262)),
]


class Account:
    """What a client was told, to be compared with what the database holds in the end."""

    def __init__(self, stores: Stores) -> None:
        self.owner = new_id()
        self.created = 0
        self.stores = stores
        self.key = stores.create()
        self.renames = self.saves = 0

    def create(self, number: int) -> None:
        self.stores.projects.create_project(name=f"p{number}", description=None, owner=self.owner)
        self.created += 1

    def rename(self, number: int) -> None:
        seen = self.stores.projects.get_summary(self.key)
        self.stores.projects.update_project(self.key, {"name": f"name {number}"}, tag_of(seen))
        self.renames += 1

    def save(self, number: int) -> None:
        current = self.stores.timelines.get_timeline(self.key)
        expected = tag_of(current) if current else None
        self.stores.timelines.save_timeline(self.key, save(number), expected)
        self.saves += 1


def test_of_three_hundred_writes_whose_first_attempts_fail_nearly_all_succeed_and_none_is_done_twice(
    stores: Stores,
) -> None:
    # Given a database that fails the first or the first two attempts of each step, before or after the effect
    chance = random.Random(7)
    projects = MeddlingCollection(stores.database[PROJECTS])
    revisions = MeddlingCollection(stores.database[TIMELINE_STATES])
    account = Account(stores_over(stores.database, projects, revisions, Retry(first_wait_seconds=0.001)))
    steps = {
        account.create: [(projects, "insert_one")],
        account.rename: [(projects, "find_one"), (projects, "find_one_and_update")],
        account.save: [(projects, "find_one"), (revisions, "replace_one"), (projects, "update_one")],
    }

    # When a client creates, renames and saves three hundred times in all
    outcomes: Counter[str] = Counter()
    slowest = 0.0
    for number in range(OPERATIONS):
        operation = chance.choice(list(steps))
        for collection, method in steps[operation]:
            collection.plan(method, *chance.choices(TROUBLES, k=chance.randint(1, 2)))
        started = time.monotonic()
        try:
            operation(number)
            outcomes["succeeded"] += 1
        except ProjectApiError as error:
            outcomes[type(error).__name__] += 1
        slowest = max(slowest, time.monotonic() - started)
        projects.calm_down()
        revisions.calm_down()

    # Then nearly all succeeded in time, no conflict was told, and each was done once
    print(dict(outcomes), f"slowest {slowest:.2f} s")
    assert slowest < DEADLINE_SECONDS
    assert outcomes["succeeded"] >= 0.95 * OPERATIONS
    assert outcomes.keys() <= {"succeeded", "OutcomeUnknown", "DatabaseUnavailable"}
    unknown = OPERATIONS - outcomes["succeeded"]
    made = stores.project_documents.count_documents({"createdBy": account.owner})
    assert account.created <= made <= account.created + unknown
    project = stores.projects.get_project(account.key)
    assert project.timeline is not None
    assert account.saves <= project.timeline.version <= account.saves + unknown
    assert project.version - 1 - project.timeline.version - account.renames <= unknown
    versions = [revision.version for revision in stores.timelines.list_revisions(account.key, limit=500)]
    assert versions == list(range(project.timeline.version, 0, -1))
