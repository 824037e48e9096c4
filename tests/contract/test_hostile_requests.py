"""Whoever means harm gets a plain refusal, and nothing has changed: not a document, not a file."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from pymongo import MongoClient

from tests.contract.calls import create_project, files_below, save, upload
from tests.contract.conftest import Guarded
from tests.contract.hostile_requests import HOSTILE
from tests.contract.shapes import assert_success
from tests.contract.timelines import make_clip, make_state
from tests.errors_shape import assert_error
from tests.media_samples import small_mp4_bytes


@pytest.fixture
def nothing_changes(mongodb_uri: str, media_dir: Path) -> Iterator[None]:
    """Compare all that is stored before the test with all that is stored after it."""

    def stored() -> tuple[dict[str, list[Any]], set[str]]:
        with MongoClient[dict[str, Any]](mongodb_uri) as client:
            database = client["projectapi"]
            names = sorted(set(database.list_collection_names()) - {"cache_control"})
            return {name: list(database[name].find().sort("_id", 1)) for name in names}, files_below(media_dir)

    before = stored()
    yield
    assert stored() == before


@pytest.mark.usefixtures("nothing_changes")
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_request_is_refused_and_changes_nothing(client: FlaskClient, guarded: Guarded, name: str) -> None:
    hostile = HOSTILE[name]
    started = time.monotonic()

    response = client.open(
        hostile.path.replace("{id}", guarded.id),
        method=hostile.method,
        data=hostile.body.replace(b"{id}", guarded.id.encode()),
        content_type=hostile.content_type,
        headers=guarded.owner,
    )

    assert_error(response, hostile.status, hostile.code)
    assert time.monotonic() - started < 5, "a refusal must cost little"


QUERIES = ["search[$ne]=x", "search[$regex]=.*", "limit[$gt]=0", "sort[$where]=1", "$where=1", "deleted[$ne]=1", "__proto__=1"]


@pytest.mark.usefixtures("nothing_changes")
@pytest.mark.parametrize("query", QUERIES)
def test_an_operator_in_a_query_is_a_name_that_nobody_knows(client: FlaskClient, guarded: Guarded, query: str) -> None:
    plain = assert_success(client.get("/projects", headers=guarded.owner))

    assert assert_success(client.get(f"/projects?{query}", headers=guarded.owner)) == plain


@pytest.mark.parametrize("pattern", ["(a+)+$", "(.*a){25}", "^(([a-z])+.)+[A-Z]([a-z])+$", "[", "\\", "$"])
def test_a_pattern_in_a_search_costs_nothing_and_finds_nothing(client: FlaskClient, owner: str, pattern: str) -> None:
    create_project(client, "a" * 200 + "!", **{"X-User-Id": owner})
    started = time.monotonic()

    found = assert_success(client.get("/projects", query_string={"search": pattern}, headers={"X-User-Id": owner}))

    assert (found, time.monotonic() - started < 2) == ([], True)


EXTENDED = [
    {"$oid": "0123456789abcdef01234567"},
    {"$date": "2026-01-01T00:00:00Z"},
    {"$numberLong": "7"},
    {"$binary": {"base64": "AAAA", "subType": "00"}},
    {"$ref": "projects", "$id": 1},
    {"__proto__": {"admin": True}, "constructor": {"prototype": 1}},
]


@pytest.mark.parametrize("value", EXTENDED, ids=lambda value: next(iter(value)))
def test_extended_json_in_the_properties_of_a_clip_is_plain_data_and_comes_back_as_it_was(
    client: FlaskClient, project_id: str, value: dict[str, Any]
) -> None:
    clip = make_clip(properties=value)

    save(client, project_id, make_state(clip))

    kept = assert_success(client.get(f"/timeline/{project_id}"))["layers"][0]["clips"][0]
    assert kept["properties"] == value


FILE_NAMES = [
    'a"; filename="b.exe',
    "a%0D%0ASet-Cookie: a=b.mp4",
    "a\tb\x0bX-Evil: 1 <script>.mp4",
    "../../../etc/passwd",
    "C:\\Windows\\system32\\a.mp4",
    "фильм 🎬 ﷽.mp4",
    "\u202egpm.4pm",
    "x" * 3000 + ".mp4",
    ".",
]


@pytest.mark.parametrize("name", FILE_NAMES, ids=lambda name: repr(name)[:20])
def test_the_name_of_an_uploaded_file_reaches_no_header_and_no_path(
    client: FlaskClient, project_id: str, media_dir: Path, name: str
) -> None:
    data = upload(client, project_id, small_mp4_bytes(), name=name)

    with client.get(f"/media/{project_id}/video") as response:
        fields = dict(response.headers)
    assert fields["Content-Disposition"] == f"inline; filename=video_{project_id}.mp4"
    assert not any(re.search(r"[\r\n]|[^\x20-\x7e]", value) for value in fields.values())
    assert "Set-Cookie" not in fields and "X-Evil" not in fields
    assert re.fullmatch(r"videos/[0-9a-f-]{36}\.mp4", data["file_path"])
    assert data["file_path"] in files_below(media_dir)
    shown = client.get(f"/projects/{project_id}/debug").get_json()["data"]["video"]["original_name"]
    assert shown and len(shown) <= 255 and not re.search(r"[\x00-\x1f/\\\u202e]", shown)


@pytest.mark.parametrize(
    ("header", "value"),
    [("X-Request-Id", "a\tb"), ("X-Request-Id", "<script>"), ("X-Request-Id", "a" * 5000), ("Origin", "http://evil.example")],
)
def test_what_a_client_says_is_not_said_back_in_a_header(client: FlaskClient, header: str, value: str) -> None:
    response = client.get(f"/projects/{secrets.token_hex(12)}", headers={header: value})

    assert response.status_code == 404
    assert value not in dict(response.headers).values()
