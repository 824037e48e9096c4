"""The resource /timeline: the current state, saving, history and restoring."""

from __future__ import annotations

from flask import Blueprint, Response, request

from projectapi.api.bodies import json_body, query
from projectapi.api.conditional import expected_tag, known_tags
from projectapi.api.context import backend, owner, owner_required, project_key
from projectapi.api.documentation import documented, enveloped, json_body_of, patch_of
from projectapi.api.envelope import etag_of, finished, success
from projectapi.api.idempotency import write_id
from projectapi.api.patches import patch_of_request
from projectapi.errors import (
    Conflict,
    HistoryDamaged,
    ProjectNotCarriedOver,
    ProjectNotFound,
    TimelineTooLarge,
    TimelineVersionNotFound,
)
from projectapi.project import EntityTag, JsonObject, ProjectKey, Timeline, TimelineSave, empty_timeline_state
from projectapi.schemas.answers import revision_document, timeline_document
from projectapi.schemas.json_body import INTEGER_MAX
from projectapi.schemas.loading import invalid
from projectapi.schemas.requests import DiffRequest, HistoryRequest, TimelineSaveRequest, TimelineUpdate
from projectapi.schemas.shapes.timeline import (
    ComparisonAnswer,
    CurrentTimeline,
    HistoryEntry,
    PatchedVersion,
    VersionDocument,
)
from projectapi.schemas.timeline_schema import check_timeline
from projectapi.timeline.diff import diff
from projectapi.timeline.patching import Patched

blueprint = Blueprint("timeline", __name__, url_prefix="/timeline")

_ZOOMING = patch_of({"type": "object"}, {"zoom": 2}, [{"op": "replace", "path": "/zoom", "value": 2}])
_DOCUMENT, _STORED = enveloped(VersionDocument), (TimelineVersionNotFound, HistoryDamaged)
_SAVING = (ProjectNotFound, ProjectNotCarriedOver, TimelineTooLarge)

_SAVE, _UPDATE, _HISTORY, _DIFF = TimelineSaveRequest(), TimelineUpdate(), HistoryRequest(), DiffRequest()


@blueprint.get("/<project_id>")
@documented(
    answer=enveloped({"allOf": [CurrentTimeline, {"$ref": "#/components/schemas/TimelineStateFields"}]}),
    headers=("If-None-Match",),
)
def get_timeline(project_id: str) -> Response:
    """Return the current state, below `data` and below `data.timeline_state`; an empty one before the first save."""
    return finished(backend().answers.timeline(project_key(project_id), known_tags()))


@blueprint.post("/save")
@documented(answer=enveloped(None), body=json_body_of(TimelineSaveRequest), headers=("If-Match",), errors=_SAVING)
def save_timeline() -> Response:
    """Save the timeline, as the oldest frontend asks for it."""
    timeline = _save()
    return success(None, "Timeline saved successfully", etag=etag_of(timeline))


@blueprint.post("")
@blueprint.post("/")
@documented(answer=_DOCUMENT, body=json_body_of(TimelineSaveRequest), headers=("If-Match",), errors=_SAVING)
def save_version() -> Response:
    """Save the timeline as a new version."""
    return _with_timeline(_save(), "Timeline saved successfully")


@blueprint.get("/<project_id>/current")
@documented(answer=_DOCUMENT, headers=("If-None-Match",), errors=(TimelineVersionNotFound,))
def get_current_version(project_id: str) -> Response:
    """Return the current version's document."""
    timeline = backend().timelines.get_timeline(project_key(project_id))
    if timeline is None:
        raise TimelineVersionNotFound
    return _with_timeline(timeline, "Timeline found")


@blueprint.get("/<project_id>/history")
@documented(answer=enveloped([HistoryEntry]), query=HistoryRequest, headers=("If-None-Match",), errors=(HistoryDamaged,))
def list_history(project_id: str) -> Response:
    """List the versions, newest first."""
    asked = query(_HISTORY)
    page = backend().answers.history(
        project_key(project_id),
        limit=asked["limit"],
        skip=asked["skip"],
        with_state=asked["include_state"],
        etags=known_tags(),
    )
    return finished(page)


@blueprint.get("/<project_id>/diff")
@documented(answer=enveloped(ComparisonAnswer), query=DiffRequest, headers=("If-None-Match",), errors=_STORED)
def compare_versions(project_id: str) -> Response:
    """Tell what changed between two versions: in words, and as a JSON Patch (RFC 6902)."""
    asked = query(_DIFF)
    key = project_key(project_id)
    earlier = backend().timelines.get_revision(key, asked["earlier"])
    later = backend().timelines.get_revision(key, asked["later"])
    changes = diff(earlier.state or {}, later.state or {})
    data = {"project_id": key.id, "from": earlier.version, "to": later.version, **changes}
    return success(data, f"Found {len(changes['changes'])} changes")


@blueprint.get("/<project_id>/version/<int:version>")
@documented(answer=_DOCUMENT, headers=("If-None-Match",), errors=_STORED)
def get_version(project_id: str, version: int) -> Response:
    """Return one version with its state."""
    revision = backend().timelines.get_revision(project_key(project_id), min(version, INTEGER_MAX))
    return success(revision_document(revision), "Timeline version found")


@blueprint.post("/<project_id>/restore/<int:version>")
@documented(answer=_DOCUMENT, headers=("If-Match",), errors=_STORED)
def restore_version(project_id: str, version: int) -> Response:
    """Make an earlier version the current one again, as a new highest version."""
    timeline = backend().timelines.restore_revision(
        project_key(project_id), min(version, INTEGER_MAX), expected_tag(), restored_by=owner(), write_id=write_id()
    )
    return _with_timeline(timeline, f"Timeline restored to version {version}")


@blueprint.patch("/<project_id>")
@documented(answer=enveloped(PatchedVersion), body=_ZOOMING, headers=("If-Match", "Prefer"), errors=(TimelineTooLarge,))
def patch_timeline(project_id: str) -> Response:
    """Append the version that a patch makes of the current state; the answer leaves the state out unless it is preferred."""
    patch = patch_of_request()

    def edit(state: JsonObject) -> Patched:
        patched = patch(state)
        problems = check_timeline(patched.state)
        if problems:
            raise invalid([{**problem, "loc": ["body", *problem["loc"]]} for problem in problems])
        return patched

    timeline = backend().timelines.edit_timeline(
        project_key(project_id), edit, expected_tag(), saved_by=owner(), write_id=write_id()
    )
    document = timeline_document(timeline)
    # RFC 7240, section 4.2. A small edit of a large timeline is not answered with all of it.
    if "return=representation" not in request.headers.get("Prefer", ""):
        del document["timeline_state"]
    return success(document, "Timeline saved successfully", etag=etag_of(timeline))


@blueprint.put("/<timeline_id>")
@documented(
    answer=enveloped(HistoryEntry),
    body=json_body_of(TimelineUpdate),
    headers=("If-Match",),
    errors=(*_STORED, TimelineTooLarge),
)
def update_version(timeline_id: str) -> Response:
    """Save a new state on top of a version, or change only the words of that version."""
    values = json_body(_UPDATE)
    expected = expected_tag()
    revision = backend().timelines.find_revision(timeline_id, owner_required())
    if "timeline_state" in values:
        save = _timeline_save(values)
        saved = backend().timelines.save_timeline(project_key(revision.project_id), save, expected)
        return _with_timeline(saved, "Timeline updated successfully")
    changed = backend().timelines.describe_revision(revision, values, expected)
    etag = str(EntityTag(changed.version, changed.tag)) if changed.tag else None
    return success(revision_document(changed), "Timeline updated successfully", etag=etag)


@blueprint.delete("/<project_or_timeline_id>")
@documented(answer=enveloped(None), headers=("If-Match",), errors=(Conflict,))
def delete_timeline(project_or_timeline_id: str) -> Response:
    """Empty a project's timeline (as a new version), or delete one earlier version by its document's id."""
    key = project_key(project_or_timeline_id)
    try:
        cleared = TimelineSave(state=empty_timeline_state(), description="Cleared", saved_by=owner())
        backend().timelines.save_timeline(key, cleared, expected_tag())
    except ProjectNotFound as no_project:
        _delete_version(key, no_project)
    return success(None, "Timeline deleted successfully")


def _delete_version(key: ProjectKey, no_project: ProjectNotFound) -> None:
    try:
        revision = backend().timelines.find_revision(key.id, key.owner)
    except TimelineVersionNotFound:
        raise no_project from None
    backend().timelines.delete_revision(revision)


def _save() -> Timeline:
    body = json_body(_SAVE)
    key = project_key(body["project_id"])
    return backend().timelines.save_timeline(key, _timeline_save(body), expected_tag(), write_id=write_id())


def _timeline_save(body: JsonObject) -> TimelineSave:
    return TimelineSave(
        state=body["timeline_state"],
        description=body.get("description"),
        change_summary=body.get("change_summary"),
        saved_by=owner(),
    )


def _with_timeline(timeline: Timeline, message: str) -> Response:
    return success(timeline_document(timeline), message, etag=etag_of(timeline))
