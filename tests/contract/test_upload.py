"""Contract 3.1: a video arrives, is looked into and takes its place; anything else changes nothing."""

from __future__ import annotations

import re
import tempfile
from functools import cache
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from tests.contract.calls import files_below, post_video, save, trim, upload, video_of
from tests.contract.conftest import Film
from tests.contract.shapes import assert_success
from tests.contract.timelines import make_state
from tests.media_samples import make_video, small_mp4_bytes

_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"


@cache
def video_with(extension: str) -> bytes:
    """Return a video of one second in the container of this extension."""
    with tempfile.TemporaryDirectory() as folder:
        return make_video(Path(folder) / f"film{extension}", seconds=1.0).read_bytes()


def test_an_uploaded_video_is_probed_and_stored(client: FlaskClient, project_id: str, media_dir: Path) -> None:
    response = post_video(client, project_id, small_mp4_bytes())

    data = assert_success(response, "Video uploaded successfully")
    assert set(data) == {"project_id", "file_path", "duration"}
    assert data["project_id"] == project_id
    assert re.fullmatch(rf"videos/{_UUID}\.mp4", data["file_path"])
    assert type(data["duration"]) is float
    assert data["duration"] == pytest.approx(1.0, abs=0.05)
    assert (media_dir / data["file_path"]).read_bytes() == small_mp4_bytes()


def test_an_upload_completes_the_project(client: FlaskClient, project_id: str) -> None:
    before = assert_success(client.get(f"/projects/{project_id}"))

    data = upload(client, project_id, small_mp4_bytes())

    project = assert_success(client.get(f"/projects/{project_id}"))
    assert project["duration"] == data["duration"]
    assert project["thumbnail"] == f"/media/{project_id}/thumbnail"
    assert project["updated_at"] >= before["updated_at"]
    assert project["version"] == before["version"] + 1
    record = client.get(f"/projects/{project_id}/debug").get_json()["data"]
    assert record["video_path"] == data["file_path"]


@pytest.mark.parametrize(
    ("extension", "sent_type", "stored_type"),
    [
        (".mp4", "video/mp4", "video/mp4"),
        (".mov", "video/quicktime", "video/quicktime"),
        (".avi", "video/x-msvideo", "video/x-msvideo"),
        (".avi", "video/avi", "video/x-msvideo"),
        (".mkv", "video/x-matroska", "video/x-matroska"),
        (".webm", "video/webm", "video/webm"),
        (".ogv", "video/ogg", "video/ogg"),
        (".mp4", "application/octet-stream", "video/mp4"),
        (".mkv", "video/mp4", "video/x-matroska"),
    ],
)
def test_videos_are_taken_by_what_they_are_and_not_by_what_is_said_of_them(
    client: FlaskClient, project_id: str, extension: str, sent_type: str, stored_type: str
) -> None:
    video = video_with(extension)

    data = upload(client, project_id, video, name=f"film{extension}", content_type=sent_type)

    assert data["duration"] == pytest.approx(1.0, abs=0.1)
    assert data["file_path"].endswith(extension)
    with client.get(f"/media/{project_id}/video") as response:
        assert response.mimetype == stored_type
        assert response.get_data() == video


@pytest.mark.parametrize("name", ["../../etc/passwd", "Ürlaub 🎬.mp4", "x" * 300 + ".exe", 'a;b"c'])
def test_a_files_name_decides_nothing(client: FlaskClient, project_id: str, name: str) -> None:
    data = upload(client, project_id, small_mp4_bytes(), name=name)

    assert re.fullmatch(rf"videos/{_UUID}\.mp4", data["file_path"])
    assert video_of(client, project_id) == small_mp4_bytes()


def test_a_second_upload_replaces_the_first(client: FlaskClient, filmed_id: str, film: Film, media_dir: Path) -> None:
    before = client.get(f"/projects/{filmed_id}/debug").get_json()["data"]["video"]
    trimmed = assert_success(trim(client, filmed_id, (0, 0.4)))["trimmed_video_path"]
    old = {before["path"], before["thumbnail_path"], trimmed}
    assert old <= files_below(media_dir)

    upload(client, filmed_id, film.video)

    assert video_of(client, filmed_id) == film.video
    assert assert_success(client.get(f"/projects/{filmed_id}"))["duration"] == pytest.approx(3.0, abs=0.05)
    assert not old & files_below(media_dir)


def test_a_replaced_video_keeps_the_timeline(client: FlaskClient, filmed_id: str, film: Film) -> None:
    save(client, filmed_id, make_state())
    before = client.get(f"/timeline/{filmed_id}").get_data()

    upload(client, filmed_id, film.video)

    assert client.get(f"/timeline/{filmed_id}").get_data() == before
