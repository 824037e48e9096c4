"""The short way of reads, past Flask's routing, gives what the long way gives."""

from __future__ import annotations

import secrets
from typing import Any

import pytest
from flask.testing import FlaskClient

LONG_WAY = {"long": "way"}
"""A query that means nothing, and with which a request takes the long way."""

VARYING = {"X-Request-Id", "Server-Timing", "X-Cache", "Date"}


@pytest.fixture
def project_id(client: FlaskClient) -> str:
    created = client.post("/projects", json={"name": "Short"}).get_json()
    state = {"layers": [], "zoom": 1, "padding": "x" * 5000}
    client.post("/timeline/", json={"project_id": created["data"]["_id"], "timeline_state": state})
    project_id: str = created["data"]["_id"]
    return project_id


@pytest.mark.parametrize("path", ["/projects/{}", "/timeline/{}", "/timeline/{}/history", "/projects", "/projects/"])
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "http://localhost:3000"},
        {"Origin": "http://evil.example"},
        {"Accept-Encoding": "gzip"},
        {"Accept-Encoding": "br, zstd;q=0"},
        {"If-None-Match": '"none"'},
        {"If-None-Match": "*"},
        {"If-None-Match": "not a tag"},
        {"X-User-Id": "somebody"},
        {"X-User-Id": "x" * 200},
    ],
    ids=str,
)
def test_both_ways_give_the_same_answer(client: FlaskClient, project_id: str, path: str, headers: dict[str, str]) -> None:
    address = path.format(project_id)
    headers = {"X-User-Id": secrets.token_hex(8), **headers}
    client.get(address, headers=headers)

    short = client.get(address, headers=headers)
    long = client.get(address, headers=headers, query_string=LONG_WAY)

    def seen(response: Any) -> Any:
        fields = {name: value for name, value in response.headers.items() if name not in VARYING}
        body = response.get_data() if response.status_code < 400 else response.get_json() | {"requestId": ""}
        return response.status_code, fields, body

    assert seen(short) == seen(long)
    assert {"X-Request-Id"} <= set(short.headers.keys())


@pytest.mark.parametrize("path", ["/projects/{}", "/timeline/{}", "/timeline/{}/history"])
def test_an_unknown_project_is_said_to_be_unknown(client: FlaskClient, path: str) -> None:
    response = client.get(path.format("0" * 24), headers={"X-Request-Id": "mine"})

    assert (response.status_code, response.get_json()["code"]) == (404, "project_not_found")
    assert response.get_json()["requestId"] == response.headers["X-Request-Id"] == "mine"


def test_the_tag_of_an_answer_brings_304(client: FlaskClient, project_id: str) -> None:
    first = client.get(f"/projects/{project_id}", headers={"Accept-Encoding": "zstd"})

    again = client.get(f"/projects/{project_id}", headers={"If-None-Match": first.headers["ETag"]})

    assert (again.status_code, again.get_data()) == (304, b"")
    assert first.headers["Content-Encoding"] == "zstd"
