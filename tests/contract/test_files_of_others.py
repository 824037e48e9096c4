"""With OWNERSHIP=enforced a media file is served to the owner of its project, and to nobody else."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from tests.conftest import AppMaker
from tests.contract.calls import create_project, post_video
from tests.contract.shapes import JsonObject, assert_success
from tests.errors_shape import assert_error
from tests.media_samples import small_mp4_bytes

ANN, BEN = {"X-User-Id": "ann"}, {"X-User-Id": "ben"}


@pytest.fixture
def guarded_client(make_app: AppMaker) -> FlaskClient:
    return make_app(ownership="enforced").test_client()


@pytest.fixture
def files(guarded_client: FlaskClient) -> dict[str, str]:
    """The files of Ann's project, and its id."""
    project_id = create_project(guarded_client, **ANN)
    assert_success(post_video(guarded_client, project_id, small_mp4_bytes(), headers=ANN))
    cut: JsonObject = {"project_id": project_id, "segments": [{"startTime": 0, "duration": 0.5}]}
    trimmed = assert_success(guarded_client.post("/media/trim-video", json=cut, headers=ANN))["trimmed_video_path"]
    video = guarded_client.get(f"/projects/{project_id}/debug", headers=ANN).get_json()["data"]["video"]
    return {"id": project_id, "video": video["path"], "thumbnail": video["thumbnail_path"], "cut": trimmed}


def test_only_the_owner_gets_at_the_files_of_a_project(guarded_client: FlaskClient, files: dict[str, str]) -> None:
    create_project(guarded_client, **BEN)

    for kind in ("video", "thumbnail", "cut"):
        with guarded_client.get(f"/static/{files[kind]}", headers=ANN) as own:
            assert own.status_code == 200
        for stranger in (BEN, {}):
            assert_error(guarded_client.get(f"/static/{files[kind]}", headers=stranger), 404, "not_found")


def test_the_files_of_a_deleted_project_are_nobodys(guarded_client: FlaskClient, files: dict[str, str]) -> None:
    assert_success(guarded_client.delete(f"/projects/{files['id']}", headers=ANN))

    assert_error(guarded_client.get(f"/static/{files['video']}", headers=ANN), 404, "not_found")
