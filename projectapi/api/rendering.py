"""Rendering a timeline's main layer into a file: preview and export."""

from __future__ import annotations

from flask import Blueprint, Response

from projectapi.api.bodies import query
from projectapi.api.context import backend, project_key
from projectapi.api.documentation import documented, enveloped
from projectapi.api.envelope import success
from projectapi.errors import DiskFull, MediaBusy, ValidationFailed, VideoLost, VideoNotFound
from projectapi.project import Segment
from projectapi.schemas.loading import invalid
from projectapi.schemas.requests import PreviewRequest
from projectapi.timeline.cut import main_layer_segments

blueprint = Blueprint("rendering", __name__, url_prefix="/timeline")

_PREVIEW = PreviewRequest()
_RENDERING = (VideoNotFound, VideoLost, ValidationFailed, MediaBusy, DiskFull)


@blueprint.post("/<project_id>/render-preview")
@documented(answer=enveloped(None), query=PreviewRequest, errors=_RENDERING)
def render_preview(project_id: str) -> Response:
    """Render what the main layer shows between two moments of the timeline; the message says where the file is."""
    asked = query(_PREVIEW)
    if asked["end_time"] <= asked["start_time"]:
        message = "The end must come after the start."
        raise invalid([{"type": "value_error", "loc": ["query", "end_time"], "msg": message}])
    path = _render(project_id, asked["start_time"], asked["end_time"])
    return success(None, f"Preview rendered successfully: /static/{path}")


@blueprint.post("/<project_id>/export")
@documented(answer=enveloped(None), errors=_RENDERING)
def export_timeline(project_id: str) -> Response:
    """Render the whole main layer; the message says where the file is."""
    return success(None, f"Timeline exported successfully: /static/{_render(project_id, 0.0, None)}")


def _render(project_id: str, start: float, end: float | None) -> str:
    project = backend().projects.get_project(project_key(project_id))
    if project.video is None:
        raise VideoNotFound
    video = project.video
    if project.timeline is None or not project.timeline.state.get("layers"):
        # Nothing saved yet: the timeline shows the whole video.
        until = video.duration if end is None else min(end, video.duration)
        segments = [Segment(start, until - start)] if until > start else []
    else:
        segments = main_layer_segments(project.timeline.state, start=start, end=end)
    if not segments:
        message = "The timeline shows nothing there: there is nothing to render."
        raise invalid([{"type": "value_error", "loc": ["timeline"], "msg": message}])
    return backend().videos.trim(video, segments).path
