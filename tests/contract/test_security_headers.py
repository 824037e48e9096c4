"""Browsers are told to treat answers with care, and those who come by HTTPS to stay with it."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from tests.conftest import AppMaker
from tests.contract.conftest import Film
from tests.contract.test_short_way import LONG_WAY

NOTHING_ELSE = "default-src 'none'; frame-ancestors 'none'"


@pytest.mark.parametrize("query", [{}, LONG_WAY], ids=["short way", "long way"])
@pytest.mark.parametrize("path", ["/", "/projects", "/projects/{id}", "/timeline/{id}", "/nowhere", "/openapi.json"])
def test_json_may_load_nothing_and_be_framed_by_nobody(
    client: FlaskClient, film: Film, path: str, query: dict[str, str]
) -> None:
    response = client.get(path.format(id=film.id), query_string=query)

    assert response.headers["Content-Security-Policy"] == NOTHING_ELSE
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "Strict-Transport-Security" not in response.headers


@pytest.mark.parametrize("kind", ["video", "thumbnail"])
def test_pages_of_other_origins_may_show_videos_and_pictures(client: FlaskClient, film: Film, kind: str) -> None:
    with client.get(f"/media/{film.id}/{kind}") as response:
        assert response.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert "Content-Security-Policy" not in response.headers


def test_the_documentation_runs_no_script_of_others_and_shows_in_no_frame(client: FlaskClient) -> None:
    policy = client.get("/docs").headers["Content-Security-Policy"]

    assert "frame-ancestors 'none'" in policy and "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert client.get("/docs").headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize("query", [{}, LONG_WAY], ids=["short way", "long way"])
def test_a_304_leaves_the_policy_of_what_the_browser_has(client: FlaskClient, film: Film, query: dict[str, str]) -> None:
    tag = client.get(f"/projects/{film.id}", query_string=query).headers["ETag"]

    response = client.get(f"/projects/{film.id}", query_string=query, headers={"If-None-Match": tag})

    assert response.status_code == 304
    assert "Content-Security-Policy" not in response.headers


@pytest.mark.parametrize("path", ["/projects", "/nowhere", "/health"])
@pytest.mark.parametrize(
    ("app_env", "scheme", "told"), [("production", "https", True), ("production", "http", False), ("testing", "https", False)]
)
def test_only_who_came_by_https_in_production_is_told_to_stay_with_it(
    make_app: AppMaker, path: str, app_env: str, scheme: str, told: bool
) -> None:
    client = make_app(app_env=app_env, trusted_proxies=1).test_client()

    response = client.get(path, headers={"X-Forwarded-Proto": scheme, "X-Forwarded-For": "192.0.2.1"})

    assert ("Strict-Transport-Security" in response.headers) == told
