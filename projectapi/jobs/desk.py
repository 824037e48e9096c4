"""Where work is handed in and asked after."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from projectapi.jobs.kinds import Kinds
from projectapi.project import JsonObject
from projectapi.protocols import Job, JobCarrier, JobRequest, Jobs, JobState, JobStore

_FIRST_PAUSE_SECONDS = 0.02
_LONGEST_PAUSE_SECONDS = 0.5


class JobDesk(Jobs):
    """`Jobs` over a store of records and carriers, of which the first that can takes a job; the last one always can.

    Lost jobs are found by who asks: a job that nobody asks for is nobody's loss, and its record goes after a day.
    """

    def __init__(self, store: JobStore, kinds: Kinds, carriers: Sequence[JobCarrier], *, waiting: int) -> None:
        self._store = store
        self._kinds = kinds
        self._carriers = carriers
        # Who waits is a thread that serves requests, and some must stay free for others.
        self._waiting = threading.BoundedSemaphore(waiting)

    def find(self, request: JobRequest) -> JsonObject | None:
        """See `Jobs.find`."""
        return self._kinds[request.kind].find(request)

    def submit(self, request: JobRequest) -> Job:
        """See `Jobs.submit`."""
        job, is_new = self._store.begin(request)
        if is_new:
            self._hand_over(job, self._carriers)
            return job
        return self._brought_back(job)

    def wait(self, job: Job, seconds: float) -> Job:
        """See `Jobs.wait`."""
        if not self._waiting.acquire(blocking=False):
            return job
        try:
            started = time.monotonic()
            while not job.is_over and (waited := time.monotonic() - started) < seconds:
                # A cut of a moment is answered in a moment, and a long one is not asked after all the time.
                time.sleep(min(max(_FIRST_PAUSE_SECONDS, waited / 10), _LONGEST_PAUSE_SECONDS))
                job = self.get(job.id)
        finally:
            self._waiting.release()
        return job

    def get(self, job_id: str) -> Job:
        """See `Jobs.get`."""
        job = self._brought_back(self._store.get(job_id))
        if job.error is not None:
            self._store.note_told(job.id)
        return job

    def cancel(self, job_id: str) -> Job:
        """See `Jobs.cancel`."""
        return self._store.cancel(job_id)

    def _brought_back(self, job: Job) -> Job:
        if not job.is_lost:
            return job
        # What a queue did not deliver in time is not put there again: whoever served it may have died without a word.
        carriers = self._carriers[-1:] if job.state is JobState.QUEUED else self._carriers
        job = self._store.revive(job)
        if job.state is JobState.QUEUED:
            self._hand_over(job, carriers)
        return job

    def _hand_over(self, job: Job, carriers: Sequence[JobCarrier]) -> None:
        any(carrier.carry(job.id) for carrier in carriers)
