"""`If-Match` on every address that saves: the loser is told, and nothing is overwritten."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

STALE = '"1-0000000000000000"'

Call = Callable[[FlaskClient, "World", dict[str, str]], Any]


class World:
    """A project whose timeline has two versions."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client
        self.id = client.post("/projects", json={"name": "Two tabs"}).get_json()["data"]["_id"]
        for zoom in (1, 2):
            saved = self.save(zoom)
        self.current = saved.get_json()["data"]["_id"]
        self.etag = saved.headers["ETag"]

    def save(self, zoom: int) -> Any:
        return self.client.post("/timeline/", json={"project_id": self.id, "timeline_state": {"zoom": zoom}})

    def seen(self) -> Any:
        timeline = self.client.get(f"/timeline/{self.id}").get_json()["data"]
        history = self.client.get(f"/timeline/{self.id}/history?limit=50").get_json()["data"]
        return timeline, history, self.client.get(f"/projects/{self.id}").get_json()["data"]


@pytest.fixture
def world(client: FlaskClient) -> World:
    return World(client)


def patching(address: str) -> Call:
    def call(client: FlaskClient, world: World, headers: dict[str, str]) -> Any:
        path = f"/{address}/{world.id}"
        merge = {"data": b'{"name": "x", "zoom": 9}', "content_type": "application/merge-patch+json"}
        return client.patch(path, **merge, headers=headers)

    return call


SAVING: dict[str, Call] = {
    "POST /timeline/": lambda c, w, h: c.post(
        "/timeline/", json={"project_id": w.id, "timeline_state": {"zoom": 9}}, headers=h
    ),
    "POST /timeline/save": lambda c, w, h: c.post(
        "/timeline/save", json={"project_id": w.id, "timeline_state": {"zoom": 9}}, headers=h
    ),
    "PUT a state": lambda c, w, h: c.put(f"/timeline/{w.current}", json={"timeline_state": {"zoom": 9}}, headers=h),
    "PUT words": lambda c, w, h: c.put(f"/timeline/{w.current}", json={"description": "Mine"}, headers=h),
    "PATCH /timeline": patching("timeline"),
    "restore an earlier version": lambda c, w, h: c.post(f"/timeline/{w.id}/restore/1", headers=h),
    "restore the current version": lambda c, w, h: c.post(f"/timeline/{w.id}/restore/2", headers=h),
    "DELETE /timeline": lambda c, w, h: c.delete(f"/timeline/{w.id}", headers=h),
}

ON_PROJECTS: dict[str, Call] = {
    "PUT /projects": lambda c, w, h: c.put(f"/projects/{w.id}", json={"name": "x"}, headers=h),
    "PATCH /projects": patching("projects"),
    "DELETE /projects": lambda c, w, h: c.delete(f"/projects/{w.id}", headers=h),
}


@pytest.mark.parametrize("name", [*SAVING, *ON_PROJECTS])
@pytest.mark.parametrize("tag", [STALE, '"of-another-server"', 'W/"2-0123456789abcdef"'])
def test_a_version_that_is_not_the_current_one_changes_nothing(
    client: FlaskClient, world: World, name: str, tag: str
) -> None:
    before = world.seen()

    response = {**SAVING, **ON_PROJECTS}[name](client, world, {"If-Match": tag})

    assert (response.status_code, response.get_json()["code"]) == (412, "precondition_failed")
    assert response.get_json()["currentETag"] == response.headers["ETag"]
    assert response.get_json()["currentUpdatedAt"].endswith("Z")
    assert world.seen() == before


@pytest.mark.parametrize("name", [*SAVING, *ON_PROJECTS])
def test_a_malformed_precondition_changes_nothing(client: FlaskClient, world: World, name: str) -> None:
    before = world.seen()

    response = {**SAVING, **ON_PROJECTS}[name](client, world, {"If-Match": "2"})

    assert (response.status_code, response.get_json()["code"]) == (400, "invalid_precondition")
    assert world.seen() == before


@pytest.mark.parametrize("name", SAVING)
def test_the_current_version_of_the_timeline_may_be_changed(client: FlaskClient, world: World, name: str) -> None:
    assert SAVING[name](client, world, {"If-Match": world.etag}).status_code == 200


@pytest.mark.parametrize("name", ON_PROJECTS)
def test_the_current_version_of_the_project_may_be_changed(client: FlaskClient, world: World, name: str) -> None:
    etag = client.get(f"/projects/{world.id}").headers["ETag"]

    assert ON_PROJECTS[name](client, world, {"If-Match": etag}).status_code == 200


def test_changed_words_come_with_the_new_tag(client: FlaskClient, world: World) -> None:
    renamed = client.put(f"/timeline/{world.current}", json={"description": "Mine"}, headers={"If-Match": world.etag})

    assert renamed.headers["ETag"] == client.get(f"/timeline/{world.id}").headers["ETag"] != world.etag


def test_words_that_change_nothing_leave_the_tag(client: FlaskClient, world: World) -> None:
    assert client.put(f"/timeline/{world.current}", json={}).status_code == 200

    assert client.get(f"/timeline/{world.id}").headers["ETag"] == world.etag


@pytest.mark.parametrize("address", ["/projects/{}", "/timeline/{}", "/timeline/{}/current", "/timeline/{}/history"])
def test_whoever_has_it_is_not_sent_it_again(client: FlaskClient, world: World, address: str) -> None:
    path = address.format(world.id)
    etag = client.get(path, headers={"Accept-Encoding": "identity"}).headers["ETag"]

    again = client.get(path, headers={"If-None-Match": etag, "Accept-Encoding": "identity"})

    assert (again.status_code, again.get_data(), again.headers["ETag"]) == (304, b"", etag)
    assert client.get(path, headers={"If-None-Match": "rubbish"}).status_code == 400
