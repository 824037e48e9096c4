"""A timeline that cannot be stored as it is, or that no editor could load, is refused whole, and changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import pytest
from flask.testing import FlaskClient

from tests.contract.conftest import Guarded
from tests.contract.shapes import JsonObject, assert_success, exact_json
from tests.contract.timelines import make_clip, make_layer, make_state
from tests.contract.wrong_values import NOT_NUMBERS, NOT_TEXTS, TOO_LARGE, TOO_SMALL
from tests.errors_shape import assert_error, assert_field_refused

JSON = "application/json"


def place(*path: str | int) -> tuple[str | int, ...]:
    return ("body", "timeline_state", *path)


def in_layer(**changes: object) -> JsonObject:
    return make_state(layers=[make_layer(**changes)])


def in_clip(**changes: object) -> JsonObject:
    return make_state({**make_clip(), **changes})


def without(value: JsonObject, key: str) -> JsonObject:
    return {name: inner for name, inner in value.items() if name != key}


LAYER = ("layers", 0)
CLIP = ("layers", 0, "clips", 0)


Wrong = tuple[JsonObject, tuple[str | int, ...]]
"""A timeline with one thing wrong, and where that is."""


def wrong_tops() -> Iterator[Wrong]:
    for key, value in product(("layers", "markers", "selected_clips"), (7, "x", {}, True)):
        yield {key: value}, (key,)
    for key, value in product(("playhead_time", "zoom", "duration"), (*NOT_NUMBERS, TOO_LARGE, TOO_SMALL)):
        yield {key: value}, (key,)
    for key, value in product(("is_playing", "is_snapping"), (1, "true", [], {})):
        yield {key: value}, (key,)
    yield {"selected_clips": ["x", 7]}, ("selected_clips", 1)
    yield {"markers": ["x"]}, ("markers", 0)
    yield {"markers": [{"time": "x"}]}, ("markers", 0, "time")
    yield {"theme": {"n": [TOO_LARGE]}}, ("theme", "n", 0)


def wrong_layers() -> Iterator[Wrong]:
    for layer in ("x", None):
        yield {"layers": [layer]}, LAYER
    for key in ("id", "name", "type"):
        yield {"layers": [without(make_layer(), key)]}, (*LAYER, key)
    for key, value in product(("id", "name", "type"), NOT_TEXTS):
        yield in_layer(**{key: value}), (*LAYER, key)
    others = {"type": "hologram", "clips": {}, "is_visible": "yes", "is_main_video": 1, "order": "first"}
    for key, value in others.items():
        yield in_layer(**{key: value}), (*LAYER, key)


def wrong_clips() -> Iterator[Wrong]:
    for key in ("id", "type", "start_time", "end_time", "duration"):
        yield {"layers": [make_layer(without(make_clip(), key))]}, (*CLIP, key)
    for key, value in product(("id", "type"), NOT_TEXTS):
        yield in_clip(**{key: value}), (*CLIP, key)
    times = ("start_time", "end_time", "duration", "original_start_time")
    for key, value in product(times, (*NOT_NUMBERS, TOO_LARGE, TOO_SMALL)):
        yield in_clip(**{key: value}), (*CLIP, key)
    others: JsonObject = {"source_path": 7, "content": [], "properties": "x", "keyframes": {}}
    for key, value in others.items():
        yield in_clip(**{key: value}), (*CLIP, key)
    yield in_clip(properties={"deep": [{"n": TOO_LARGE}]}), (*CLIP, "properties", "deep", 0, "n")
    yield in_clip(keyframes=[{"value": TOO_SMALL}]), (*CLIP, "keyframes", 0, "value")


def refused_keys() -> Iterator[Wrong]:
    for key in ("$set", "$", "$where", "a\x00b", "\x00"):
        yield {key: 1}, (key,)
        yield {"theme": {"deep": [{key: 1}]}}, ("theme", "deep", 0, key)
        yield in_layer(**{key: 1}), (*LAYER, key)
        yield in_clip(**{key: 1}), (*CLIP, key)
        yield in_clip(keyframes=[{key: 1}]), (*CLIP, "keyframes", 0, key)
        yield {"markers": [{key: 1}]}, ("markers", 0, key)
        yield in_layer(properties={key: 1}), (*LAYER, "properties", key)


@pytest.mark.parametrize(
    ("state", "wrong"),
    [*wrong_tops(), *wrong_layers(), *wrong_clips(), *refused_keys()],
    ids=lambda value: repr(value)[-60:],
)
def test_a_timeline_with_something_wrong_is_refused_and_the_place_is_named(
    client: FlaskClient, guarded: Guarded, state: JsonObject, wrong: tuple[str | int, ...]
) -> None:
    body = exact_json({"project_id": guarded.id, "timeline_state": state})

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


def test_a_state_nested_without_end_is_refused(client: FlaskClient, guarded: Guarded) -> None:
    bomb = b'{"project_id":"%s","timeline_state":{"a":' % guarded.id.encode() + b'{"a":' * 5000 + b"1" + b"}" * 5002

    assert_error(client.post("/timeline/", data=bomb, content_type=JSON), 400, "malformed_json")


def test_a_long_list_of_mistakes_is_cut_short(client: FlaskClient, guarded: Guarded) -> None:
    state = {"layers": [{"id": number} for number in range(900)]}

    response = client.post("/timeline/", json={"project_id": guarded.id, "timeline_state": state})

    body = assert_error(response, 422, "validation_failed")
    assert len(body["detail"]) <= 50
    assert len(response.get_data()) < 20_000


def test_integers_of_64_bits_are_the_last_that_are_taken(client: FlaskClient, project_id: str) -> None:
    state = {"largest": 2**63 - 1, "smallest": -(2**63)}
    body = exact_json({"project_id": project_id, "timeline_state": state})

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
