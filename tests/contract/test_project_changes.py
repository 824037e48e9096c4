"""Contract 2.2, PUT: a change alters what it names."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.contract.calls import UNKNOWN_ID, save
from tests.contract.shapes import assert_project, assert_success, exactly, parse_utc
from tests.contract.timelines import make_state
from tests.errors_shape import assert_error
from tests.media_samples import small_mp4_bytes


@pytest.mark.parametrize(
    "change",
    [
        {"name": "Summer"},
        {"name": ""},
        {"description": "New"},
        {"description": None},
        {"thumbnail": "https://example.org/a.jpg"},
        {"thumbnail": None},
        {"duration": 12.5},
        {"duration": 12},
        {"duration": None},
        {"name": "Summer", "description": "New", "thumbnail": "/x.jpg", "duration": 1},
    ],
)
def test_a_change_alters_what_it_names_and_nothing_else(client: FlaskClient, change: dict[str, Any]) -> None:
    created = assert_success(client.post("/projects/", json={"name": "Holiday", "description": "Old"}))

    changed = assert_success(client.put(f"/projects/{created['_id']}", json=change))

    assert_project(changed)
    moving = {"updated_at": changed["updated_at"], "updatedAt": changed["updatedAt"], "version": created["version"] + 1}
    assert exactly(changed) == exactly({**created, **moving, **change})
    assert assert_success(client.get(f"/projects/{created['_id']}")) == changed


def test_a_change_moves_the_date_of_the_last_change_and_not_that_of_creation(client: FlaskClient, project_id: str) -> None:
    before = assert_success(client.get(f"/projects/{project_id}"))

    after = assert_success(client.put(f"/projects/{project_id}", json={"name": "Summer"}))

    assert after["created_at"] == before["created_at"]
    assert parse_utc(after["updated_at"]) >= parse_utc(before["updated_at"])


def test_a_whole_project_in_camel_case_is_taken_as_a_change(client: FlaskClient, filmed_id: str) -> None:
    project = assert_success(client.get(f"/projects/{filmed_id}"))
    sent = {"_id": filmed_id, "name": "Summer", "createdAt": "2020-01-01", "timelineState": {}, "video_path": "/etc/passwd"}

    changed = assert_success(client.put(f"/projects/{filmed_id}", json=sent))

    assert changed["name"] == "Summer"
    assert changed["createdAt"] == project["createdAt"]
    assert changed["timeline_state"] is None
    with client.get(f"/media/{filmed_id}/video") as response:
        assert response.get_data() == small_mp4_bytes()


def test_a_change_keeps_the_timeline(client: FlaskClient, project_id: str) -> None:
    state = make_state()
    save(client, project_id, state)

    changed = assert_success(client.put(f"/projects/{project_id}", json={"name": "Summer"}))

    assert exactly(changed["timeline_state"]) == exactly(state)


def test_an_unknown_project_cannot_be_changed(client: FlaskClient) -> None:
    assert_error(client.put(f"/projects/{UNKNOWN_ID}", json={"name": "x"}), 404, "project_not_found")
