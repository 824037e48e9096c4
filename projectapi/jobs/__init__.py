"""The jobs room: work that may outlast its request, done in threads of the web process or in worker processes.

The record of a job is in MongoDB, whoever does it. With Redis and a living worker process (`flask worker`) on the same disk, RQ
carries its id there; otherwise a thread of the process that took the request does it. So in development, where nobody runs a
worker, and on hosts whose worker processes have disks of their own, nothing is missing. All of them share the machine's places.
The rest of projectapi uses what `open_jobs` returns and nothing below it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from projectapi.jobs.desk import JobDesk
from projectapi.jobs.folder import JobsFolder
from projectapi.jobs.kinds import kinds_of_work
from projectapi.jobs.redis_queue import RedisCarrier, RedisWorker
from projectapi.jobs.runner import JobRunner
from projectapi.jobs.threads import ThreadCarrier
from projectapi.protocols import JobCarrier, Jobs, JobStore, Recogniser, TranscriptStore, VideoFiles, Worker

__all__ = ["JobsRoom", "open_jobs"]


@dataclass(frozen=True, slots=True)
class JobsRoom:
    """The desk for requests, and the worker of `flask worker`; None without Redis, where there is nothing to listen to."""

    desk: Jobs
    worker: Worker | None


def open_jobs(
    store: JobStore,
    videos: VideoFiles,
    transcripts: TranscriptStore,
    recogniser: Recogniser | None,
    *,
    media_dir: Path,
    redis_url: str | None,
    at_once: int,
    waiting: int,
) -> JobsRoom:
    """Put the room together: at most `at_once` jobs at a time on this machine, at most `waiting` requests that wait."""
    kinds = kinds_of_work(videos, transcripts, recogniser)
    folder = JobsFolder(media_dir / "jobs", at_once=at_once)
    runner = JobRunner(store, kinds, folder)
    carriers: list[JobCarrier] = [ThreadCarrier(runner.run, at_once=at_once)]
    worker = None
    if redis_url is not None:
        carriers.insert(0, RedisCarrier(redis_url, folder.name))
        worker = RedisWorker(redis_url, folder.name, runner.run)
    return JobsRoom(JobDesk(store, kinds, carriers, waiting=waiting), worker)
