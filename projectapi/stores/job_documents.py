"""How jobs look as MongoDB documents."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from datetime import datetime

from projectapi.errors import ProjectApiError, all_errors
from projectapi.project import new_id
from projectapi.protocols import Job, JobKind, JobRequest, JobState
from projectapi.stores.documents import Document, document_from_video, video_from_document


def new_job_document(request: JobRequest, *, at: datetime, lease_until: datetime) -> Document:
    """Return the document of a job that nobody has begun."""
    return {
        "_id": new_id(),
        "key": key_of(request),
        "kind": request.kind.value,
        "projectId": request.project_id,
        "createdBy": request.owner,
        "video": document_from_video(request.video),
        "arguments": request.arguments,
        "state": JobState.QUEUED.value,
        "active": True,
        "progress": 0,
        "attempts": 0,
        "createdAt": at,
        "leaseUntil": lease_until,
    }


def key_of(request: JobRequest) -> str:
    """Return what equal requests have in common and others do not: 64 hexadecimal digits."""
    asked = [request.kind, request.project_id, asdict(request.video), request.arguments]
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def job_from_document(document: Document, at: datetime) -> Job:
    """Return the job that a document holds, as it stands at this time."""
    request = JobRequest(
        kind=JobKind(document["kind"]),
        project_id=document["projectId"],
        owner=document["createdBy"],
        video=video_from_document(document["video"]),
        arguments=document["arguments"],
    )
    stored_error = document.get("error")
    return Job(
        id=document["_id"],
        request=request,
        state=JobState(document["state"]),
        progress=float(document["progress"]),
        created_at=document["createdAt"],
        attempts=document["attempts"],
        is_lost=document.get("active", False) and document["leaseUntil"] < at,
        result=document.get("result"),
        error=_error_from_document(stored_error) if stored_error else None,
        started_at=document.get("startedAt"),
        finished_at=document.get("finishedAt"),
    )


def document_from_error(error: ProjectApiError) -> Document:
    """Return an error as a job's `error` field: what a client may see of it and nothing else."""
    detail = error.detail if isinstance(error.detail, list) else None
    return {"code": error.code, "sentence": error.text, "detail": detail, "headers": error.headers}


def _error_from_document(stored: Document) -> ProjectApiError:
    kind = _ERRORS.get(stored["code"], ProjectApiError)
    return kind(stored["sentence"], detail=stored["detail"], headers=stored["headers"])


_ERRORS = {kind.code: kind for kind in all_errors()}
