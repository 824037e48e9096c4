"""Contract 1.2: browsers may call the API from the frontends' origins, and from no others."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from projectapi.api.documentation.headers import ANSWER_HEADERS
from projectapi.errors import DatabaseUnavailable
from tests.conftest import AppMaker
from tests.contract.browser import ORIGIN, Browser, assert_readable
from tests.contract.calls import UNKNOWN_ID
from tests.contract.conftest import Film

ALLOWED = ["http://localhost:3000", "http://127.0.0.1:3000"]
PREFLIGHTS = [
    ("POST", "/projects"),
    ("POST", "/projects/"),
    ("GET", "/projects"),
    ("DELETE", f"/projects/{UNKNOWN_ID}"),
    ("PUT", f"/projects/{UNKNOWN_ID}"),
    ("POST", "/media/upload"),
    ("POST", "/media/upload/"),
    ("GET", f"/media/{UNKNOWN_ID}/video"),
    ("POST", "/media/trim-video"),
    ("POST", "/media/transcribe"),
    ("POST", "/media/remove-fillers"),
    ("POST", "/timeline"),
    ("POST", "/timeline/"),
    ("POST", "/timeline/save"),
    ("GET", f"/timeline/{UNKNOWN_ID}"),
    ("GET", f"/timeline/{UNKNOWN_ID}/history"),
    ("POST", f"/timeline/{UNKNOWN_ID}/restore/1"),
    ("GET", "/auth/me"),
    ("POST", "/auth/login"),
]


def ask(
    client: FlaskClient, path: str, origin: str, method: str = "POST", headers: str | None = "authorization,content-type"
) -> TestResponse:
    asked = {"Access-Control-Request-Headers": headers} if headers else {}
    return client.options(path, headers={"Origin": origin, "Access-Control-Request-Method": method, **asked})


@pytest.mark.parametrize("origin", ALLOWED)
@pytest.mark.parametrize(("method", "path"), PREFLIGHTS)
def test_a_preflight_is_answered_directly(client: FlaskClient, method: str, path: str, origin: str) -> None:
    response = ask(client, path, origin, method)

    assert response.status_code == 200
    assert response.get_data() == b"OK"
    assert response.headers["Access-Control-Allow-Methods"] == "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"
    assert response.headers["Access-Control-Allow-Headers"] == "authorization,content-type"
    assert response.headers["Access-Control-Max-Age"] == "600"
    assert_readable(response, origin)


def test_a_page_may_read_every_header_that_is_documented(client: FlaskClient) -> None:
    # What any page may read without leave (Fetch standard, CORS-safelisted response-header names).
    free = {"cache-control", "content-language", "content-length", "content-type", "expires", "last-modified", "pragma"}

    exposed = client.get("/health", headers={"Origin": ORIGIN}).headers["Access-Control-Expose-Headers"]

    assert {name.lower() for name in ANSWER_HEADERS} - free - set(exposed.lower().split(", ")) == set()


def test_a_preflight_without_asked_headers_allows_none(client: FlaskClient) -> None:
    response = ask(client, f"/projects/{UNKNOWN_ID}", ORIGIN, "DELETE", headers=None)

    assert response.status_code == 200
    assert "Access-Control-Allow-Headers" not in response.headers


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "http://localhost:3001",
        "https://localhost:3000",
        "http://localhost:3000.evil.example",
        "http://localhost",
        "null",
    ],
)
def test_a_preflight_from_an_unknown_origin_is_refused(client: FlaskClient, origin: str) -> None:
    response = ask(client, "/projects", origin)

    assert response.status_code == 400
    assert response.get_data() == b"Disallowed CORS origin"
    assert "Access-Control-Allow-Origin" not in response.headers


def test_a_request_from_an_unknown_origin_is_served_without_permission_to_read_it(client: FlaskClient) -> None:
    response = client.get("/projects", headers={"Origin": "http://evil.example"})

    assert response.status_code == 200
    assert "Access-Control-Allow-Origin" not in response.headers
    assert "Access-Control-Allow-Credentials" not in response.headers
    assert "Origin" in response.vary


def test_a_request_without_an_origin_gets_no_permissions_but_varies(client: FlaskClient) -> None:
    response = client.get("/projects")

    assert "Access-Control-Allow-Origin" not in response.headers
    assert "Origin" in response.vary


@pytest.mark.parametrize("origin", ALLOWED)
def test_each_known_origin_is_echoed(client: FlaskClient, origin: str) -> None:
    response = client.get("/projects", headers={"Origin": origin})

    assert_readable(response, origin)


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/nowhere", None, 404),
        ("GET", f"/projects/{UNKNOWN_ID}", None, 404),
        ("GET", f"/media/{UNKNOWN_ID}/video", None, 404),
        ("DELETE", "/media/upload", None, 405),
        ("POST", "/projects", b"{", 400),
        ("POST", "/projects", b"{}", 422),
        ("POST", "/auth/login", b"{}", 501),
    ],
)
def test_an_error_can_be_read_by_the_page(client: FlaskClient, method: str, path: str, body: bytes | None, status: int) -> None:
    headers = {"Origin": ORIGIN, **({"Content-Type": "application/json"} if body else {})}

    response = client.open(path, method=method, data=body, headers=headers)

    assert response.status_code == status
    assert_readable(response)


@pytest.mark.parametrize(("trouble", "status"), [(RuntimeError, 500), (DatabaseUnavailable, 503)])
def test_trouble_on_the_servers_side_can_be_read_by_the_page(
    make_app: AppMaker, monkeypatch: pytest.MonkeyPatch, trouble: type[Exception], status: int
) -> None:
    app = make_app()

    def fail(*_: object) -> None:
        raise trouble

    monkeypatch.setattr(app.extensions["projectapi"].projects, "list_projects", fail)

    response = app.test_client().get("/projects", headers={"Origin": ORIGIN})

    assert response.status_code == status
    assert_readable(response)


def test_a_body_that_is_too_large_is_refused_readably(make_app: AppMaker) -> None:
    client = make_app(max_body_bytes=1024).test_client()

    response = client.post("/projects", json={"name": "x" * 2000}, headers={"Origin": ORIGIN})

    assert response.status_code == 413
    assert_readable(response)


def test_a_second_slash_leads_nowhere_and_the_page_can_read_that(client: FlaskClient) -> None:
    # A redirect would lead to whatever host the request named.
    response = client.get(f"/projects//{UNKNOWN_ID}", headers={"Origin": ORIGIN, "Host": "evil.example"})

    assert response.status_code == 404 and "Location" not in response.headers
    assert_readable(response)


def test_a_range_of_the_video_can_be_read_by_the_page(client: FlaskClient, film: Film) -> None:
    browser = Browser(client, authorization="Bearer anything")

    with browser.call("GET", f"/media/{film.id}/video", headers={"Range": "bytes=0-9"}) as response:
        assert response.status_code == 206
        assert response.get_data() == film.video[:10]


def test_other_origins_can_be_allowed_by_the_settings(make_app: AppMaker) -> None:
    lan = "http://192.168.1.20:3000"
    client = make_app(cors_origins=(lan,)).test_client()

    assert ask(client, "/projects", lan).status_code == 200
    assert_readable(client.get("/projects", headers={"Origin": lan}), lan)
    assert ask(client, "/projects", ORIGIN).status_code == 400
