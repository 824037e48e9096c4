"""What clients get of jobs."""

from __future__ import annotations

from projectapi.project import JsonObject
from projectapi.protocols import Job
from projectapi.schemas.times import wire_time


def job_data(job: Job) -> JsonObject:
    """Return a job as /jobs answers it: the times are None before they have come, the `result` is that of the request."""
    return {
        "_id": job.id,
        "kind": job.request.kind,
        "project_id": job.request.project_id,
        "owner": job.request.owner,
        "state": job.state,
        "progress": job.progress,
        "result": job.result,
        "error": None if job.error is None else {"code": job.error.code, "message": job.error.text},
        "created_at": wire_time(job.created_at),
        "started_at": wire_time(job.started_at),
        "finished_at": wire_time(job.finished_at),
    }
