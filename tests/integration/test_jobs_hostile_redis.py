"""Who can write to Redis can run nothing in the worker process but jobs that stand in MongoDB."""

from __future__ import annotations

import json
import os
import pickle
import secrets
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest
from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer

from projectapi.devstack.processes import start_child, wait_or_kill
from projectapi.jobs.redis_queue import RedisCarrier, queue_name
from tests.harness.whole_app import ROOT, wait_for

# Notes each id that it is to run, in a folder; that is all that it can do.
WORKER = """
import sys; from pathlib import Path; from projectapi.jobs.redis_queue import RedisWorker
url, disk, folder = sys.argv[1:]
def run(job_id): Path(folder, f"ran_{job_id}").touch()
RedisWorker(url, lambda: disk, run).work()
"""
NOW = b"2026-11-22T12:00:00.000000Z"


class Bomb:
    """A pickle of this makes a folder when it is read."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self._path),)


@pytest.fixture
def disk() -> str:
    """A queue that no other test uses."""
    return secrets.token_hex(8)


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    with Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def start_worker(redis_url: str, disk: str, tmp_path: Path) -> Iterator[Any]:
    """Start a worker when everything is prepared for it."""
    workers: list[Popen[bytes]] = []

    def start() -> None:
        environment = ["env", f"PYTHONPATH={ROOT}:{tmp_path}", sys.executable, "-c", WORKER, redis_url, disk, str(tmp_path)]
        workers.append(start_child(["/usr/bin/" + environment[0], *environment[1:]], log=tmp_path / "worker.log"))

    yield start
    for worker in workers:
        worker.send_signal(signal.SIGTERM)
        wait_or_kill(worker, 10)


def records(harm: Path) -> list[dict[str, Any]]:
    """Return what an intruder would write: each makes the folder `harm` if RQ takes it for what it says."""

    def calling(function: str) -> bytes:
        return json.dumps([function, None, [str(harm)], {}]).encode()

    bomb, legit = pickle.dumps(Bomb(harm)), calling("nothing")
    return [
        {"data": calling("os.mkdir")},
        {"data": json.dumps(["mkdir", "os", [str(harm)], {}]).encode()},
        {"data": bomb},
        {"data": legit, "meta": bomb},
        {"data": legit, "result": bomb},
        {"data": legit, "success_callback_name": "intruder.anything"},
        {"data": b"no JSON", "failure_callback_name": "intruder.anything"},
        {"data": legit, "dependency_ids": json.dumps(["x"])},
        {"data": legit, "repeats_left": "9", "repeat_intervals": "[0]", "retries_left": "9"},
    ]


def push(redis: Redis, disk: str, record: dict[str, Any]) -> None:
    rq_id = secrets.token_hex(8)
    common = {"created_at": NOW, "enqueued_at": NOW, "origin": queue_name(disk), "status": "queued", "timeout": "-1"}
    redis.hset(f"rq:job:{rq_id}", mapping={**common, **record})
    redis.rpush(f"rq:queue:{queue_name(disk)}", rq_id)


def test_only_ids_of_jobs_are_taken_from_redis(
    redis: Redis, redis_url: str, disk: str, start_worker: Any, tmp_path: Path
) -> None:
    harm = tmp_path / "harm"
    # What is imported is run.
    (tmp_path / "intruder.py").write_text(f"import os; os.mkdir({str(harm)!r})")
    for record in records(harm):
        push(redis, disk, record)

    start_worker()

    carrier = RedisCarrier(redis_url, lambda: disk)
    wait_for(lambda: carrier.carry("good"), 30, "the worker to be alive")
    wait_for((tmp_path / "ran_good").exists, 60, f"the good job after all the bad ones: {tmp_path / 'worker.log'}")
    assert not harm.exists()


def test_without_a_living_worker_nothing_is_put_into_redis(redis: Redis, redis_url: str, disk: str) -> None:
    assert not RedisCarrier(redis_url, lambda: disk).carry("job")
    assert Queue(queue_name(disk), connection=redis, serializer=JSONSerializer).is_empty()


def test_a_worker_of_another_disk_is_not_given_the_work(redis_url: str, disk: str, start_worker: Any, tmp_path: Path) -> None:
    start_worker()
    wait_for(lambda: RedisCarrier(redis_url, lambda: disk).carry("mine"), 30, "the worker to be alive")

    assert not RedisCarrier(redis_url, lambda: "another").carry("theirs")


def test_with_redis_away_a_job_is_not_taken_and_nothing_is_raised() -> None:
    assert not RedisCarrier("redis://127.0.0.1:1/0", lambda: "disk").carry("job")
