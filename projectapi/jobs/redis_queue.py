"""Jobs in processes of their own: RQ carries their ids through Redis.

Whoever can write to Redis must not be able to run code here. So nothing but a job's id travels, as JSON; what is to be done
stands in MongoDB under that id. RQ would call any function by its dotted name, and callbacks and webhooks besides: `CarriedJob`
looks at none of these names, and reads of RQ's records only what it needs.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import redis
from redis.exceptions import RedisError
from rq import Queue
from rq.job import Job as RqJob
from rq.serializers import JSONSerializer
from rq.worker import Worker as RqWorker

from projectapi.infra.redis_client import connect
from projectapi.protocols import JobCarrier, Worker

_SHOWN_AS = "a job of projectapi"
_NO_LIMIT = -1
_KEPT_SECONDS = 60

_WORKER_SECONDS = 30
_SILENT = timedelta(seconds=45)
_TIMEOUT_SECONDS = 1.0

_KNOWN_FIELDS = frozenset(
    (b"data", b"created_at", b"enqueued_at", b"started_at", b"ended_at", b"last_heartbeat", b"worker_name")
    + (b"origin", b"status", b"timeout", b"result_ttl", b"failure_ttl")
)

_log = logging.getLogger(__name__)


def queue_name(disk: str) -> str:
    """Return the name of the queue for work on the files of this disk."""
    return f"projectapi-{disk}"


class CarriedJob(RqJob):
    """What RQ carries: the id of a job of ours, and `run`, which is the only thing that is ever called."""

    run: Callable[[str], None]

    def restore(self, raw_data: Mapping[Any, Any]) -> None:
        """Read RQ's record of this job, but nothing in it that could make RQ call, import, fetch or repeat something."""
        super().restore({name: value for name, value in raw_data.items() if name in _KNOWN_FIELDS})

    def _execute(self) -> None:
        self.run(str(self.args[0]))


class RedisCarrier(JobCarrier):
    """`JobCarrier` for worker processes on the same disk; while none is alive, or Redis is away, it takes nothing.

    So nobody needs to run a worker for jobs to be done: in development, say, nobody does.
    """

    def __init__(self, url: str, disk: Callable[[], str]) -> None:
        self._redis = connect(url, socket_timeout=_TIMEOUT_SECONDS, socket_connect_timeout=_TIMEOUT_SECONDS)
        self._disk = disk

    def carry(self, job_id: str) -> bool:
        """See `JobCarrier.carry`."""
        try:
            queue = _queue(self._redis, self._disk())
            if not any(self._is_alive(key) for key in RqWorker.all_keys(queue=queue)):
                return False
            queue.enqueue_call(
                _SHOWN_AS,
                (job_id,),
                timeout=_NO_LIMIT,
                result_ttl=0,
                failure_ttl=_KEPT_SECONDS,
                description=_SHOWN_AS,
            )
        except (RedisError, OSError) as error:
            _log.warning("jobs are done by this process: Redis or the media folder failed (%s)", type(error).__name__)
            return False
        return True

    def _is_alive(self, worker: str) -> bool:
        # The record of a worker that was killed stays for minutes.
        heard: Any = self._redis.hget(worker, "last_heartbeat")
        return heard is not None and datetime.now(UTC) - datetime.fromisoformat(heard.decode()) < _SILENT


class RedisWorker(Worker):
    """`Worker` that serves the queue of one disk: a process forked for each job, so that none can harm the next."""

    def __init__(self, url: str, disk: Callable[[], str], run: Callable[[str], None]) -> None:
        self._url = url
        self._disk = disk
        self._run = run

    def work(self) -> None:
        """See `Worker.work`."""
        connection = redis.Redis.from_url(self._url)
        _ForkingWorker(self._run, _queue(connection, self._disk())).work(logging_level="WARNING")


class _ForkingWorker(RqWorker):
    def __init__(self, run: Callable[[str], None], queue: Queue) -> None:
        super().__init__(
            [queue],
            connection=queue.connection,
            job_class=CarriedJob,
            serializer=JSONSerializer,
            worker_ttl=_WORKER_SECONDS,
            job_monitoring_interval=_WORKER_SECONDS // 2,
            log_job_description=False,
        )
        self._run = run

    def perform_job(self, job: RqJob, queue: Queue, execution: Any) -> bool:
        assert isinstance(job, CarriedJob)
        job.run = self._run
        return super().perform_job(job, queue, execution)


def _queue(connection: redis.Redis, disk: str) -> Queue:
    return Queue(queue_name(disk), connection=connection, job_class=CarriedJob, serializer=JSONSerializer)
