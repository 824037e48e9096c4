"""The resource /jobs: work that goes on in the background."""

from __future__ import annotations

from flask import Blueprint, Response

from projectapi.api.context import backend, owner
from projectapi.api.documentation import documented, enveloped
from projectapi.api.envelope import success
from projectapi.errors import JobNotFound
from projectapi.protocols import Job
from projectapi.schemas.job_answers import job_data
from projectapi.schemas.shapes.jobs import JobAnswer

blueprint = Blueprint("jobs", __name__, url_prefix="/jobs")


@blueprint.get("/<job_id>")
@documented(answer=enveloped(JobAnswer), errors=(JobNotFound,))
def get_job(job_id: str) -> Response:
    """Return how a job stands; once it has finished, its result is what the request would have been answered with."""
    response = success(job_data(_own(backend().jobs.get(job_id))), "Job found")
    response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.delete("/<job_id>")
@blueprint.post("/<job_id>/cancel")
@documented(answer=enveloped(JobAnswer), errors=(JobNotFound,))
def cancel_job(job_id: str) -> Response:
    """Cancel a job; one that is over stays what it is."""
    _own(backend().jobs.get(job_id))
    job = backend().jobs.cancel(job_id)
    return success(job_data(job), f"The job is {job.state}")


def _own(job: Job) -> Job:
    """Return the job if whoever asks may know of it: where ownership is enforced, only who asked for the work may."""
    if backend().ownership_enforced and job.request.owner != owner():
        raise JobNotFound
    return job
