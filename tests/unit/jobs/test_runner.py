"""Doing a job when something around it goes wrong, and threads that do them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import mongomock
import pytest

from projectapi.errors import DatabaseUnavailable
from projectapi.infra.retry import Retry
from projectapi.jobs.folder import JobsFolder
from projectapi.jobs.runner import JobRunner
from projectapi.jobs.threads import ThreadCarrier
from projectapi.project import JsonObject
from projectapi.protocols import JobKind, JobRequest, JobState, Report
from projectapi.stores.collections import JOBS
from projectapi.stores.mongo_jobs import MongoJobStore
from tests.harness.jobs import job_request
from tests.harness.stores import prepare
from tests.harness.whole_app import wait_for


@dataclass
class Scripted:
    """Work that does what a test says."""

    act: Callable[[Report], JsonObject]
    found: JsonObject | None = None
    times: int = 0

    def find(self, request: JobRequest) -> JsonObject | None:
        return self.found

    def do(self, request: JobRequest, report: Report) -> JsonObject:
        self.times += 1
        return self.act(report)


@pytest.fixture
def store() -> MongoJobStore:
    return MongoJobStore(prepare(mongomock.MongoClient(tz_aware=True)["projectapi"])[JOBS], Retry())


@pytest.fixture
def job_id(store: MongoJobStore) -> str:
    return store.begin(job_request())[0].id


@pytest.fixture
def runner_of(store: MongoJobStore, tmp_path: Path) -> Callable[[Scripted], JobRunner]:
    def make(work: Scripted, folder: Path = tmp_path / "jobs") -> JobRunner:
        return JobRunner(store, {JobKind.TRIM_VIDEO: work}, JobsFolder(folder, at_once=1), pulse_seconds=0.02)

    return make


def test_progress_is_told_while_the_work_goes_on(
    store: MongoJobStore, job_id: str, runner_of: Callable[..., JobRunner]
) -> None:
    def act(report: Report) -> JsonObject:
        # It never goes back, and the hundred is for what is finished.
        for done, told in ((0.1, 10), (0.6, 60), (0.3, 60), (1.0, 99)):
            report(done)
            wait_for(partial(is_told, told), 10, f"a progress of {told} to be written")
        return {"done": True}

    def is_told(percent: float) -> bool:
        return store.get(job_id).progress == percent

    runner_of(Scripted(act)).run(job_id)

    assert (store.get(job_id).progress, store.get(job_id).state) == (100, JobState.FINISHED)


def test_a_database_that_is_away_for_a_moment_does_not_stop_the_work(
    store: MongoJobStore, job_id: str, runner_of: Callable[..., JobRunner], monkeypatch: pytest.MonkeyPatch
) -> None:
    really_renew, failed, back = store.renew, threading.Event(), threading.Event()

    def renew(*arguments: Any) -> bool:
        if not failed.is_set():
            failed.set()
            raise DatabaseUnavailable
        back.set()
        return really_renew(*arguments)

    def act(report: Report) -> JsonObject:
        assert failed.wait(10) and back.wait(10)
        report(0.5)
        return {"done": True}

    monkeypatch.setattr(store, "renew", renew)
    runner_of(Scripted(act)).run(job_id)

    assert store.get(job_id).result == {"done": True}


def test_what_an_attempt_that_was_cut_off_made_is_not_made_again(
    store: MongoJobStore, job_id: str, runner_of: Callable[..., JobRunner]
) -> None:
    work = Scripted(lambda _: {"made": "anew"}, found={"made": "before"})

    runner_of(work).run(job_id)

    assert (store.get(job_id).result, work.times) == ({"made": "before"}, 0)


def test_a_job_that_is_carried_twice_is_done_once(
    store: MongoJobStore, job_id: str, runner_of: Callable[..., JobRunner]
) -> None:
    work = Scripted(lambda _: {"done": True})
    runner = runner_of(work)

    with ThreadPoolExecutor(3) as crowd:
        list(crowd.map(runner.run, [job_id] * 6))

    assert work.times == 1


def test_an_outcome_that_cannot_be_recorded_is_logged_and_nothing_is_raised(
    store: MongoJobStore,
    job_id: str,
    runner_of: Callable[..., JobRunner],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def finish(*_: Any) -> None:
        raise DatabaseUnavailable

    monkeypatch.setattr(store, "finish", finish)

    runner_of(Scripted(lambda _: {"done": True})).run(job_id)

    assert [record.levelname for record in caplog.records if "was dropped" in record.getMessage()] == ["ERROR"]
    assert store.get(job_id).state is JobState.RUNNING


def test_without_a_folder_for_places_a_job_fails_in_plain_words(
    store: MongoJobStore, job_id: str, runner_of: Callable[..., JobRunner], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()

    runner_of(Scripted(lambda _: {}), tmp_path / "file").run(job_id)

    failed = store.get(job_id)
    assert failed.error is not None and failed.error.code == "unavailable"
    assert str(tmp_path) not in failed.error.text


def test_threads_do_what_they_are_given_so_many_at_once() -> None:
    working: list[str] = []
    go_on, lock = threading.Event(), threading.Lock()

    def run(job_id: str) -> None:
        with lock:
            working.append(job_id)
        assert go_on.wait(10)

    carrier = ThreadCarrier(run, at_once=2)
    # Carried twice, in hand once.
    assert all(carrier.carry(job_id) for job_id in ("a", "b", "a", "c", "c", "d"))

    wait_for(lambda: len(working) == 2, 10, "two threads to work")
    go_on.set()
    wait_for(lambda: len(working) == 4, 10, "all to be done")
    assert sorted(working) == ["a", "b", "c", "d"]
