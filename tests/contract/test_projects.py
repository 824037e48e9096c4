"""Contract 2: the list of projects, and one project from its creation to its last change."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.contract.calls import UNKNOWN_ID, create_project, save, upload
from tests.contract.conftest import Film
from tests.contract.shapes import assert_project, assert_success, exactly
from tests.contract.timelines import make_state
from tests.errors_shape import assert_error
from tests.media_samples import small_mp4_bytes


def listed(client: FlaskClient, owner: str) -> list[dict[str, Any]]:
    projects: list[dict[str, Any]] = assert_success(client.get("/projects/", headers={"X-User-Id": owner}))
    return projects


def test_somebody_new_has_no_projects(client: FlaskClient, owner: str) -> None:
    response = client.get("/projects/", headers={"X-User-Id": owner})

    assert assert_success(response, "Found 0 projects") == []


def test_a_new_project_has_a_name_and_nothing_else_yet(client: FlaskClient) -> None:
    body = {"name": "Holiday", "description": "Video uploaded on 11/22/2026"}

    project = assert_success(client.post("/projects/", json=body))

    assert_project(project)
    assert project["name"] == "Holiday"
    assert project["description"] == "Video uploaded on 11/22/2026"
    assert project["user_id"] == "anonymous"
    empty = ("thumbnail", "duration", "timeline_state", "transcript_state")
    assert [project[key] for key in empty] == [None, None, None, None]


def test_a_project_needs_no_description(client: FlaskClient) -> None:
    assert assert_success(client.post("/projects/", json={"name": "Holiday"}))["description"] is None
    assert assert_success(client.post("/projects/", json={"name": "H", "description": None}))["description"] is None


@pytest.mark.parametrize("name", ["", " ", "x" * 255, "Ünïcode 🎬 名前", '"quoted" <b>', "a.b$c", "$where", "🎬" * 255])
def test_a_name_comes_back_as_it_was_sent(client: FlaskClient, name: str) -> None:
    project = assert_success(client.post("/projects/", json={"name": name}))

    assert project["name"] == name
    assert assert_success(client.get(f"/projects/{project['_id']}"))["name"] == name


def test_a_long_description_comes_back_as_it_was_sent(client: FlaskClient) -> None:
    description = "line\n" * 1000

    project = assert_success(client.post("/projects/", json={"name": "Holiday", "description": description}))

    assert project["description"] == description


def test_keys_that_nobody_knows_are_ignored(client: FlaskClient) -> None:
    body = {"name": "Holiday", "_id": "mine", "user_id": "root", "duration": 7, "somethingNew": {"$a": 1}}

    project = assert_success(client.post("/projects/", json=body))

    assert_project(project)
    assert project["_id"] != "mine"
    assert project["user_id"] == "anonymous"
    assert project["duration"] is None


def test_every_project_has_an_id_of_its_own_that_fits_into_an_address(client: FlaskClient) -> None:
    ids = {create_project(client) for _ in range(5)}

    assert len(ids) == 5
    assert all(identity.isascii() and identity.isalnum() for identity in ids)


def test_a_found_project_is_the_created_one(client: FlaskClient) -> None:
    created = assert_success(client.post("/projects/", json={"name": "Holiday"}))

    found = assert_success(client.get(f"/projects/{created['_id']}"), "Project found")

    assert found == created


def test_the_list_holds_whole_projects(client: FlaskClient, owner: str) -> None:
    created = assert_success(client.post("/projects/", json={"name": "Holiday"}, headers={"X-User-Id": owner}))

    response = client.get("/projects/", headers={"X-User-Id": owner})

    assert assert_success(response, "Found 1 projects") == [created]


def test_the_list_has_the_project_that_changed_last_first(client: FlaskClient, owner: str) -> None:
    first, second, third = (create_project(client, name, **{"X-User-Id": owner}) for name in ("1", "2", "3"))

    save(client, first, make_state())

    assert [project["_id"] for project in listed(client, owner)] == [first, third, second]


def test_the_list_leaves_the_timelines_out(client: FlaskClient, owner: str) -> None:
    project_id = create_project(client, **{"X-User-Id": owner})
    save(client, project_id, make_state())

    [project] = listed(client, owner)

    assert_project(project)
    assert project["timeline_state"] is None


def test_the_list_is_of_whoever_asks(client: FlaskClient, owner: str) -> None:
    mine = create_project(client, **{"X-User-Id": owner})
    create_project(client, **{"X-User-Id": f"not-{owner}"})
    create_project(client)

    [project] = listed(client, owner)

    assert project["_id"] == mine
    assert project["user_id"] == owner


def test_a_project_can_be_opened_by_whoever_knows_its_id(client: FlaskClient, owner: str) -> None:
    project_id = create_project(client, **{"X-User-Id": owner})

    assert assert_success(client.get(f"/projects/{project_id}"))["user_id"] == owner


def test_the_list_shows_at_most_fifty_and_says_where_it_goes_on(client: FlaskClient, owner: str) -> None:
    created = [create_project(client, str(number), **{"X-User-Id": owner}) for number in range(52)]

    response = client.get("/projects/", headers={"X-User-Id": owner})

    first = [project["_id"] for project in assert_success(response, "Found 50 projects")]
    following = response.headers["Link"].partition(">")[0].removeprefix("<")
    rest = [project["_id"] for project in assert_success(client.get(following, headers={"X-User-Id": owner}))]
    assert first + rest == created[::-1]


def test_an_opened_project_carries_its_saved_timeline(client: FlaskClient, project_id: str) -> None:
    state = make_state()
    save(client, project_id, state)

    project = assert_success(client.get(f"/projects/{project_id}"))

    assert_project(project)
    assert exactly(project["timeline_state"]) == exactly(state)


def test_a_project_with_a_video_has_its_length_and_a_picture_for_the_list(client: FlaskClient, film: Film, owner: str) -> None:
    project_id = create_project(client, **{"X-User-Id": owner})
    upload(client, project_id, small_mp4_bytes())

    [project] = listed(client, owner)

    assert_project(project)
    assert type(project["duration"]) is float
    assert project["duration"] == pytest.approx(1.0, abs=0.05)
    assert project["thumbnail"] == f"/media/{project_id}/thumbnail"
    with client.get(project["thumbnail"]) as picture:
        assert picture.mimetype == "image/jpeg"


@pytest.mark.parametrize(
    "identity",
    [
        UNKNOWN_ID,
        "not-an-object-id",
        "0",
        "x" * 300,
        "%F0%9F%8E%AC",
        "%00",
        "%24ne",
        "[$ne]=1",
        "5f43a1e2b6d1c2a3e4f5a6bZ",
        "undefined",
        "null",
        "project_",
        "myproject_1",
    ],
)
def test_an_id_that_is_nobodys_is_not_found_whatever_it_looks_like(client: FlaskClient, identity: str) -> None:
    error = assert_error(client.get(f"/projects/{identity}"), 404, "project_not_found")

    assert error["error"] == "Project not found"


def test_the_debug_address_shows_the_record(client: FlaskClient, project_id: str) -> None:
    response = client.get(f"/projects/{project_id}/debug")

    assert response.status_code == 200
    body = response.get_json()
    assert set(body) == {"success", "data", "message"}
    assert body["success"] is True
    assert body["data"]["_id"] == project_id
    assert body["data"]["video_path"] is None


def test_the_debug_address_says_where_the_video_lies(client: FlaskClient, film: Film) -> None:
    record = client.get(f"/projects/{film.id}/debug").get_json()["data"]

    assert record["video_path"] == film.file_path


def test_the_debug_address_knows_no_unknown_project(client: FlaskClient) -> None:
    assert_error(client.get(f"/projects/{UNKNOWN_ID}/debug"), 404, "project_not_found")
