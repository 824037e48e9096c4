"""Records of jobs: one lease, one active job per request, and no job that runs for ever."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import mongomock
import pytest

from projectapi.errors import DiskFull, JobNotFound, MediaBusy, ValidationFailed
from projectapi.infra.retry import Retry
from projectapi.project import new_id, now
from projectapi.protocols import Job, JobState
from projectapi.stores.collections import JOBS, set_up
from projectapi.stores.mongo_jobs import LEASE_SECONDS, QUEUE_SECONDS, MongoJobStore
from tests.harness.jobs import job_request
from tests.harness.stores import connect, prepare


@dataclass
class Clock:
    """A clock that tests put forward."""

    at: datetime = field(default_factory=now)

    def __call__(self) -> datetime:
        return self.at

    def pass_seconds(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["mongomock", "mongodb"])
def store(request: pytest.FixtureRequest, clock: Clock) -> Iterator[MongoJobStore]:
    """The store over a database of its own, in memory and on a server."""
    if request.param == "mongomock":
        database = prepare(mongomock.MongoClient(tz_aware=True)["projectapi"])
        yield MongoJobStore(database[JOBS], Retry(), clock=clock)
        return
    with connect(request.getfixturevalue("mongodb_uri")) as client:
        database = client[f"jobs_{new_id()}"]
        set_up(database, {})
        yield MongoJobStore(database[JOBS], Retry(), clock=clock)


def begun(store: MongoJobStore, **different: Any) -> Job:
    return store.begin(job_request(**different))[0]


def test_a_new_job_is_queued_and_found_again(store: MongoJobStore) -> None:
    asked = job_request()

    job, is_new = store.begin(asked)

    assert is_new and (job.state, job.progress, job.attempts) == (JobState.QUEUED, 0, 0)
    assert store.get(job.id) == job and job.request == asked
    assert not job.is_over and not job.is_lost


def test_a_job_that_nobody_knows_is_not_found(store: MongoJobStore) -> None:
    for call in (store.get, store.cancel):
        with pytest.raises(JobNotFound):
            call("0" * 24)


def test_a_job_that_another_version_wrote_is_not_known(store: MongoJobStore) -> None:
    job = begun(store)
    store._collection.update_one({"_id": job.id}, {"$unset": {"video.sha256": ""}})

    with pytest.raises(JobNotFound):
        store.get(job.id)


def test_equal_requests_share_a_job_until_it_is_over(store: MongoJobStore) -> None:
    asked = job_request()
    job, _ = store.begin(asked)
    assert store.begin(asked) == (job, False)

    store.claim(job.id, "holder")
    store.finish(job.id, "holder", {"done": True})

    again, is_new = store.begin(asked)
    assert is_new and again.id != job.id


def test_equal_requests_at_the_same_time_share_a_job(store: MongoJobStore) -> None:
    asked = job_request()

    with ThreadPoolExecutor(4) as crowd:
        answers = list(crowd.map(lambda _: store.begin(asked), range(8)))

    assert len({job.id for job, _ in answers}) == 1
    assert [is_new for _, is_new in answers].count(True) == 1


def test_requests_that_differ_in_anything_have_jobs_of_their_own(store: MongoJobStore) -> None:
    first = begun(store, project_id="p", arguments={"segments": [[0, 1]]})

    other_cut = begun(store, project_id="p", arguments={"segments": [[0, 2]]})
    other_project = begun(store, project_id="q", arguments={"segments": [[0, 1]]})

    assert len({first.id, other_cut.id, other_project.id}) == 3


def test_only_one_holder_gets_a_job(store: MongoJobStore) -> None:
    job = begun(store)

    with ThreadPoolExecutor(4) as crowd:
        claims = [claim for claim in crowd.map(lambda number: store.claim(job.id, f"holder {number}"), range(8)) if claim]

    assert [(claim.state, claim.attempts) for claim in claims] == [(JobState.RUNNING, 1)]


def test_a_claim_whose_answer_was_lost_is_still_ours(store: MongoJobStore) -> None:
    job = begun(store)
    first = store.claim(job.id, "holder")

    assert store.claim(job.id, "holder") == first
    assert store.claim(job.id, "another") is None


def test_progress_is_noted_by_the_holder_and_nobody_else(store: MongoJobStore) -> None:
    job = begun(store)
    store.claim(job.id, "holder")

    assert store.renew(job.id, "holder", 42.5)
    assert not store.renew(job.id, "another", 99)
    assert store.get(job.id).progress == 42.5


def test_a_result_is_kept(store: MongoJobStore, clock: Clock) -> None:
    job = begun(store)
    store.claim(job.id, "holder")
    clock.pass_seconds(2)

    store.finish(job.id, "holder", {"path": "a.mp4"})

    done = store.get(job.id)
    assert (done.state, done.progress, done.result) == (JobState.FINISHED, 100, {"path": "a.mp4"})
    assert done.finished_at == clock.at and done.is_over


def test_a_failure_is_kept_with_all_that_its_client_may_see(store: MongoJobStore) -> None:
    job = begun(store)
    store.claim(job.id, "holder")
    detail = [{"type": "x", "loc": ["body"], "msg": "no"}]

    store.finish(job.id, "holder", ValidationFailed("No.", detail=detail, headers={"Retry-After": "9"}))

    failed = store.get(job.id)
    assert failed.state is JobState.FAILED and isinstance(failed.error, ValidationFailed)
    assert (failed.error.text, failed.error.detail, failed.error.headers) == ("No.", detail, {"Retry-After": "9"})


def test_a_failure_that_nobody_heard_is_told_once_to_who_asks_next(store: MongoJobStore) -> None:
    asked = job_request()
    job, _ = store.begin(asked)
    store.claim(job.id, "holder")
    store.finish(job.id, "holder", DiskFull())

    told, is_new = store.begin(asked)
    anew, is_new_then = store.begin(asked)

    assert (told.id, is_new) == (job.id, False) and isinstance(told.error, DiskFull)
    assert is_new_then and anew.id != job.id


def test_a_failure_that_was_heard_does_not_keep_anybody_from_trying_again(store: MongoJobStore) -> None:
    asked = job_request()
    job, _ = store.begin(asked)
    store.claim(job.id, "holder")
    store.finish(job.id, "holder", DiskFull())

    store.note_told(job.id)

    assert store.begin(asked)[1]


def test_who_lost_the_lease_cannot_finish(store: MongoJobStore, clock: Clock) -> None:
    job = begun(store)
    store.claim(job.id, "slow")
    clock.pass_seconds(LEASE_SECONDS + 1)
    store.revive(store.get(job.id))
    store.claim(job.id, "quick")

    store.finish(job.id, "slow", {"late": True})

    assert not store.renew(job.id, "slow", 90)
    assert (store.get(job.id).state, store.get(job.id).result) == (JobState.RUNNING, None)


def test_a_holder_that_falls_silent_is_noticed_and_the_job_is_queued_once_more(store: MongoJobStore, clock: Clock) -> None:
    job = begun(store)
    store.claim(job.id, "dead")
    store.renew(job.id, "dead", 70)
    clock.pass_seconds(LEASE_SECONDS - 1)
    assert not store.get(job.id).is_lost
    clock.pass_seconds(2)
    assert store.get(job.id).is_lost

    revived = store.revive(store.get(job.id))

    assert (revived.state, revived.progress, revived.is_lost) == (JobState.QUEUED, 0, False)
    assert store.claim(job.id, "next") is not None


def test_a_job_that_kills_its_holder_twice_is_given_up(store: MongoJobStore, clock: Clock) -> None:
    job = begun(store)
    for holder in ("first", "second"):
        assert store.claim(job.id, holder) is not None
        clock.pass_seconds(LEASE_SECONDS + 1)
        given_up = store.revive(store.get(job.id))

    assert given_up.state is JobState.FAILED and given_up.error is not None
    assert given_up.error.code == "job_interrupted"
    assert store.claim(job.id, "third") is None


def test_a_job_that_no_queue_brings_is_handed_over_again_as_often_as_it_takes(store: MongoJobStore, clock: Clock) -> None:
    job = begun(store)
    for _ in range(5):
        clock.pass_seconds(QUEUE_SECONDS + 1)
        assert store.get(job.id).is_lost
        assert store.revive(store.get(job.id)).state is JobState.QUEUED

    assert not store.get(job.id).is_lost


def test_reviving_does_not_take_a_job_from_a_holder_that_is_alive(store: MongoJobStore, clock: Clock) -> None:
    job = begun(store)
    store.claim(job.id, "holder")
    clock.pass_seconds(LEASE_SECONDS + 1)
    seen = store.get(job.id)
    store.renew(job.id, "holder", 10)

    assert store.revive(seen).state is JobState.RUNNING
    assert store.renew(job.id, "holder", 11)


def test_a_cancelled_job_is_begun_by_nobody(store: MongoJobStore) -> None:
    job = begun(store)

    assert store.cancel(job.id).state is JobState.CANCELLED
    assert store.claim(job.id, "holder") is None


def test_the_holder_of_a_cancelled_job_hears_of_it(store: MongoJobStore) -> None:
    job = begun(store)
    store.claim(job.id, "holder")

    store.cancel(job.id)

    assert not store.renew(job.id, "holder", 50)
    store.finish(job.id, "holder", {"late": True})
    assert (store.get(job.id).state, store.get(job.id).result) == (JobState.CANCELLED, None)


def test_what_is_over_cannot_be_cancelled(store: MongoJobStore) -> None:
    job = begun(store)
    store.claim(job.id, "holder")
    store.finish(job.id, "holder", {"done": True})

    assert store.cancel(job.id).state is JobState.FINISHED


def test_one_project_cannot_fill_the_line(store: MongoJobStore) -> None:
    for number in range(10):
        begun(store, project_id="busy", arguments={"segments": [[0, number]]})

    with pytest.raises(MediaBusy):
        begun(store, project_id="busy", arguments={"segments": [[0, 99]]})
    assert begun(store).state is JobState.QUEUED
