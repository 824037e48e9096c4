"""Contract 3.1, refusals: what is no video, for nobody, or too large leaves no file, and the earlier video stays."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from tests.conftest import AppMaker
from tests.contract.calls import UNKNOWN_ID, create_project, files_below, post_video, upload, video_of
from tests.contract.conftest import Film
from tests.contract.shapes import assert_success
from tests.errors_shape import assert_error, assert_field_refused
from tests.media_samples import make_picture, make_sound, small_mp4_bytes


@pytest.mark.parametrize("identity", [UNKNOWN_ID, "project_1", "not-an-id", "../x"])
def test_an_upload_for_an_unknown_project_leaves_no_file(client: FlaskClient, media_dir: Path, identity: str) -> None:
    before = files_below(media_dir)

    response = post_video(client, identity, small_mp4_bytes())

    code = "project_not_carried_over" if identity == "project_1" else "project_not_found"
    assert_error(response, 404, code)
    assert files_below(media_dir) == before


def test_an_unknown_project_is_told_before_the_file_is_looked_into(client: FlaskClient) -> None:
    assert_error(post_video(client, UNKNOWN_ID, b"text"), 404, "project_not_found")


def half(video: bytes) -> bytes:
    return video[: len(video) // 2]


NOT_VIDEOS: dict[str, Callable[[Path], bytes]] = {
    "text": lambda folder: b"This is no video." * 100,
    "nothing": lambda folder: b"",
    "zeros": lambda folder: bytes(5000),
    "half an mp4": lambda folder: half(small_mp4_bytes()),
    "a playlist": lambda folder: b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n",
    "a list of files": lambda folder: b"ffconcat version 1.0\nfile /etc/passwd\n",
    "sound only": lambda folder: make_sound(folder / "sound.mp3").read_bytes(),
    "a picture": lambda folder: make_picture(folder / "picture.png").read_bytes(),
}


@pytest.mark.parametrize("kind", NOT_VIDEOS)
def test_what_is_no_video_is_refused_and_the_earlier_video_stays(
    client: FlaskClient, film: Film, media_dir: Path, tmp_path: Path, kind: str
) -> None:
    project = client.get(f"/projects/{film.id}").get_data()
    files = files_below(media_dir)

    response = post_video(client, film.id, NOT_VIDEOS[kind](tmp_path))

    assert_error(response, 400, "invalid_video")
    assert client.get(f"/projects/{film.id}").get_data() == project
    assert video_of(client, film.id) == film.video
    assert files_below(media_dir) == files


def test_the_refusal_of_a_text_says_which_videos_are_taken(client: FlaskClient, project_id: str) -> None:
    body = assert_error(post_video(client, project_id, b"text" * 100), 400, "invalid_video")

    assert body["error"] == "Invalid file type. Only MP4, MOV, AVI, MKV files are allowed."


def test_a_missing_file_is_named(client: FlaskClient, project_id: str) -> None:
    response = client.post("/media/upload", data={"project_id": project_id}, content_type="multipart/form-data")

    assert_field_refused(response, "body", "file")


def test_a_text_in_place_of_the_file_is_no_file(client: FlaskClient, project_id: str) -> None:
    form = {"project_id": project_id, "file": "text"}

    assert_field_refused(client.post("/media/upload", data=form, content_type="multipart/form-data"), "body", "file")


def test_a_missing_project_is_named(client: FlaskClient, media_dir: Path) -> None:
    before = files_below(media_dir)
    form = {"file": (io.BytesIO(small_mp4_bytes()), "a.mp4", "video/mp4")}

    response = client.post("/media/upload", data=form)

    assert_field_refused(response, "body", "project_id")
    assert files_below(media_dir) == before


@pytest.mark.parametrize("identity", ["", "x" * 201, "a\x00b"])
def test_a_projects_id_is_bounded(client: FlaskClient, media_dir: Path, identity: str) -> None:
    before = files_below(media_dir)

    assert_field_refused(post_video(client, identity, small_mp4_bytes()), "body", "project_id")

    assert files_below(media_dir) == before


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"{}", "application/json"),
        (b"a=b", "application/x-www-form-urlencoded"),
        (b"", "multipart/form-data"),
        (b"rubbish", "multipart/form-data; boundary=x"),
        (b"", ""),
    ],
)
def test_what_is_no_form_with_a_file_is_refused(client: FlaskClient, media_dir: Path, body: bytes, content_type: str) -> None:
    before = files_below(media_dir)

    response = client.post("/media/upload", data=body, content_type=content_type)

    assert_error(response, 422, "validation_failed")
    assert files_below(media_dir) == before


@pytest.mark.parametrize("limit", [10_000, 24_000])
def test_a_video_over_the_limit_is_refused_and_leaves_no_file(make_app: AppMaker, tmp_path: Path, limit: int) -> None:
    client = make_app(max_upload_bytes=limit).test_client()
    project_id = create_project(client)
    assert len(small_mp4_bytes()) > limit

    response = post_video(client, project_id, small_mp4_bytes())

    body = assert_error(response, 413, "video_too_large")
    assert "too large" in body["error"]
    assert "2GB" not in body["error"], "the limit of this server is another"
    assert files_below(tmp_path / "media") == set()
    assert assert_success(client.get(f"/projects/{project_id}"))["duration"] is None


def test_a_video_far_over_the_limit_is_refused_by_its_announced_length(make_app: AppMaker, tmp_path: Path) -> None:
    client = make_app(max_upload_bytes=1000).test_client()

    response = post_video(client, create_project(client), bytes(3 * 2**20))

    assert_error(response, 413, "video_too_large")
    assert files_below(tmp_path / "media") == set()


def test_a_video_of_just_the_limit_is_taken(make_app: AppMaker) -> None:
    client = make_app(max_upload_bytes=len(small_mp4_bytes())).test_client()

    upload(client, create_project(client), small_mp4_bytes())


def test_a_large_video_is_taken_although_json_may_not_be_that_large(make_app: AppMaker) -> None:
    client = make_app(max_body_bytes=2048).test_client()
    assert len(small_mp4_bytes()) > 2048

    upload(client, create_project(client), small_mp4_bytes())


def test_the_limit_of_two_gigabytes_is_said_as_frontends_know_it(make_app: AppMaker) -> None:
    client = make_app().test_client()
    announced = {"CONTENT_LENGTH": str(3 * 2**30), "CONTENT_TYPE": "multipart/form-data; boundary=x"}

    response = client.post("/media/upload", environ_overrides=announced)

    body = assert_error(response, 413, "video_too_large")
    assert body["error"] == "File size too large. Maximum size is 2GB."


def test_a_file_that_comes_before_the_named_one_is_not_taken_for_it(
    client: FlaskClient, film: Film, media_dir: Path
) -> None:
    files = files_below(media_dir)
    other, video = ((io.BytesIO(data), "film.mp4", "video/mp4") for data in (b"no video", small_mp4_bytes()))

    response = client.post("/media/upload", data={"other": other, "file": video, "project_id": film.id})

    assert_error(response, 422, "validation_failed")
    assert files_below(media_dir) == files
    assert video_of(client, film.id) == film.video
