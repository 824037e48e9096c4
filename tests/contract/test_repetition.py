"""Said twice, done once: `Idempotency-Key` on POST and PATCH."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from projectapi.project import now
from projectapi.protocols import Backend

STATE = {"layers": [], "zoom": 1}


@pytest.fixture
def key() -> dict[str, str]:
    return {"Idempotency-Key": secrets.token_hex(8)}


@pytest.fixture
def project_id(client: FlaskClient) -> str:
    project_id: str = client.post("/projects", json={"name": "Once"}).get_json()["data"]["_id"]
    return project_id


def save(client: FlaskClient, project_id: str, key: dict[str, str], zoom: float = 1) -> Any:
    state = {**STATE, "zoom": zoom}
    return client.post("/timeline/", json={"project_id": project_id, "timeline_state": state}, headers=key)


def test_a_project_that_is_asked_for_twice_is_made_once(client: FlaskClient, key: dict[str, str]) -> None:
    first = client.post("/projects", json={"name": "Film"}, headers=key)
    second = client.post("/projects", json={"name": "Film"}, headers=key)

    assert second.get_data() == first.get_data()
    assert second.headers["ETag"] == first.headers["ETag"]
    assert second.headers["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first.headers


def test_the_same_key_with_another_body_is_refused(client: FlaskClient, key: dict[str, str]) -> None:
    client.post("/projects", json={"name": "Film"}, headers=key)

    response = client.post("/projects", json={"name": "Another film"}, headers=key)

    assert (response.status_code, response.get_json()["code"]) == (422, "idempotency_key_reused")


def test_the_same_key_of_somebody_else_is_another_key(client: FlaskClient, key: dict[str, str]) -> None:
    mine = client.post("/projects", json={"name": "Film"}, headers={**key, "X-User-Id": "me"})
    theirs = client.post("/projects", json={"name": "Film"}, headers={**key, "X-User-Id": "them"})

    assert mine.get_json()["data"]["_id"] != theirs.get_json()["data"]["_id"]


def test_a_key_with_spaces_is_refused(client: FlaskClient) -> None:
    response = client.post("/projects", json={"name": "Film"}, headers={"Idempotency-Key": "a b"})

    assert (response.status_code, response.get_json()["detail"][0]["loc"]) == (422, ["header", "Idempotency-Key"])


def test_a_key_on_an_address_that_does_not_exist_stays_free(client: FlaskClient, key: dict[str, str]) -> None:
    assert client.post("/projets", json={"name": "Holiday"}, headers=key).status_code == 404

    response = client.post("/projects", json={"name": "Holiday"}, headers=key)

    assert response.status_code == 200


def forget_answer(app: Flask, client: FlaskClient) -> None:
    """Leave the key's record as a worker leaves it that is killed after its write and before its answer."""
    store = app.extensions["projectapi"].idempotency
    store._collection.update_many({}, {"$unset": {"status": "", "headers": "", "body": ""}})


def test_a_save_that_was_cut_off_before_its_answer_is_not_made_again(
    app: Flask, client: FlaskClient, project_id: str, key: dict[str, str]
) -> None:
    first = save(client, project_id, key, zoom=2)
    forget_answer(app, client)
    save(client, project_id, {}, zoom=3)

    repeated = save(client, project_id, key, zoom=2)

    assert repeated.get_json()["data"]["version"] == first.get_json()["data"]["version"] == 1
    assert client.get(f"/timeline/{project_id}").get_json()["data"]["zoom"] == 3
    assert len(client.get(f"/timeline/{project_id}/history").get_json()["data"]) == 2


def test_a_save_that_added_nothing_adds_nothing_when_it_is_repeated_later(
    app: Flask, client: FlaskClient, project_id: str, key: dict[str, str]
) -> None:
    # Given a save of what is current already, cut off before its answer, and somebody else's save after it
    save(client, project_id, {}, zoom=1)
    etag = client.get(f"/projects/{project_id}").headers["ETag"]
    assert save(client, project_id, key, zoom=1).get_json()["data"]["version"] == 1
    assert client.get(f"/projects/{project_id}").headers["ETag"] == etag
    forget_answer(app, client)
    save(client, project_id, {}, zoom=2)

    # When it is repeated
    assert save(client, project_id, key, zoom=1).status_code == 200

    # Then it is not put on top of the other's
    assert client.get(f"/timeline/{project_id}").get_json()["data"]["zoom"] == 2
    assert len(client.get(f"/timeline/{project_id}/history").get_json()["data"]) == 2


def test_a_patch_that_tests_what_it_changes_can_be_repeated_after_it_was_cut_off(
    app: Flask, client: FlaskClient, project_id: str, key: dict[str, str]
) -> None:
    patch = '[{"op": "test", "path": "/name", "value": "Once"}, {"op": "replace", "path": "/name", "value": "Twice"}]'
    headers = {**key, "Content-Type": "application/json-patch+json"}
    client.patch(f"/projects/{project_id}", data=patch, headers=headers)
    forget_answer(app, client)

    repeated = client.patch(f"/projects/{project_id}", data=patch, headers=headers)

    assert (repeated.status_code, repeated.get_json()["data"]["name"]) == (200, "Twice")


def test_a_restore_that_was_cut_off_is_not_made_again_even_if_its_source_is_gone(
    app: Flask, client: FlaskClient, project_id: str, key: dict[str, str]
) -> None:
    source = save(client, project_id, {}, zoom=1).get_json()["data"]["_id"]
    save(client, project_id, {}, zoom=2)
    restored = client.post(f"/timeline/{project_id}/restore/1", headers=key).get_json()["data"]
    forget_answer(app, client)
    assert client.delete(f"/timeline/{source}").status_code == 200

    repeated = client.post(f"/timeline/{project_id}/restore/1", headers=key)

    assert repeated.get_json()["data"]["version"] == restored["version"] == 3


def test_after_a_day_the_same_key_asks_for_something_new(
    app: Flask, client: FlaskClient, project_id: str, key: dict[str, str], backend: Backend
) -> None:
    save(client, project_id, key, zoom=2)
    store: Any = backend.idempotency
    store._collection.update_many({}, {"$set": {"createdAt": now() - timedelta(hours=25)}})

    later = save(client, project_id, key, zoom=5)

    assert later.get_json()["data"]["version"] == 2
    assert client.get(f"/timeline/{project_id}").get_json()["data"]["zoom"] == 5


def test_the_answer_stands_when_it_cannot_be_kept(
    app: Flask, client: FlaskClient, key: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from projectapi.errors import DatabaseUnavailable

    def fail(*_: object) -> None:
        raise DatabaseUnavailable

    monkeypatch.setattr(app.extensions["projectapi"].idempotency, "finish", fail)

    assert client.post("/projects", json={"name": "Film"}, headers=key).status_code == 200
