"""The resource /projects."""

from __future__ import annotations

from flask import Blueprint, Response

from projectapi.api.bodies import json_body, query
from projectapi.api.conditional import expected_tag, known_tags
from projectapi.api.context import backend, owner, project_key
from projectapi.api.documentation import documented, enveloped, json_body_of, patch_of, plain
from projectapi.api.envelope import etag_of, finished, success
from projectapi.api.idempotency import write_id
from projectapi.api.patches import patch_of_request
from projectapi.project import ListQuery, Project
from projectapi.schemas.answers import debug_answer, project_data
from projectapi.schemas.loading import load
from projectapi.schemas.requests import ListRequest, PatchedProject, ProjectCreation, ProjectUpdate
from projectapi.schemas.shapes.projects import DebugAnswer, ProjectAnswer

blueprint = Blueprint("projects", __name__, url_prefix="/projects")

_RENAMING = patch_of(ProjectUpdate, {"name": "Holiday, cut"}, [{"op": "replace", "path": "/name", "value": "Holiday, cut"}])

_CREATION, _UPDATE, _PATCHED, _LIST = ProjectCreation(), ProjectUpdate(), PatchedProject(), ListRequest()


@blueprint.get("")
@blueprint.get("/")
@documented(answer=enveloped([ProjectAnswer]), query=ListRequest, headers=("If-None-Match",), answer_headers=("Link",))
def list_projects() -> Response:
    """List the projects of whoever asks, those changed last first; the next page is in the header `Link`."""
    asked = query(_LIST)
    page = ListQuery(
        owner=owner(),
        limit=asked["limit"],
        after=asked["cursor"],
        deleted=asked["deleted"],
        search=asked["search"],
        sort=asked["sort"],
        descending=asked["order"] == "desc",
    )
    return finished(backend().answers.projects(page))


@blueprint.post("")
@blueprint.post("/")
@documented(answer=enveloped(ProjectAnswer), body=json_body_of(ProjectCreation), answer_headers=("ETag",))
def create_project() -> Response:
    """Create a project."""
    body = json_body(_CREATION)
    project = backend().projects.create_project(
        name=body["name"], description=body["description"], owner=owner(), write_id=write_id()
    )
    return _with_project(project, "Project created successfully")


@blueprint.get("/<project_id>")
@documented(answer=enveloped(ProjectAnswer), headers=("If-None-Match",))
def get_project(project_id: str) -> Response:
    """Return a project with its saved timeline state."""
    return finished(backend().answers.project(project_key(project_id), known_tags()))


@blueprint.get("/<project_id>/debug")
@documented(answer=plain(DebugAnswer))
def debug_project(project_id: str) -> Response:
    """Return a project as it is stored, for developers of frontends."""
    project = backend().projects.get_project(project_key(project_id))
    return Response(debug_answer(project), mimetype="application/json")


@blueprint.put("/<project_id>")
@documented(answer=enveloped(ProjectAnswer), body=json_body_of(ProjectUpdate), headers=("If-Match",))
def update_project(project_id: str) -> Response:
    """Change a project's name, description, thumbnail or duration."""
    values = json_body(_UPDATE)
    project = backend().projects.update_project(project_key(project_id), values, expected_tag())
    return _with_project(project, "Project updated successfully")


@blueprint.patch("/<project_id>")
@documented(answer=enveloped(ProjectAnswer), body=_RENAMING, headers=("If-Match",))
def patch_project(project_id: str) -> Response:
    """Change a project's name, description, thumbnail or duration by a patch."""
    patch = patch_of_request()
    project = backend().projects.edit_project(
        project_key(project_id), lambda fields: load(_PATCHED, patch(fields).state), expected_tag(), write_id=write_id()
    )
    return _with_project(project, "Project updated successfully")


@blueprint.delete("/<project_id>")
@documented(answer=enveloped(None), headers=("If-Match",))
def delete_project(project_id: str) -> Response:
    """Move a project to the trash."""
    backend().projects.delete_project(project_key(project_id), expected_tag())
    return success(None, "Project deleted successfully")


@blueprint.post("/<project_id>/restore")
@documented(answer=enveloped(None), headers=("If-Match",))
def restore_project(project_id: str) -> Response:
    """Bring a project back from the trash with its timeline, history and video."""
    backend().projects.restore_project(project_key(project_id), expected_tag(), write_id=write_id())
    return success(None, "Project restored successfully")


def _with_project(project: Project, message: str) -> Response:
    return success(project_data(project), message, etag=etag_of(project))
