"""Every example of the documentation is sent as it stands there, and the answers are what the documentation says."""

from __future__ import annotations

import io
import itertools
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import mongomock
import pytest
from flask.testing import FlaskClient
from werkzeug.datastructures import FileStorage
from werkzeug.test import TestResponse, encode_multipart

from config import Config
from projectapi import create_app
from projectapi.api.documentation.shapes import EXAMPLE_STATE
from projectapi.bundle.writing import bundle_of
from projectapi.project import ProjectKey, Video
from projectapi.protocols import Backend, UploadPlan
from projectapi.schemas.requests import EXAMPLE_ID, EXAMPLE_VERSION_ID
from tests.conftest import AppMaker
from tests.contract.shapes import assert_success
from tests.harness.documentation import DocumentedClient, JsonObject, OpenApi, openapi_of
from tests.harness.jobs import FakeRecogniser
from tests.media_samples import make_video

SEGMENT = {"id": "e3b0c44298fc1c14", "start_time": 0.0, "end_time": 0.25, "text": "Um", "words": []}

NO_SUCCESS = {"501": "/auth/"}
EXAMPLE_JOB_ID = "5b0fa6c3d1e2948700aa11bb"


class _Films:
    """A video file that was accepted once; every world gets a copy."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "media"
        config = Config(app_env="testing", mongodb_uri="mongodb://unused/", media_dir=self.folder)
        backend: Backend = create_app(config, mongo_client=mongomock.MongoClient(tz_aware=True)).extensions["projectapi"]
        video = make_video(folder / "film.mp4", seconds=1.0).read_bytes()
        with backend.videos.receive(len(video)) as part:
            part.write(video)
            self.video: Video = backend.videos.accept(part, "holiday.mp4")
        self.bytes = video
        project = backend.projects.create_project(name="Holiday", description=None, owner="anonymous")
        self.bundle = b"".join(bundle_of(project, None, None))


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> _Films:
    return _Films(tmp_path_factory.mktemp("films"))


@pytest.fixture
def world(make_app: AppMaker, films: _Films, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    """A client of an application that has just the project that the examples are about, under the ids that they name."""
    monkeypatch.setattr("projectapi.stores.mongo_projects.new_id", ids(EXAMPLE_ID))
    monkeypatch.setattr("projectapi.stores.timeline_writer.new_write_id", ids("0" * 16, EXAMPLE_VERSION_ID[:16]))
    shutil.copytree(films.folder, tmp_path / "media")
    monkeypatch.setattr("projectapi.stores.job_documents.new_id", ids(EXAMPLE_JOB_ID))
    recogniser = FakeRecogniser()
    recogniser.may_go_on.set()
    app = make_app(recogniser=recogniser)
    app.test_client_class = DocumentedClient
    client = app.test_client()
    assert_success(client.post("/projects/", json={"name": "Holiday"}))
    app.extensions["projectapi"].projects.set_video(ProjectKey(EXAMPLE_ID), films.video)
    for zoom in (1, 2):
        state = {**EXAMPLE_STATE, "zoom": zoom}
        assert_success(client.post("/timeline/", json={"project_id": EXAMPLE_ID, "timeline_state": state}))
    body = {"project_id": EXAMPLE_ID, "segments": [SEGMENT]}
    assert_success(client.post("/transcriptions/", json=body))
    return client


def start_a_job(client: FlaskClient) -> TestResponse:
    segments = [{"startTime": 0.2, "duration": 0.4}]
    return client.post("/media/trim-video", json={"project_id": EXAMPLE_ID, "segments": segments})


def ids(*first: str) -> Callable[[], str]:
    more = (f"{number:016x}" for number in itertools.count(1))
    made = itertools.chain(first, more)
    return lambda: next(made)


# What must have happened before an example can be said, where the world is not enough.
BEFORE: dict[str, Callable[[FlaskClient], TestResponse]] = {
    "POST /projects/{project_id}/restore": lambda client: client.delete(f"/projects/{EXAMPLE_ID}"),
    "POST /transcriptions/": lambda client: client.delete(f"/transcriptions/{EXAMPLE_ID}"),
    "POST /transcriptions/{project_id}/segments": lambda client: client.delete(
        f"/transcriptions/{EXAMPLE_ID}/segments/{SEGMENT['id']}"
    ),
    "GET /jobs/{job_id}": start_a_job,
    "DELETE /jobs/{job_id}": start_a_job,
    "POST /jobs/{job_id}/cancel": start_a_job,
}
FILE_PATHS = {"/docs/{name}": "swagger-ui.css"}


def operations(document: JsonObject) -> Iterator[tuple[str, str, JsonObject]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def said_by(client: FlaskClient) -> OpenApi:
    return openapi_of(client.application)


def example_of(parameter: JsonObject) -> Any:
    return parameter["schema"].get("examples", [parameter["schema"].get("default")])[0]


def address(path: str, operation: JsonObject, films: _Films) -> str:
    parts = {part["name"]: example_of(part) for part in operation.get("parameters", ()) if part["in"] == "path"}
    if path == "/static/{path}":
        parts["path"] = films.video.path
    if path in FILE_PATHS:
        parts["name"] = FILE_PATHS[path]
    return path.format(**parts)


def query_of(operation: JsonObject) -> dict[str, Any]:
    """Return the query's examples: those that are required, or have one of their own."""
    asked = [part for part in operation.get("parameters", ()) if part["in"] == "query"]
    return {part["name"]: example_of(part) for part in asked if part.get("required") or "examples" in part["schema"]}


def requests(client: FlaskClient) -> Iterator[tuple[str, str, JsonObject, str | None, Any]]:
    for method, path, operation in operations(said_by(client).document):
        content = operation.get("requestBody", {}).get("content", {None: {}})
        for media_type, said in content.items():
            yield method, path, operation, media_type, said.get("example")


def all_requests() -> list[Any]:
    config = Config(app_env="testing", mongodb_uri="mongodb://unused/")
    client = create_app(config, mongo_client=mongomock.MongoClient(tz_aware=True)).test_client()
    return [pytest.param(*request, id=f"{request[0]} {request[1]} {request[3] or ''}".strip()) for request in requests(client)]


def body_of(media_type: str | None, example: Any, films: _Films) -> dict[str, Any]:
    if media_type is None:
        return {}
    if media_type == "multipart/form-data":
        file = (
            {"file": FileStorage(io.BytesIO(films.bytes), "holiday.mp4", content_type="video/mp4")} if "file" in example else {}
        )
        boundary, body = encode_multipart({**example, **file})
        return {"data": body, "content_type": f"multipart/form-data; boundary={boundary}"}
    if media_type == "application/x-www-form-urlencoded":
        return {"data": example}
    if media_type == "application/zip":
        return {"data": films.bundle, "content_type": media_type}
    if media_type.startswith(("video/", "application/octet", "application/offset")):
        return {"data": films.bytes, "content_type": media_type.replace("*", "mp4")}
    return {"json": example, "content_type": media_type}


def begin_upload(client: FlaskClient, films: _Films, upload_id: str) -> None:
    """Begin the resumable upload that the examples are about."""
    backend: Backend = client.application.extensions["projectapi"]
    plan = UploadPlan(project_id=EXAMPLE_ID, owner=None, length=len(films.bytes), original_name=None, metadata="")
    with patch("projectapi.media.resumable.secrets.token_hex", lambda _: upload_id):
        backend.uploads.create(plan)


def needed_headers(path: str, operation: JsonObject) -> dict[str, str]:
    """Return the examples of the headers without which the protocol of resumable uploads does nothing."""
    needed = ("Tus-Resumable", "Upload-Length", "Upload-Offset", "Upload-Metadata", "X-HTTP-Method-Override")
    headers = {part["name"]: example_of(part) for part in operation.get("parameters", ()) if part["in"] == "header"}
    return {name: headers[name] for name in needed if name in headers} if path.startswith("/media/uploads") else {}


@pytest.mark.parametrize(("method", "path", "operation", "media_type", "example"), all_requests())
def test_an_example_is_answered_as_documented(
    world: FlaskClient, films: _Films, method: str, path: str, operation: JsonObject, media_type: str | None, example: Any
) -> None:
    if f"{method} {path}" in BEFORE:
        assert_success(BEFORE[f"{method} {path}"](world))
    where = address(path, operation, films)
    if path.startswith("/media/uploads/"):
        begin_upload(world, films, where.rpartition("/")[2])

    with world.open(
        where,
        method=method,
        headers=needed_headers(path, operation),
        query_string=query_of(operation),
        **body_of(media_type, example, films),
    ) as response:
        # That it has the documented shape was checked by the client.
        successes = [status for status in operation["responses"] if status.startswith("2")]
        expected = successes or [status for status, start in NO_SUCCESS.items() if path.startswith(start)]
        assert str(response.status_code) in expected, response.get_data(as_text=True)[:500]


@pytest.mark.parametrize(("method", "path", "operation", "media_type", "example"), all_requests())
def test_an_example_with_every_header_is_answered_as_documented(
    world: FlaskClient, films: _Films, method: str, path: str, operation: JsonObject, media_type: str | None, example: Any
) -> None:
    headers = {part["name"]: example_of(part) for part in operation.get("parameters", ()) if part["in"] == "header"}

    with world.open(
        address(path, operation, films),
        method=method,
        headers=headers,
        query_string=query_of(operation),
        **body_of(media_type, example, films),
    ) as response:
        assert response.headers["X-Request-Id"] == "tab-1-42"
        assert response.status_code < 500 or path.startswith(tuple(NO_SUCCESS.values()))
