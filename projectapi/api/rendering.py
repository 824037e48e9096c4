"""Rendering a timeline's main layer into a file: preview and export."""

from __future__ import annotations

from flask import Blueprint, Response

from projectapi.api.background import answered, or_a_job
from projectapi.api.bodies import query
from projectapi.api.context import backend, project_key
from projectapi.api.cutting import work_on
from projectapi.api.documentation import documented
from projectapi.api.media import video_file
from projectapi.errors import DiskFull, JobCancelled, JobInterrupted, MediaBusy, ValidationFailed, VideoLost, VideoNotFound
from projectapi.protocols import JobKind, JobRequest
from projectapi.schemas.loading import invalid
from projectapi.schemas.requests import PREVIEW_HEIGHTS, PreviewRequest
from projectapi.schemas.shapes.jobs import RenderedVideo
from projectapi.timeline.cut import Shot, main_layer_shots

blueprint = Blueprint("rendering", __name__, url_prefix="/timeline")

_PREVIEW = PreviewRequest()
_RENDERING = (
    VideoNotFound,
    VideoLost,
    ValidationFailed,
    MediaBusy,
    DiskFull,
    JobInterrupted,
    JobCancelled,
)


@blueprint.post("/<project_id>/render-preview")
@documented(query=PreviewRequest, errors=_RENDERING, **or_a_job(RenderedVideo))
def render_preview(project_id: str) -> Response:
    """Render what the main layer shows between two moments of the timeline, in a small picture."""
    asked = query(_PREVIEW)
    if asked["end_time"] <= asked["start_time"]:
        message = "The end must come after the start."
        raise invalid([{"type": "value_error", "loc": ["query", "end_time"], "msg": message}])
    height = PREVIEW_HEIGHTS[asked["quality"]]
    rendering = _rendering(project_id, JobKind.RENDER_PREVIEW, asked["start_time"], asked["end_time"], height)
    return answered(rendering, "Preview rendered successfully")


@blueprint.post("/<project_id>/export")
@documented(errors=_RENDERING, **or_a_job(RenderedVideo))
def export_timeline(project_id: str) -> Response:
    """Render the whole main layer, in full size."""
    return answered(_rendering(project_id, JobKind.EXPORT, 0.0, None, None), "Timeline exported successfully")


def _rendering(project_id: str, kind: JobKind, start: float, end: float | None, height: int | None) -> JobRequest:
    key = project_key(project_id)
    project = backend().projects.get_project(key)
    video = video_file(project.video)
    if project.timeline is None or not project.timeline.state.get("layers"):
        # Nothing saved yet: the timeline shows the whole video.
        until = video.duration if end is None else min(end, video.duration)
        shots = [Shot(0.0, start, until - start)]
    else:
        shots = main_layer_shots(project.timeline.state, start=start, end=end)
    return work_on(key, video, kind, {"shots": [[shot.at, shot.start, shot.duration] for shot in shots], "height": height})
