"""The requests that most stories begin with."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient
from werkzeug.datastructures import FileStorage
from werkzeug.test import TestResponse, encode_multipart

from tests.contract.shapes import JsonObject, assert_success

UNKNOWN_ID = "0123456789abcdef01234567"


def create_project(client: FlaskClient, name: str = "Holiday", **headers: str) -> str:
    """Create a project and return its id."""
    project_id: str = assert_success(client.post("/projects", json={"name": name}, headers=headers))["_id"]
    return project_id


def post_video(
    client: FlaskClient,
    project_id: str,
    video: bytes,
    *,
    name: str = "holiday.mp4",
    content_type: str = "video/mp4",
    headers: dict[str, str] | None = None,
) -> TestResponse:
    """Upload a video as the frontends do: a form with a file and the project's id."""
    form = {"file": FileStorage(io.BytesIO(video), name, content_type=content_type), "project_id": project_id}
    # The client of the tests would put a large form into a temporary file and leave it open.
    boundary, body = encode_multipart(form)
    return client.post("/media/upload", data=body, content_type=f"multipart/form-data; boundary={boundary}", headers=headers)


def upload(client: FlaskClient, project_id: str, video: bytes, **options: Any) -> JsonObject:
    """Upload a video and return the answer's `data`."""
    data: JsonObject = assert_success(post_video(client, project_id, video, **options))
    return data


def save(client: FlaskClient, project_id: str, state: JsonObject, description: str | None = "Quick Save") -> JsonObject:
    """Save a timeline as the newest frontend does and return the version document."""
    body = {"project_id": project_id, "timeline_state": state, "description": description, "change_summary": None}
    data: JsonObject = assert_success(client.post("/timeline/", json=body))
    return data


def history(client: FlaskClient, project_id: str, query: str = "") -> list[JsonObject]:
    """Return the history of a project's timeline."""
    data: list[JsonObject] = assert_success(client.get(f"/timeline/{project_id}/history{query}"))
    return data


def trim(client: FlaskClient, project_id: str, *segments: tuple[float, float]) -> TestResponse:
    """Ask for a cut of the video: each segment is its start and its duration, in seconds."""
    body = {"project_id": project_id, "segments": [{"startTime": start, "duration": length} for start, length in segments]}
    return client.post("/media/trim-video", json=body)


def video_of(client: FlaskClient, project_id: str) -> bytes:
    """Return a project's whole video."""
    with client.get(f"/media/{project_id}/video") as response:
        assert response.status_code == 200
        return response.get_data()


def files_below(folder: Path) -> set[str]:
    """Return the names of all files in the media folder, those of uploads on their way too."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
