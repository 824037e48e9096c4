"""Doing one job, wherever it is done: under a lease, in one of the machine's places, to an outcome that is recorded."""

from __future__ import annotations

import logging
import secrets
import threading

from projectapi.errors import ProjectApiError, Unavailable
from projectapi.jobs.folder import JobsFolder
from projectapi.jobs.kinds import Kinds
from projectapi.project import JsonObject
from projectapi.protocols import Job, JobStopped, JobStore

PULSE_SECONDS = 1.0

_log = logging.getLogger(__name__)


class JobRunner:
    """Does jobs by their ids; may be called by many threads and processes, and for one job more than once."""

    def __init__(
        self,
        store: JobStore,
        kinds: Kinds,
        folder: JobsFolder,
        *,
        pulse_seconds: float = PULSE_SECONDS,
    ) -> None:
        self._store = store
        self._kinds = kinds
        self._folder = folder
        self._pulse_seconds = pulse_seconds

    def run(self, job_id: str) -> None:
        """Do a job unless somebody else does it, or did; nothing is raised, what went wrong is recorded and logged."""
        try:
            self._run(job_id, secrets.token_hex(8))
        except Exception:
            # Its lease runs out, and whoever asks for it has it done again.
            _log.exception("the job %s was dropped", job_id)

    def _run(self, job_id: str, holder: str) -> None:
        try:
            with self._folder.place():
                job = self._store.claim(job_id, holder)
                if job is not None:
                    self._do(job, holder)
        except OSError as error:
            # Waiting would not help: somebody has to look at the disk.
            _log.error("no job can be done, the media folder cannot be written: %s", error)
            if self._store.claim(job_id, holder):
                self._store.finish(job_id, holder, Unavailable())

    def _do(self, job: Job, holder: str) -> None:
        pulse = _Pulse(self._store, job.id, holder, self._pulse_seconds)
        try:
            outcome = self._outcome(job, pulse)
        except JobStopped:
            _log.info("the job %s (%s) was left: it is cancelled, or in other hands", job.id, job.request.kind)
            return
        finally:
            pulse.stop()
        self._store.finish(job.id, holder, outcome)

    def _outcome(self, job: Job, pulse: _Pulse) -> JsonObject | ProjectApiError:
        work = self._kinds[job.request.kind]
        try:
            # An attempt that was cut off may have made it already.
            return work.find(job.request) or work.do(job.request, pulse.report)
        except ProjectApiError as error:
            if error.status == 500:
                _log.error("the job %s (%s) failed", job.id, job.request.kind, exc_info=error)
            return error
        except JobStopped:
            raise
        except Exception as error:
            _log.error("the job %s (%s) failed", job.id, job.request.kind, exc_info=error)
            return ProjectApiError()


class _Pulse:
    """Renews the lease of a job while its work goes on, with the progress, and passes on that it is to stop."""

    def __init__(self, store: JobStore, job_id: str, holder: str, seconds: float) -> None:
        self._store = store
        self._job_id = job_id
        self._holder = holder
        self._seconds = seconds
        self._progress = 0.0
        self._unwanted = threading.Event()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="job-pulse", daemon=True)
        self._thread.start()

    def report(self, done: float) -> None:
        """See `Report`."""
        if self._unwanted.is_set():
            raise JobStopped
        # The full hundred is for what is recorded as finished.
        self._progress = min(max(self._progress, 100 * done), 99.0)

    def stop(self) -> None:
        """End it; the work is over."""
        self._over.set()
        self._thread.join()

    def _beat(self) -> None:
        while not self._over.wait(self._seconds):
            try:
                wanted = self._store.renew(self._job_id, self._holder, round(self._progress, 1))
            except ProjectApiError:
                # With the database away nobody else can take the lease either.
                continue
            if not wanted:
                self._unwanted.set()
                return
