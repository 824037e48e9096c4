"""Contract 2.2, deletion: a deleted project is gone with everything of it, and comes back with everything of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.contract.calls import UNKNOWN_ID, create_project, history, post_video, save, trim, upload
from tests.contract.shapes import JsonObject, assert_success
from tests.contract.timelines import make_clip, make_state
from tests.errors_shape import assert_error
from tests.media_samples import small_mp4_bytes


def project_body(project_id: str) -> JsonObject:
    return {"project_id": project_id, "timeline_state": make_state()}


USES: dict[str, Callable[[FlaskClient, str], TestResponse]] = {
    "open": lambda client, x: client.get(f"/projects/{x}"),
    "debug": lambda client, x: client.get(f"/projects/{x}/debug"),
    "change": lambda client, x: client.put(f"/projects/{x}", json={"name": "x"}),
    "delete": lambda client, x: client.delete(f"/projects/{x}"),
    "upload": lambda client, x: post_video(client, x, small_mp4_bytes()),
    "video": lambda client, x: client.get(f"/media/{x}/video"),
    "range of video": lambda client, x: client.get(f"/media/{x}/video", headers={"Range": "bytes=0-"}),
    "thumbnail": lambda client, x: client.get(f"/media/{x}/thumbnail"),
    "transcribe": lambda client, x: client.post("/media/transcribe", data={"project_id": x}),
    "remove fillers": lambda client, x: client.post("/media/remove-fillers", json={"project_id": x, "auto_detect": True}),
    "trim": lambda client, x: trim(client, x, (0, 0.5)),
    "timeline": lambda client, x: client.get(f"/timeline/{x}"),
    "current": lambda client, x: client.get(f"/timeline/{x}/current"),
    "history": lambda client, x: client.get(f"/timeline/{x}/history"),
    "version": lambda client, x: client.get(f"/timeline/{x}/version/1"),
    "restore version": lambda client, x: client.post(f"/timeline/{x}/restore/1"),
    "save": lambda client, x: client.post("/timeline/", json=project_body(x)),
    "old save": lambda client, x: client.post("/timeline/save", json=project_body(x)),
    "clear timeline": lambda client, x: client.delete(f"/timeline/{x}"),
    "preview": lambda client, x: client.post(f"/timeline/{x}/render-preview"),
    "export": lambda client, x: client.post(f"/timeline/{x}/export"),
}


@pytest.fixture(scope="module")
def deleted_id(app: Flask) -> str:
    """A project with a video and two versions that was deleted."""
    client = app.test_client()
    project_id = create_project(client)
    upload(client, project_id, small_mp4_bytes())
    save(client, project_id, make_state())
    save(client, project_id, make_state(make_clip("second")))
    assert_success(client.delete(f"/projects/{project_id}"))
    return project_id


@pytest.mark.parametrize("use", USES)
def test_nothing_of_a_deleted_project_is_found(client: FlaskClient, deleted_id: str, use: str) -> None:
    error = assert_error(USES[use](client, deleted_id), 404, "project_not_found")

    assert error["error"] == "Project not found"


@pytest.mark.parametrize("use", USES)
def test_nothing_of_an_unknown_project_is_found(client: FlaskClient, use: str) -> None:
    error = assert_error(USES[use](client, UNKNOWN_ID), 404, "project_not_found")

    assert error["error"] == "Project not found"


@pytest.mark.parametrize("use", USES)
def test_whoever_had_a_project_before_storage_was_permanent_is_told_what_became_of_it(client: FlaskClient, use: str) -> None:
    error = assert_error(USES[use](client, "project_1"), 404, "project_not_carried_over")

    assert "stored permanently" in error["error"]
    assert "could not be carried over" in error["error"]
    assert "create the project again" in error["error"]


def test_deleting_says_that_it_was_done(client: FlaskClient, project_id: str) -> None:
    assert assert_success(client.delete(f"/projects/{project_id}"), "Project deleted successfully") is None


def test_a_deleted_project_leaves_the_list_and_the_others_stay(client: FlaskClient, owner: str) -> None:
    gone, stays = (create_project(client, name, **{"X-User-Id": owner}) for name in ("Gone", "Stays"))

    client.delete(f"/projects/{gone}")

    projects = assert_success(client.get("/projects", headers={"X-User-Id": owner}), "Found 1 projects")
    assert [project["_id"] for project in projects] == [stays]


def test_a_version_of_a_deleted_project_is_not_found_by_its_own_id(client: FlaskClient, project_id: str) -> None:
    first = save(client, project_id, make_state())
    save(client, project_id, make_state(make_clip("second")))

    client.delete(f"/projects/{project_id}")

    assert client.put(f"/timeline/{first['_id']}", json={"description": "x"}).status_code == 404
    assert client.delete(f"/timeline/{first['_id']}").status_code == 404


def test_a_restored_project_is_back_with_everything(client: FlaskClient, filmed_id: str) -> None:
    save(client, filmed_id, make_state(), "First")
    save(client, filmed_id, make_state(make_clip("second")), "Second")
    before = everything_of(client, filmed_id)
    client.delete(f"/projects/{filmed_id}")

    assert assert_success(client.post(f"/projects/{filmed_id}/restore")) is None

    assert everything_of(client, filmed_id) == before


def test_a_restored_project_is_in_the_list_again(client: FlaskClient, owner: str) -> None:
    project_id = create_project(client, **{"X-User-Id": owner})
    client.delete(f"/projects/{project_id}")

    client.post(f"/projects/{project_id}/restore")

    [project] = assert_success(client.get("/projects", headers={"X-User-Id": owner}))
    assert project["_id"] == project_id


def test_a_project_can_be_deleted_again_after_its_return(client: FlaskClient, project_id: str) -> None:
    for _ in range(2):
        assert_success(client.delete(f"/projects/{project_id}"))
        assert_success(client.post(f"/projects/{project_id}/restore"))

    assert_success(client.get(f"/projects/{project_id}"))


def test_what_was_not_deleted_cannot_be_brought_back(client: FlaskClient, project_id: str) -> None:
    assert_error(client.post(f"/projects/{project_id}/restore"), 404, "project_not_found")
    assert_error(client.post(f"/projects/{UNKNOWN_ID}/restore"), 404, "project_not_found")
    assert_error(client.post("/projects/project_1/restore"), 404, "project_not_carried_over")


def everything_of(client: FlaskClient, project_id: str) -> list[object]:
    project = assert_success(client.get(f"/projects/{project_id}"))
    for moving in ("updated_at", "updatedAt", "version"):
        del project[moving]
    with client.get(f"/media/{project_id}/video") as video, client.get(f"/media/{project_id}/thumbnail") as picture:
        files = [video.get_data(), picture.get_data()]
    timeline = client.get(f"/timeline/{project_id}").get_data()
    return [project, timeline, history(client, project_id), *files]
