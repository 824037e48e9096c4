"""Bad input gets a clear refusal that names the field, and changes nothing."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.conftest import AppMaker
from tests.contract.calls import create_project, save
from tests.contract.conftest import Film
from tests.contract.shapes import JsonObject, assert_success
from tests.contract.timelines import make_clip, make_layer, make_state
from tests.errors_shape import assert_error, assert_field_refused

JSON = "application/json"
TOO_LARGE = 2**63
TOO_SMALL = -(2**63) - 1


@dataclass(frozen=True)
class Guarded:
    """A project with a saved timeline, its owner, who has no other, and the answers that show all of it."""

    id: str
    owner: dict[str, str]
    answers: list[bytes]


@pytest.fixture(scope="module")
def guarded_project(app: Flask) -> Guarded:
    client, owner = app.test_client(), {"X-User-Id": f"guarded-{secrets.token_hex(6)}"}
    project_id = create_project(client, "Guarded", **owner)
    save(client, project_id, make_state(), "Precious")
    return Guarded(project_id, owner, answers(client, project_id, owner))


@pytest.fixture
def guarded(client: FlaskClient, guarded_project: Guarded) -> Iterator[Guarded]:
    """A project that must be the same after the test, and must not have got company."""
    yield guarded_project
    assert answers(client, guarded_project.id, guarded_project.owner) == guarded_project.answers


def answers(client: FlaskClient, project_id: str, owner: dict[str, str]) -> list[bytes]:
    # The list has every project's version, which counts every change of the project and of its timeline.
    return [client.get(path, headers=owner).get_data() for path in ("/projects", f"/timeline/{project_id}/history")]


NOT_TEXTS: list[Any] = [7, 1.5, True, [], ["x"], {}, {"$ne": ""}]
NOT_NUMBERS: list[Any] = ["7", True, [], [1], {}, {"$gt": 0}]


@pytest.mark.parametrize("value", [None, "x" * 256, "a\x00b", *NOT_TEXTS], ids=repr)
def test_a_name_is_a_text_of_at_most_255_characters(
    client: FlaskClient, guarded: Guarded, value: object
) -> None:
    created = client.post("/projects", json={"name": value}, headers=guarded.owner)
    changed = client.put(f"/projects/{guarded.id}", json={"name": value})

    assert_field_refused(created, "body", "name")
    assert_field_refused(changed, "body", "name")


@pytest.mark.parametrize("value", ["x" * 5001, "a\x00b", *NOT_TEXTS], ids=lambda value: repr(value)[:20])
def test_a_description_is_a_text_of_at_most_5000_characters(
    client: FlaskClient, guarded: Guarded, value: object
) -> None:
    body = {"name": "x", "description": value}

    assert_field_refused(client.post("/projects", json=body, headers=guarded.owner), "body", "description")
    assert_field_refused(client.put(f"/projects/{guarded.id}", json=body), "body", "description")


@pytest.mark.parametrize("value", [-1, -0.001, 1e300, TOO_LARGE, TOO_SMALL, *NOT_NUMBERS], ids=repr)
def test_a_duration_is_a_number_of_seconds(client: FlaskClient, guarded: Guarded, value: object) -> None:
    response = client.put(f"/projects/{guarded.id}", data=python_json({"duration": value}), content_type=JSON)

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
    "query", ["limit=0", "limit=201", "limit=x", "limit=-1", "sort=name;drop", "order=up", "cursor=rubbish", "search=" + "x" * 256]
)
def test_a_page_of_the_list_is_bounded(client: FlaskClient, query: str) -> None:
    assert_field_refused(client.get(f"/projects?{query}"), "query", query.partition("=")[0])


MALFORMED: dict[str, bytes] = {
    "cut off": b'{"name": "x"',
    "no JSON at all": b"name=x",
    "a lone brace": b"}",
    "two values": b'{"name": "x"} {"name": "y"}',
    "single quotes": b"{'name': 'x'}",
    "a trailing comma": b'{"name": "x",}',
    "a comment": b'{"name": "x"} // x',
    "not a number": b'{"name": "x", "duration": NaN}',
    "infinity": b'{"name": "x", "duration": Infinity}',
    "minus infinity": b'{"name": "x", "duration": -Infinity}',
    "a number without end": b'{"name": "x", "duration": 1e999}',
    "a key given twice": b'{"name": "x", "name": "y"}',
    "half a letter": b'{"name": "\\ud800"}',
    "not UTF-8": b'{"name": "\xff"}',
    "UTF-16": '{"name": "x"}'.encode("utf-16"),
    "a byte order mark": b'\xef\xbb\xbf{"name": "x"}',
    "a bare control character": b'{"name": "a\nb"}',
    "a depth bomb": b'{"name": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "65 levels": b'{"name": ' + b"[" * 65 + b"]" * 65 + b"}",
    "nothing": b"",
    "a space": b" ",
}


@pytest.mark.parametrize("name", MALFORMED)
@pytest.mark.parametrize(("method", "path"), [("POST", "/projects"), ("PUT", "/projects/{id}"), ("POST", "/timeline/")])
def test_malformed_json_is_refused(
    client: FlaskClient, guarded: Guarded, method: str, path: str, name: str
) -> None:
    response = client.open(
        path.format(id=guarded.id),
        method=method,
        data=MALFORMED[name],
        content_type=JSON,
        headers=guarded.owner,
    )

    assert_error(response, 400, "malformed_json")


@pytest.mark.parametrize("path", ["/projects", "/timeline/", "/timeline/save", "/media/trim-video", "/media/remove-fillers"])
@pytest.mark.parametrize("body", [b"[]", b"[{}]", b'"x"', b"7", b"null", b"true"])
def test_json_that_is_no_object_is_refused(client: FlaskClient, path: str, body: bytes) -> None:
    assert_error(client.post(path, data=body, content_type=JSON), 422, "validation_failed")


@pytest.mark.parametrize("path", ["/projects", "/timeline/", "/timeline/save", "/media/trim-video", "/media/remove-fillers"])
@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "", "text/json"])
def test_a_body_that_does_not_say_it_is_json_is_refused(client: FlaskClient, path: str, kind: str) -> None:
    response = client.post(path, data=b'{"name": "x"}', headers={"Content-Type": kind} if kind else {})

    assert_error(response, 422, "validation_failed")


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "APPLICATION/JSON", "application/vnd.api+json"])
def test_json_may_be_said_in_other_words(client: FlaskClient, kind: str) -> None:
    assert_success(client.post("/projects", data=b'{"name": "x"}', content_type=kind))


def test_a_body_over_the_limit_is_refused(make_app: AppMaker) -> None:
    client = make_app(max_body_bytes=1024).test_client()
    fits = b'{"name": "x"}'.ljust(1024)

    assert_success(client.post("/projects", data=fits, content_type=JSON))
    assert_error(client.post("/projects", data=fits + b" ", content_type=JSON), 413, "body_too_large")
    assert len(assert_success(client.get("/projects"))) == 1


def place(*path: str | int) -> tuple[str | int, ...]:
    return ("body", "timeline_state", *path)


def in_layer(**changes: object) -> JsonObject:
    return make_state(layers=[make_layer(**changes)])


def in_clip(**changes: object) -> JsonObject:
    return make_state(make_clip(**changes))


def without(value: JsonObject, key: str) -> JsonObject:
    return {name: inner for name, inner in value.items() if name != key}


LAYER = ("layers", 0)
CLIP = ("layers", 0, "clips", 0)


def wrong_fields() -> Iterator[tuple[JsonObject, tuple[str | int, ...]]]:
    """Return timelines with one thing wrong each, and where it is."""
    for key in ("layers", "markers", "selected_clips"):
        for value in (7, "x", {}, True):
            yield {key: value}, (key,)
    for key in ("playhead_time", "zoom", "duration"):
        for number in (*NOT_NUMBERS, TOO_LARGE, TOO_SMALL):
            yield {key: number}, (key,)
    for key in ("is_playing", "is_snapping"):
        for value in (1, "true", [], {}):
            yield {key: value}, (key,)
    yield {"selected_clips": ["x", 7]}, ("selected_clips", 1)
    yield {"markers": ["x"]}, ("markers", 0)
    yield {"markers": [{"time": "x"}]}, ("markers", 0, "time")
    yield {"layers": ["x"]}, LAYER
    yield {"layers": [None]}, LAYER
    for key in ("id", "name", "type"):
        yield {"layers": [without(make_layer(), key)]}, (*LAYER, key)
        for value in NOT_TEXTS:
            yield in_layer(**{key: value}), (*LAYER, key)
    yield in_layer(type="hologram"), (*LAYER, "type")
    yield in_layer(clips={}), (*LAYER, "clips")
    yield in_layer(is_visible="yes"), (*LAYER, "is_visible")
    yield in_layer(is_main_video=1), (*LAYER, "is_main_video")
    yield in_layer(order="first"), (*LAYER, "order")
    for key in ("id", "type", "start_time", "end_time", "duration"):
        yield {"layers": [make_layer(without(make_clip(), key))]}, (*CLIP, key)
    for key in ("id", "type"):
        for value in NOT_TEXTS:
            yield in_clip(**({"identity": value} if key == "id" else {key: value})), (*CLIP, key)
    for key in ("start_time", "end_time", "duration", "original_start_time"):
        for number in (*NOT_NUMBERS, TOO_LARGE, TOO_SMALL):
            yield in_clip(**{key: number}), (*CLIP, key)
    yield in_clip(source_path=7), (*CLIP, "source_path")
    yield in_clip(content=[]), (*CLIP, "content")
    yield in_clip(properties="x"), (*CLIP, "properties")
    yield in_clip(keyframes={}), (*CLIP, "keyframes")
    yield in_clip(properties={"deep": [{"n": TOO_LARGE}]}), (*CLIP, "properties", "deep", 0, "n")
    yield in_clip(keyframes=[{"value": TOO_SMALL}]), (*CLIP, "keyframes", 0, "value")
    yield {"theme": {"n": [TOO_LARGE]}}, ("theme", "n", 0)


def refused_keys() -> Iterator[tuple[JsonObject, tuple[str | int, ...]]]:
    """Return timelines with one key each that may not be stored there, and where it is."""
    for key in ("$set", "$", "$where", "a\x00b", "\x00"):
        yield {key: 1}, (key,)
        yield {"theme": {"deep": [{key: 1}]}}, ("theme", "deep", 0, key)
        yield in_layer(**{key: 1}), (*LAYER, key)
        yield in_clip(**{key: 1}), (*CLIP, key)
        yield in_clip(keyframes=[{key: 1}]), (*CLIP, "keyframes", 0, key)
        yield {"markers": [{key: 1}]}, ("markers", 0, key)
        yield in_layer(properties={key: 1}), (*LAYER, "properties", key)


@pytest.mark.parametrize(("state", "wrong"), [*wrong_fields(), *refused_keys()], ids=lambda value: repr(value)[-60:])
def test_a_timeline_with_something_wrong_is_refused_and_the_place_is_named(
    client: FlaskClient, guarded: Guarded, state: JsonObject, wrong: tuple[str | int, ...]
) -> None:
    body = python_json({"project_id": guarded.id, "timeline_state": state})

    response = client.post("/timeline/", data=body, content_type=JSON)

    assert_field_refused(response, *place(*wrong))


@pytest.mark.parametrize("state", [None, 7, "x", [], True], ids=repr)
@pytest.mark.parametrize("path", ["/timeline/", "/timeline/save"])
def test_a_state_is_an_object(client: FlaskClient, guarded: Guarded, path: str, state: object) -> None:
    response = client.post(path, json={"project_id": guarded.id, "timeline_state": state})

    assert_field_refused(response, "body", "timeline_state")


@pytest.mark.parametrize("path", ["/timeline/", "/timeline/save"])
def test_a_save_without_a_state_or_a_project_is_refused(client: FlaskClient, guarded: Guarded, path: str) -> None:
    assert_field_refused(client.post(path, json={"project_id": guarded.id}), "body", "timeline_state")
    assert_field_refused(client.post(path, json={"timeline_state": make_state()}), "body", "project_id")


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


def test_a_state_nested_without_end_is_refused(client: FlaskClient, guarded: Guarded) -> None:
    bomb = b'{"project_id":"%s","timeline_state":{"a":' % guarded.id.encode() + b'{"a":' * 5000 + b"1" + b"}" * 5002

    assert_error(client.post("/timeline/", data=bomb, content_type=JSON), 400, "malformed_json")


def test_a_long_list_of_mistakes_is_cut_short(client: FlaskClient, guarded: Guarded) -> None:
    state = {"layers": [{"id": number} for number in range(900)]}

    response = client.post("/timeline/", json={"project_id": guarded.id, "timeline_state": state})

    body = assert_error(response, 422, "validation_failed")
    assert len(body["detail"]) <= 50
    assert len(response.get_data()) < 20_000


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
    body = python_json({"project_id": film.id, "segments": segments})

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


def test_integers_of_64_bits_are_the_last_that_are_taken(client: FlaskClient, project_id: str) -> None:
    state = {"largest": 2**63 - 1, "smallest": -(2**63)}
    body = python_json({"project_id": project_id, "timeline_state": state})

    saved = assert_success(client.post("/timeline/", data=body, content_type=JSON))

    assert saved["timeline_state"] == state


def test_a_wrong_change_of_a_version_is_refused(client: FlaskClient, guarded: Guarded) -> None:
    current = assert_success(client.get(f"/timeline/{guarded.id}/current"))["_id"]

    for body, wrong in (
        ({"description": 7}, ("body", "description")),
        ({"change_summary": "x" * 5001}, ("body", "change_summary")),
        ({"timeline_state": {"layers": 7}}, place("layers")),
        ({"timelineState": {"$set": 1}}, place("$set")),
    ):
        assert_field_refused(client.put(f"/timeline/{current}", json=body), *wrong)


def python_json(value: object) -> bytes:
    """Return JSON as Python writes it: integers may be of any size."""
    return json.dumps(value).encode()
