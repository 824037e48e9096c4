"""A video as the body of one PUT: taken like a form's file, and refused before a byte is read where that is possible."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from projectapi.api import uploading
from projectapi.errors import DatabaseUnavailable, OutcomeUnknown, ProjectApiError
from tests.conftest import AppMaker
from tests.contract.calls import UNKNOWN_ID, create_project, files_below, upload, video_of
from tests.contract.conftest import Film
from tests.contract.shapes import assert_success
from tests.errors_shape import assert_error
from tests.media_samples import small_mp4_bytes


def put(
    client: FlaskClient, project_id: str, body: bytes, content_type: str | None = "video/mp4", **options: Any
) -> TestResponse:
    return client.put(f"/media/{project_id}/video", data=body, content_type=content_type, **options)


def record_of(client: FlaskClient, project_id: str) -> dict[str, Any]:
    record: dict[str, Any] = client.get(f"/projects/{project_id}/debug").get_json()["data"]["video"]
    return record


def test_the_same_file_again_is_told_to_fit_as_before(client: FlaskClient, filmed_id: str) -> None:
    assert "same file as before" in put(client, filmed_id, small_mp4_bytes()).get_json()["message"]


@pytest.mark.parametrize("content_type", ["video/mp4", "video/quicktime", "application/octet-stream", None])
def test_a_body_becomes_the_projects_video(client: FlaskClient, project_id: str, content_type: str | None) -> None:
    data = assert_success(put(client, project_id, small_mp4_bytes(), content_type), "Video uploaded successfully")

    assert data == {"project_id": project_id, "file_path": record_of(client, project_id)["path"], "duration": data["duration"]}
    assert video_of(client, project_id) == small_mp4_bytes()


def test_the_record_tells_all_that_is_known_of_the_video(client: FlaskClient, project_id: str) -> None:
    put(client, project_id, small_mp4_bytes())

    record = record_of(client, project_id)

    assert record["sha256"] == hashlib.sha256(small_mp4_bytes()).hexdigest()
    assert record["bytes"] == len(small_mp4_bytes())
    assert (record["container"], record["video_codec"], record["audio_codec"]) == ("mov,mp4,m4a,3gp,3g2,mj2", "h264", "aac")
    assert (record["width"], record["height"], record["rotation"]) == (160, 120, 0)
    assert record["frame_rate"] == pytest.approx(25, abs=0.1)
    assert record["duration"] == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize(
    ("headers", "name"),
    [
        ({"Content-Disposition": 'attachment; filename="Ferien.mp4"'}, "Ferien.mp4"),
        ({"Content-Disposition": "attachment; filename*=UTF-8''%C3%9Crlaub.mp4"}, "Ürlaub.mp4"),
        ({"X-File-Name": "%C3%9Crlaub%20am%20Meer.mp4"}, "Ürlaub am Meer.mp4"),
        ({"X-File-Name": "../../etc/passwd"}, "passwd"),
        ({}, "video"),
    ],
)
def test_the_files_name_is_kept_for_people(
    client: FlaskClient, project_id: str, headers: dict[str, str], name: str
) -> None:
    put(client, project_id, small_mp4_bytes(), headers=headers)

    assert record_of(client, project_id)["original_name"] == name


def test_it_replaces_the_video_that_was_there(client: FlaskClient, filmed_id: str, film: Film, media_dir: Path) -> None:
    old = record_of(client, filmed_id)

    assert_success(put(client, filmed_id, film.video))

    assert video_of(client, filmed_id) == film.video
    assert not {old["path"], old["thumbnail_path"]} & files_below(media_dir)


@pytest.mark.parametrize("error", [OutcomeUnknown, DatabaseUnavailable])
def test_a_file_that_the_record_may_name_stays_whatever_is_said_of_the_record(
    app: Flask, client: FlaskClient, filmed_id: str, monkeypatch: pytest.MonkeyPatch, error: type[ProjectApiError]
) -> None:
    # Given a database whose answer gets lost after it has recorded the new video
    projects = app.extensions["projectapi"].projects
    record = projects.set_video

    def record_and_fail(*arguments: Any) -> None:
        record(*arguments)
        raise error

    monkeypatch.setattr(projects, "set_video", record_and_fail)

    assert_error(put(client, filmed_id, small_mp4_bytes()), 503, error.code)

    assert video_of(client, filmed_id) == small_mp4_bytes()


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "image/png", "multipart/form-data; boundary=x"])
def test_a_body_of_another_kind_is_refused_unread(client: FlaskClient, project_id: str, content_type: str) -> None:
    unread = io.BytesIO(small_mp4_bytes())

    response = client.put(f"/media/{project_id}/video", input_stream=unread, content_type=content_type)

    assert_error(response, 415, "unsupported_media_type")
    assert unread.tell() == 0


def test_a_compressed_body_is_refused(client: FlaskClient, project_id: str) -> None:
    response = put(client, project_id, small_mp4_bytes(), headers={"Content-Encoding": "gzip"})

    assert_error(response, 415, "unsupported_media_type")


def test_an_unknown_project_is_told_before_a_byte_is_read(client: FlaskClient) -> None:
    unread = io.BytesIO(small_mp4_bytes())

    response = client.put(f"/media/{UNKNOWN_ID}/video", input_stream=unread, content_type="video/mp4")

    assert_error(response, 404, "project_not_found")
    assert unread.tell() == 0


def test_somebody_elses_project_is_not_found_where_owners_count(make_app: AppMaker) -> None:
    client = make_app(ownership="enforced").test_client()
    project_id = create_project(client, **{"X-User-Id": "anna"})

    response = put(client, project_id, small_mp4_bytes(), headers={"X-User-Id": "ben"})

    assert_error(response, 404, "project_not_found")


@pytest.mark.parametrize(("body", "code"), [(b"no video", "invalid_video"), (b"", "invalid_video")])
def test_what_is_no_video_changes_nothing(
    client: FlaskClient, film: Film, media_dir: Path, body: bytes, code: str
) -> None:
    files = files_below(media_dir)

    assert_error(put(client, film.id, body), 400, code)

    assert video_of(client, film.id) == film.video
    assert files_below(media_dir) == files


def test_a_body_that_ends_too_soon_is_no_video_although_it_would_play(
    client: FlaskClient, film: Film, media_dir: Path
) -> None:
    files = files_below(media_dir)
    # gunicorn ends the body where the connection ended.
    announced = {"CONTENT_LENGTH": str(len(small_mp4_bytes()) + 1), "wsgi.input_terminated": True}

    response = client.put(
        f"/media/{film.id}/video",
        input_stream=io.BytesIO(small_mp4_bytes()),
        content_type="video/mp4",
        environ_overrides=announced,
    )

    assert_error(response, 400, "upload_incomplete")
    assert video_of(client, film.id) == film.video
    assert files_below(media_dir) == files


class SilentClient:
    """A connection on which nothing more comes, with a socket that says how long it was waited for."""

    def __init__(self) -> None:
        self.waits: list[float | None] = []

    def read(self, size: int = -1) -> bytes:
        raise TimeoutError

    def gettimeout(self) -> None:
        return None

    def settimeout(self, seconds: float | None) -> None:
        self.waits.append(seconds)


@pytest.mark.parametrize(
    ("method", "path", "content_type"),
    [("PUT", "/media/{}/video", "video/mp4"), ("POST", "/media/upload", "multipart/form-data; boundary=x")],
    ids=["body", "form"],
)
def test_a_client_that_falls_silent_is_not_waited_for_for_ever(
    client: FlaskClient, film: Film, media_dir: Path, monkeypatch: pytest.MonkeyPatch, method: str, path: str, content_type: str
) -> None:
    files, silent = files_below(media_dir), SilentClient()
    monkeypatch.setattr(uploading, "_SILENCE_SECONDS", 0.0)
    server = {"gunicorn.socket": silent, "wsgi.input": silent, "wsgi.input_terminated": True, "CONTENT_LENGTH": "1000"}

    response = client.open(path.format(film.id), method=method, content_type=content_type, environ_overrides=server)

    assert_error(response, 400, "upload_incomplete")
    # It was waited for with a limit, and the socket is the server's own again.
    assert silent.waits[0] is not None and silent.waits[-1] is None
    assert files_below(media_dir) == files


@pytest.mark.parametrize("limit", [1000, 24_000])
def test_a_body_over_the_limit_is_refused(make_app: AppMaker, tmp_path: Path, limit: int) -> None:
    client = make_app(max_upload_bytes=limit).test_client()

    response = put(client, create_project(client), small_mp4_bytes())

    assert_error(response, 413, "video_too_large")
    assert files_below(tmp_path / "media") == set()


def test_a_body_may_be_larger_than_json_may_be(make_app: AppMaker) -> None:
    client = make_app(max_body_bytes=2048).test_client()

    assert_success(put(client, create_project(client), small_mp4_bytes()))


def test_more_uploads_than_a_worker_takes_are_asked_to_come_back(make_app: AppMaker, tmp_path: Path) -> None:
    app = make_app(uploads_at_once=1)
    client = app.test_client()
    project_id = create_project(client)

    with app.extensions["projectapi"].videos.receive():
        refused = put(client, project_id, small_mp4_bytes())
        also_refused = upload_form(client, project_id)
    assert_error(refused, 503, "media_busy")
    assert_error(also_refused, 503, "media_busy")
    assert refused.headers["Retry-After"]

    # And when there is room again
    upload(client, project_id, small_mp4_bytes())


def upload_form(client: FlaskClient, project_id: str) -> TestResponse:
    form = {"file": (io.BytesIO(b"bytes"), "a.mp4", "video/mp4"), "project_id": project_id}
    return client.post("/media/upload", data=form)
