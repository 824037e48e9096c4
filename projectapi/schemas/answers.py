"""What clients get: the envelope and the wire forms of projects, timelines and revisions.

The API is snake_case; the dates of projects go out in both spellings because existing frontends read camelCase there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from projectapi.project import JsonObject, Project, Revision, Timeline, empty_timeline_state
from projectapi.schemas.times import wire_time
from projectapi.schemas.transcription_answers import transcript_state


def envelope(data: Any, message: str) -> bytes:
    """Return the JSON of a success: always the same four keys."""
    return orjson.dumps({"success": True, "data": data, "message": message, "error": None})


def project_data(project: Project) -> JsonObject:
    """Return a project as the frontends know it; `timeline_state` is null in summaries and before the first save."""
    created, updated = wire_time(project.created_at), wire_time(project.updated_at)
    return {
        "_id": project.id,
        "name": project.name,
        "description": project.description,
        "user_id": project.owner,
        "created_at": created,
        "createdAt": created,
        "updated_at": updated,
        "updatedAt": updated,
        "thumbnail": project.thumbnail,
        "duration": project.duration,
        "status": "active" if project.deleted_at is None else "deleted",
        "is_deleted": project.deleted_at is not None,
        "deleted_at": wire_time(project.deleted_at),
        "version": project.version,
        "timeline_state": _state(project.timeline) if project.timeline else None,
        "transcript_state": transcript_state(project.transcript),
    }


def project_list(projects: Sequence[Project]) -> bytes:
    """Return the answer of GET /projects/."""
    return envelope([project_data(project) for project in projects], f"Found {len(projects)} projects")


def timeline_document(timeline: Timeline) -> JsonObject:
    """Return a current version as the document that saves and restores answer."""
    return {**_version_fields(timeline), "timeline_state": _state(timeline)}


def revision_document(revision: Revision) -> JsonObject:
    """Return a history entry; its state is null where it was not asked for."""
    return {**_version_fields(revision), "timeline_state": revision.state}


def timeline_answer(project_id: str, timeline: Timeline | None) -> bytes:
    """Return the answer of GET /timeline/{id}.

    One frontend reads the state's keys directly below `data`, others below `data.timeline_state`: both are there, encoded
    once. No key of a version document is the name of a state's key.
    """
    state = timeline.state if timeline else empty_timeline_state()
    version = _version_fields(timeline) if timeline else _unsaved_fields(project_id)
    flat = {name: value for name, value in state.items() if name not in version and name != "timeline_state"}
    encoded = orjson.dumps(_state(timeline) if timeline else state)
    rest = encoded if len(flat) == len(state) else orjson.dumps(flat)
    parts = [b'{"success":true,"data":{"timeline_state":', encoded, b",", orjson.dumps(version)[1:-1]]
    if flat:
        parts += [b",", rest[1:-1]]
    return b"".join([*parts, b'},"message":"Timeline found","error":null}'])


def _state(timeline: Timeline) -> JsonObject | orjson.Fragment:
    """Return the state for `orjson.dumps`: what was encoded for history already is not encoded again."""
    return orjson.Fragment(timeline.state_json) if timeline.state_json is not None else timeline.state


def _version_fields(version: Timeline | Revision) -> JsonObject:
    return {
        "_id": version.id,
        "project_id": version.project_id,
        "version": version.version,
        "previous_version_id": None,
        "is_current": version.is_current,
        "description": version.description,
        "change_summary": version.change_summary,
        "created_by": version.created_by,
        "created_at": wire_time(version.created_at),
        "updated_at": wire_time(version.updated_at),
    }


def _unsaved_fields(project_id: str) -> JsonObject:
    return {
        "_id": None,
        "project_id": project_id,
        "version": 0,
        "previous_version_id": None,
        "is_current": True,
        "description": None,
        "change_summary": None,
        "created_by": None,
        "created_at": None,
        "updated_at": None,
    }


def project_answer(project: Project) -> bytes:
    """Return the answer of GET /projects/{id}."""
    return envelope(project_data(project), "Project found")


def history_answer(revisions: Sequence[Revision]) -> bytes:
    """Return the answer of GET /timeline/{id}/history."""
    return envelope([revision_document(revision) for revision in revisions], f"Found {len(revisions)} versions")


def debug_answer(project: Project) -> bytes:
    """Return the answer of GET /projects/{id}/debug: three keys, and the project with its stored video's record."""
    video = project.video
    record = {name: getattr(video, name) for name in video.__slots__} if video else None
    data = {**project_data(project), "video_path": video.path if video else None, "video": record}
    return orjson.dumps({"success": True, "data": data, "message": "Project found"})
