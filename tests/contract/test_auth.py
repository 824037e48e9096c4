"""Contract 5: there are no accounts, and frontends that believe in them can be used all the same."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient
from pymongo import MongoClient

from tests.contract.browser import Browser
from tests.contract.calls import create_project, save
from tests.contract.conftest import Film
from tests.contract.shapes import assert_success
from tests.contract.timelines import make_state
from tests.errors_shape import assert_error

RUBBISH = [
    "Bearer eyJhbGciOiJIUzI1NiJ9.e30.x",
    "Bearer",
    "Bearer ",
    "Basic dXNlcjpwYXNz",
    "Basic !!!",
    "Digest a=b",
    "x" * 5000,
]
REFUSED = [
    ("POST", "/auth/register"),
    ("POST", "/auth/login"),
    ("POST", "/auth/google"),
    ("POST", "/auth/verify-email"),
    ("POST", "/auth/resend-verification"),
    ("POST", "/auth/forgot-password"),
    ("POST", "/auth/reset-password"),
    ("POST", "/auth/change-password?old_password=a&new_password=b"),
    ("PUT", "/auth/me"),
    ("GET", "/auth/anything/else"),
    ("DELETE", "/auth/sessions/7"),
]


@pytest.mark.parametrize("authorization", [None, *RUBBISH])
def test_everybody_is_the_one_anonymous_user(client: FlaskClient, authorization: str | None) -> None:
    headers = {"Authorization": authorization} if authorization else {}

    user = assert_success(client.get("/auth/me", headers=headers))

    assert set(user) == {"_id", "id", "name", "email", "created_at", "updated_at"}
    assert user["_id"] == user["id"]
    assert user["name"] == "Anonymous"
    assert user["email"] is None
    assert user["created_at"].endswith("Z")
    assert user["updated_at"].endswith("Z")


def test_a_refresh_hands_the_sent_token_back(client: FlaskClient) -> None:
    data = assert_success(client.post("/auth/refresh", json={"refresh_token": "a-token-of-old-times"}))

    assert data["access_token"] == "a-token-of-old-times"


def test_a_refresh_takes_the_token_from_the_header_if_there_is_none_in_the_body(client: FlaskClient) -> None:
    data = assert_success(client.post("/auth/refresh", headers={"Authorization": "Bearer from-the-header"}))

    assert data["access_token"] == "from-the-header"


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"json": {}},
        {"json": {"refresh_token": None}},
        {"json": {"refresh_token": 7}},
        {"json": ["a"]},
        {"json": None},
        {"data": b"{", "content_type": "application/json"},
        {"data": b'{"refresh_token": 99999999999999999999}', "content_type": "application/json"},
        {"data": b"refresh_token=a", "content_type": "text/plain"},
    ],
)
def test_a_refresh_without_a_token_succeeds_all_the_same(client: FlaskClient, options: dict[str, Any]) -> None:
    data = assert_success(client.post("/auth/refresh", **options))

    assert data["access_token"] == "anonymous"


def test_signing_out_succeeds(client: FlaskClient) -> None:
    assert assert_success(client.post("/auth/logout")) is None


@pytest.mark.parametrize(("method", "path"), REFUSED)
def test_everything_else_about_accounts_says_that_there_are_none(client: FlaskClient, method: str, path: str) -> None:
    body = {"email": "a@example.org", "password": "secret", "token": "t"}

    response = client.open(path, method=method, json=body if method != "GET" else None)

    error = assert_error(response, 501, "not_offered")["error"]
    assert "no accounts" in error
    assert "saved without signing in" in error


def test_a_password_is_neither_logged_nor_stored_nor_repeated(
    client: FlaskClient, app_log: pytest.LogCaptureFixture, mongodb_uri: str
) -> None:
    password = "correct-horse-battery-staple"
    body = {"email": "a@example.org", "password": password, "confirm_password": password, "name": "A"}

    answers = [client.post(path, json=body).get_data(as_text=True) for path in ("/auth/login", "/auth/register")]

    assert app_log.records, "the log was not looked at"
    assert password not in app_log.text
    assert not any(password in answer for answer in answers)
    with MongoClient[dict[str, Any]](mongodb_uri) as mongo:
        database = mongo["projectapi"]
        assert not any(password in repr(list(database[name].find())) for name in database.list_collection_names())


@pytest.mark.parametrize("authorization", RUBBISH)
def test_no_token_keeps_anybody_from_their_work(client: FlaskClient, film: Film, authorization: str) -> None:
    browser = Browser(client, authorization=authorization)

    project_id = assert_success(browser.call("POST", "/projects", json={"name": "Mine"}))["_id"]
    body = {"project_id": project_id, "timeline_state": make_state()}

    assert_success(browser.call("GET", "/projects"))
    assert_success(browser.call("GET", f"/projects/{project_id}"))
    assert_success(browser.call("POST", "/timeline/", json=body))
    assert_success(browser.call("GET", f"/timeline/{project_id}/history"))
    assert_success(browser.call("POST", f"/timeline/{project_id}/restore/1"))
    with browser.call("GET", f"/media/{film.id}/video") as response:
        assert response.status_code == 200
    assert_success(browser.call("DELETE", f"/projects/{project_id}"))


def test_a_token_does_not_change_whose_projects_are_listed(client: FlaskClient, owner: str) -> None:
    project_id = create_project(client, **{"X-User-Id": owner})
    save(client, project_id, make_state())

    listed = assert_success(client.get("/projects", headers={"X-User-Id": owner, "Authorization": "Bearer of-another"}))

    assert [project["_id"] for project in listed] == [project_id]
