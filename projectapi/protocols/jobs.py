"""What work that may outlast its request is, and what must be done for it.

A job is recorded before anybody works on it. Who works on it holds a lease, renewed while the work goes on: when a process
dies, the lease runs out, and whoever asks next finds the job lost and has it done once more. So a job is never running for
ever, and being handed over twice does no harm: only one holder of the lease works.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from projectapi.errors import ProjectApiError
from projectapi.project import JsonObject, Video

Report = Callable[[float], None]
"""Takes how much of the work is done, from 0 to 1; called often. Raises JobStopped when the work is not wanted any more."""


class JobStopped(Exception):
    """The job was cancelled, or somebody else works on it by now: the work is to be left at once."""


class JobKind(StrEnum):
    """All work that jobs may do: nothing else is ever called by a name that came from outside."""

    TRIM_VIDEO = "trim-video"
    REMOVE_FILLERS = "remove-fillers"
    RENDER_PREVIEW = "render-preview"
    EXPORT = "export"
    TRANSCRIBE = "transcribe"


class JobState(StrEnum):
    """Where a job stands; the last three are for good."""

    QUEUED = "queued"
    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRequest:
    """What is to be done to the video of a project, and who asks; `arguments` is plain JSON."""

    kind: JobKind
    project_id: str
    owner: str
    video: Video
    arguments: JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job as it stands: `progress` is in percent; `result` is there when it finished, `error` when it failed.

    `attempts` counts how often the work was begun. `is_lost` says that whoever had it in hand is gone.
    """

    id: str
    request: JobRequest
    state: JobState
    progress: float
    created_at: datetime
    attempts: int = 0
    is_lost: bool = False
    result: JsonObject | None = None
    error: ProjectApiError | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing will happen to it any more."""
        return self.state not in (JobState.QUEUED, JobState.RUNNING)


class Jobs(Protocol):
    """Takes work, hands it over to be done in the background, and knows how it stands.

    Every method may raise DatabaseUnavailable.
    """

    def find(self, request: JobRequest) -> JsonObject | None:
        """Return the result of an equal request if it is still there; nothing is begun. Raises what the work refuses."""

    def submit(self, request: JobRequest) -> Job:
        """Have the work done soon and return its job, that of an equal request if there is one already.

        An equal request whose work failed when nobody waited for it gets that failure, once. Raises MediaBusy when too much
        is waiting.
        """

    def wait(self, job: Job, seconds: float) -> Job:
        """Return the job as soon as it is over, as it stands after `seconds`, or at once when too many wait already."""

    def get(self, job_id: str) -> Job:
        """Return a job. Raises JobNotFound."""

    def cancel(self, job_id: str) -> Job:
        """Cancel a job and return it; one that is over stays what it is. Work is left within seconds. Raises JobNotFound."""


class JobStore(Protocol):
    """Keeps the records of jobs for a day. Every method may raise DatabaseUnavailable."""

    def begin(self, request: JobRequest) -> tuple[Job, bool]:
        """Record a job unless an equal one is not over yet; return it, and whether it is new.

        An equal one that failed while nobody looked is returned in place of a new one. Raises MediaBusy when too many are
        not over yet.
        """

    def get(self, job_id: str) -> Job:
        """Return a job. Raises JobNotFound."""

    def claim(self, job_id: str, holder: str) -> Job | None:
        """Give the lease of a queued job to `holder` and return it; None when the job is not queued."""

    def renew(self, job_id: str, holder: str, progress: float) -> bool:
        """Renew the lease, note the progress (percent), and tell whether the holder is to go on."""

    def finish(self, job_id: str, holder: str, outcome: JsonObject | ProjectApiError) -> None:
        """Record what came of the work: its result or why it failed. Does nothing unless `holder` has the lease."""

    def revive(self, job: Job) -> Job:
        """Queue a lost job anew, or record it as failed when it was begun too often, and return how it stands now."""

    def cancel(self, job_id: str) -> Job:
        """Record that a job is not wanted any more, unless it is over, and return it. Raises JobNotFound."""

    def note_told(self, job_id: str) -> None:
        """Note that somebody has learnt how a job failed."""


class JobCarrier(Protocol):
    """Brings jobs to where the work is done."""

    def carry(self, job_id: str) -> bool:
        """Have the job done soon and return True, or return False when this carrier cannot do that now."""


class Worker(Protocol):
    """A process that does nothing but jobs."""

    def work(self) -> None:
        """Do jobs until the process is told to stop."""
