"""Bad input gets a clear refusal that names the field, and changes nothing."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.contract.conftest import Film, Guarded
from tests.contract.shapes import JsonObject, assert_success, exact_json
from tests.contract.timelines import make_state
from tests.contract.wrong_values import NOT_NUMBERS, NOT_TEXTS, TOO_LARGE, TOO_SMALL
from tests.errors_shape import assert_error, assert_field_refused

JSON = "application/json"


@pytest.mark.parametrize("value", [None, "x" * 256, "a\x00b", *NOT_TEXTS], ids=repr)
def test_a_name_is_a_text_of_at_most_255_characters(client: FlaskClient, guarded: Guarded, value: object) -> None:
    created = client.post("/projects", json={"name": value}, headers=guarded.owner)
    changed = client.put(f"/projects/{guarded.id}", json={"name": value})

    assert_field_refused(created, "body", "name")
    assert_field_refused(changed, "body", "name")


@pytest.mark.parametrize("value", ["x" * 5001, "a\x00b", *NOT_TEXTS], ids=lambda value: repr(value)[:20])
def test_a_description_is_a_text_of_at_most_5000_characters(client: FlaskClient, guarded: Guarded, value: object) -> None:
    body = {"name": "x", "description": value}

    assert_field_refused(client.post("/projects", json=body, headers=guarded.owner), "body", "description")
    assert_field_refused(client.put(f"/projects/{guarded.id}", json=body), "body", "description")


@pytest.mark.parametrize("value", [-1, -0.001, 1e300, TOO_LARGE, TOO_SMALL, *NOT_NUMBERS], ids=repr)
def test_a_duration_is_a_number_of_seconds(client: FlaskClient, guarded: Guarded, value: object) -> None:
    response = client.put(f"/projects/{guarded.id}", data=exact_json({"duration": value}), content_type=JSON)

    assert_field_refused(response, "body", "duration")


@pytest.mark.parametrize("value", ["x" * 2001, *NOT_TEXTS], ids=lambda value: repr(value)[:20])
def test_a_thumbnail_is_a_text(client: FlaskClient, guarded: Guarded, value: object) -> None:
    assert_field_refused(client.put(f"/projects/{guarded.id}", json={"thumbnail": value}), "body", "thumbnail")


@pytest.mark.parametrize("value", ["x" * 129, "🎬" * 129, "a\x01b", "a\tb", "a\x7fb"], ids=lambda value: repr(value)[:20])
def test_an_owner_is_a_text_of_at_most_128_characters(client: FlaskClient, value: str) -> None:
    headers = {"X-User-Id": value.encode().decode("latin-1")}

    assert_field_refused(client.post("/projects", json={"name": "x"}, headers=headers), "header", "X-User-Id")
    assert_field_refused(client.get("/projects", headers=headers), "header", "X-User-Id")


def test_an_owner_of_128_characters_is_taken(client: FlaskClient) -> None:
    created = client.post("/projects", json={"name": "x"}, headers={"X-User-Id": "x" * 128})

    assert assert_success(created)["user_id"] == "x" * 128


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=201", "limit=x", "limit=-1", "sort=name;drop", "order=up", "cursor=rubbish", "search=" + "x" * 256],
)
def test_a_page_of_the_list_is_bounded(client: FlaskClient, query: str) -> None:
    assert_field_refused(client.get(f"/projects?{query}"), "query", query.partition("=")[0])


@pytest.mark.parametrize("value", ["", "x" * 201, "a\x00b", None, *NOT_TEXTS], ids=lambda value: repr(value)[:20])
@pytest.mark.parametrize(
    ("path", "rest"),
    [
        ("/timeline/", {"timeline_state": {}}),
        ("/timeline/save", {"timeline_state": {}}),
        ("/media/trim-video", {"segments": []}),
        ("/media/remove-fillers", {}),
    ],
)
def test_a_projects_id_in_a_body_is_a_text(client: FlaskClient, path: str, rest: JsonObject, value: object) -> None:
    assert_field_refused(client.post(path, json={"project_id": value, **rest}), "body", "project_id")


@pytest.mark.parametrize("value", ["x" * 5001, "a\x00b", *NOT_TEXTS], ids=lambda value: repr(value)[:20])
@pytest.mark.parametrize("key", ["description", "change_summary"])
def test_the_words_of_a_save_are_texts(client: FlaskClient, guarded: Guarded, key: str, value: object) -> None:
    body = {"project_id": guarded.id, "timeline_state": make_state(), key: value}

    assert_field_refused(client.post("/timeline/", json=body), "body", key)


WRONG_SEGMENTS: list[tuple[Any, tuple[str | int, ...]]] = [
    (None, ()),
    (7, ()),
    ({}, ()),
    ("x", ()),
    ([7], (0,)),
    ([None], (0,)),
    ([{}], (0, "startTime")),
    ([{"startTime": 0}], (0, "duration")),
    ([{"duration": 1}], (0, "startTime")),
    *[([{"startTime": value, "duration": 1}], (0, "startTime")) for value in (*NOT_NUMBERS, None, TOO_LARGE, 1e300)],
    *[([{"startTime": 0, "duration": value}], (0, "duration")) for value in (*NOT_NUMBERS, None, TOO_LARGE, 1e300, 0, -1)],
    ([{"startTime": 0, "duration": 1}] * 20_000, ()),
    ([{"startTime": number % 2, "duration": 0.5} for number in range(1001)], ()),
]


@pytest.mark.parametrize(("segments", "wrong"), WRONG_SEGMENTS, ids=lambda value: repr(value)[:50])
def test_segments_are_numbers_within_bounds(
    client: FlaskClient, film: Film, segments: object, wrong: tuple[str | int, ...]
) -> None:
    body = exact_json({"project_id": film.id, "segments": segments})

    response = client.post("/media/trim-video", data=body, content_type=JSON)

    assert_field_refused(response, "body", "segments", *wrong)


def test_segments_must_be_given(client: FlaskClient, film: Film) -> None:
    assert_field_refused(client.post("/media/trim-video", json={"project_id": film.id}), "body", "segments")


@pytest.mark.parametrize(
    "words",
    [7, "0.1-0.2", {}, [7], [None], ["abc"], ["1"], ["2-1"], ["-1-2"], ["1-x"], ["nan-nan"], ["0-nan"], ["0-inf"], ["x" * 101]],
    ids=lambda value: repr(value)[:30],
)
def test_selected_words_are_pairs_of_times(client: FlaskClient, film: Film, words: object) -> None:
    response = client.post("/media/remove-fillers", json={"project_id": film.id, "selectedWords": words})

    body = assert_error(response, 422, "validation_failed")
    assert body["detail"][0]["loc"][:2] in (["body", "selected_words"], ["body", "selectedWords"])


@pytest.mark.parametrize("value", ["maybe", "yes", 7, [], {}, None], ids=repr)
def test_auto_detect_is_true_or_false(client: FlaskClient, film: Film, value: object) -> None:
    response = client.post("/media/remove-fillers", json={"project_id": film.id, "auto_detect": value})

    assert_field_refused(response, "body", "auto_detect")
