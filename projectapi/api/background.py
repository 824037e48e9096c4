"""Answers to requests whose work may take long: at once, after a wait, or by way of a job."""

from __future__ import annotations

from typing import Any

from flask import Response, request
from marshmallow import Schema
from werkzeug.http import parse_list_header

from projectapi.api.context import backend
from projectapi.api.documentation import enveloped
from projectapi.api.envelope import success
from projectapi.errors import JobCancelled
from projectapi.protocols import Job, JobRequest, JobState
from projectapi.schemas.job_answers import job_data
from projectapi.schemas.shapes.jobs import JobAnswer

WAIT_SECONDS = 25.0
"""Longest time that a request waits for its job: existing frontends give up after 30 seconds."""

RESPOND_ASYNC = "respond-async"


def or_a_job(shape: type[Schema]) -> dict[str, Any]:
    """Return what documents a handler that answers `shape`, or a job where the work takes longer."""
    [(media_type, job)] = enveloped(JobAnswer).items()
    description = "The work goes on: the job, whose address is in `Location`."
    later = {"description": description, "content": {media_type: {"schema": job}}}
    return {"answer": enveloped(shape), "headers": ("Prefer",), "more": {"responses": {"202": later}}}


def answered(asked: JobRequest, message: str) -> Response:
    """Return 200 with the result of the work, or 202 with its job where that takes longer or the client does not wait.

    Raises why the work was refused or failed.
    """
    found = backend().jobs.find(asked)
    if found is not None:
        return success(found, message)
    job = backend().jobs.submit(asked)
    if not prefers_async():
        job = waited_for(job)
    if job.state is not JobState.FINISHED:
        return accepted(job)
    return success(job.result, message)


def waited_for(job: Job) -> Job:
    """Return the job as soon as it has finished, as it stands after a while. Raises why it failed."""
    job = backend().jobs.wait(job, WAIT_SECONDS)
    if job.error is not None:
        raise job.error
    if job.state is JobState.CANCELLED:
        raise JobCancelled
    return job


def accepted(job: Job) -> Response:
    """Return 202 with a job, whose address is in `Location`; `Preference-Applied` where the client asked for this."""
    response = success(job_data(job), f"This takes a while: ask /jobs/{job.id} how it stands.")
    response.status_code = 202
    response.headers["Location"] = f"/jobs/{job.id}"
    if prefers_async():
        response.headers["Preference-Applied"] = RESPOND_ASYNC
    return response


def prefers_async() -> bool:
    """Tell whether the client asks for an answer before the work is done (RFC 7240, section 4.1)."""
    preferences = (name for header in request.headers.getlist("Prefer") for name in parse_list_header(header))
    return any(name.partition(";")[0].strip().lower() == RESPOND_ASYNC for name in preferences)
