"""What a saved timeline may look like."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from projectapi.project import empty_timeline_state
from projectapi.schemas.schema_problems import problems
from projectapi.schemas.timeline_schema import TIMELINE_SCHEMA, check_json_value, check_timeline, mongodb_schema
from tests.unit.timeline.samples import json_values, make_timeline, small_states

VALIDATOR = jsonschema_rs.Draft202012Validator(TIMELINE_SCHEMA)


def changed(change: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    state = make_timeline(20)
    change(state)
    return state


def with_clip(**fields: Any) -> dict[str, Any]:
    return changed(lambda state: state["layers"][1]["clips"][3].update(fields))


def locations(state: Any) -> list[list[Any]]:
    return [problem["loc"] for problem in check_timeline(state)]


@pytest.mark.parametrize(
    "state",
    [
        {},
        empty_timeline_state(),
        make_timeline(200),
        {"layers": [{"id": "a", "name": "", "type": "effect"}]},
        with_clip(end_time=0, duration=3.04, start_time=9),
        with_clip(start_time=0, end_time=6, duration=1e300),
        with_clip(source_path=None, content=None, keyframes=None, properties=None, original_start_time=None),
        with_clip(properties={"$ref": "x", "n\0": {"$set": [{"$id": 1}]}, "": {"a.b": None}}),
        with_clip(keyframes=[{"id": "k", "time": 1, "property": "opacity", "value": 0.5, "easing": None}]),
        with_clip(unknown={"": [1, None, {"a.b": 1e300}]}, is_trimmed=True),
        {"layers": [], "selected_clips": ["gone"], "undoStack": [], "playhead_time": None},
        {"markers": [{"id": "m", "time": 1, "label": None, "color": None, "note": {}}, {}]},
    ],
)
def test_what_the_frontends_send_is_taken_as_it_is(state: dict[str, Any]) -> None:
    before = copy.deepcopy(state)

    assert check_timeline(state) == []
    assert state == before


CLIP = ["timeline_state", "layers", 1, "clips", 3]


@pytest.mark.parametrize(
    ("state", "kind", "loc"),
    [
        ([], "wrong_type", ["timeline_state"]),
        (None, "wrong_type", ["timeline_state"]),
        ({"layers": None}, "wrong_type", ["timeline_state", "layers"]),
        ({"layers": {}}, "wrong_type", ["timeline_state", "layers"]),
        ({"layers": [{"id": "a", "name": "b"}]}, "missing", ["timeline_state", "layers", 0, "type"]),
        ({"layers": [{"id": "a", "name": "b", "type": "film"}]}, "literal_error", ["timeline_state", "layers", 0, "type"]),
        ({"layers": [{"id": 7, "name": "b", "type": "text"}]}, "wrong_type", ["timeline_state", "layers", 0, "id"]),
        (
            {"layers": [{"id": "a", "name": "b" * 1001, "type": "text"}]},
            "string_too_long",
            ["timeline_state", "layers", 0, "name"],
        ),
        ({"layers": [{"id": "a", "name": "b", "type": "text"}] * 1001}, "too_long", ["timeline_state", "layers"]),
        (with_clip(duration="3"), "wrong_type", [*CLIP, "duration"]),
        (with_clip(duration=True), "wrong_type", [*CLIP, "duration"]),
        (with_clip(duration=None), "wrong_type", [*CLIP, "duration"]),
        (with_clip(start_time=float("nan")), "wrong_type", [*CLIP, "start_time"]),
        (with_clip(end_time=float("inf")), "wrong_type", [*CLIP, "end_time"]),
        (with_clip(start_time=2**63), "int_out_of_range", [*CLIP, "start_time"]),
        (with_clip(x={"y": [-(2**63) - 1]}), "int_out_of_range", [*CLIP, "x", "y", 0]),
        (with_clip(properties={"y": [{"$z": 2**64 - 1}]}), "int_out_of_range", [*CLIP, "properties", "y", 0, "$z"]),
        (with_clip(keyframes=[{"$v": 1}]), "key_not_allowed", [*CLIP, "keyframes", 0, "$v"]),
        (with_clip(**{"$where": 1}), "key_not_allowed", [*CLIP, "$where"]),
        (with_clip(**{"a\0": 1}), "key_not_allowed", [*CLIP, "a\0"]),
        (with_clip(extra=[[{"$set": 1}]]), "key_not_allowed", [*CLIP, "extra", 0, 0, "$set"]),
        ({"$db": 1}, "key_not_allowed", ["timeline_state", "$db"]),
        ({"view": {"a": {"properties": {"$x": 1}}}}, "key_not_allowed", ["timeline_state", "view", "a", "properties", "$x"]),
        ({"selected_clips": ["a", 7]}, "wrong_type", ["timeline_state", "selected_clips", 1]),
        ({"markers": [7]}, "wrong_type", ["timeline_state", "markers", 0]),
        ({"is_playing": "no"}, "wrong_type", ["timeline_state", "is_playing"]),
    ],
)
def test_what_cannot_be_kept_is_refused_with_its_place(state: Any, kind: str, loc: list[Any]) -> None:
    [problem] = check_timeline(state)

    assert (problem["type"], problem["loc"]) == (kind, loc)
    assert problem["msg"].endswith(".")


def test_a_clip_says_all_that_is_missing() -> None:
    missing = {location[-1] for location in locations({"layers": [{"id": "a", "name": "b", "type": "text", "clips": [{}]}]})}

    assert missing == {"id", "type", "start_time", "end_time", "duration"}


def test_a_layer_of_too_many_clips_is_refused() -> None:
    clip = {"id": "c", "type": "v", "start_time": 0, "end_time": 0, "duration": 0}

    assert check_timeline({"layers": [{"id": "a", "name": "b", "type": "text", "clips": [clip] * 100_000}]}) == []
    assert len(check_timeline({"layers": [{"id": "a", "name": "b", "type": "text", "clips": [clip] * 100_001}]})) == 1


def test_large_whole_doubles_are_no_integers() -> None:
    assert check_timeline({"limit": 1.7976931348623157e308, "layers": [], "zoom": 1e19}) == []
    assert locations({"limit": 1e300, "other": 2**63}) == [["timeline_state", "other"]]


def test_a_million_mistakes_are_answered_quickly_with_the_first_twenty() -> None:
    state = {"layers": [{}] * 1_000, "x": [{"$a": 1}] * 1_000_000}

    started = time.perf_counter()
    found = check_timeline(state)

    assert len(found) == 20
    assert time.perf_counter() - started < 1.0


@pytest.mark.parametrize(
    ("value", "loc"),
    [
        ({"$gt": 1}, ["metadata", "$gt"]),
        ({"a": [{"b\0": 1}]}, ["metadata", "a", 0, "b\0"]),
        ({"a": {"properties": {"$x": 1}}}, ["metadata", "a", "properties", "$x"]),
        ([2**63], ["metadata", 0]),
        (2**63, ["metadata"]),
    ],
)
def test_free_form_json_is_refused_where_it_cannot_be_stored(value: Any, loc: list[Any]) -> None:
    assert [problem["loc"] for problem in check_json_value(value, ["metadata"])] == [loc]


@settings(max_examples=100, deadline=None)
@given(json_values(st.text(st.characters(codec="utf-8", exclude_characters="$\0"), max_size=3)))
def test_all_other_free_form_json_is_taken(value: Any) -> None:
    assert check_json_value(value, []) == []


@st.composite
def damaged_states(draw: st.DrawFn) -> Any:
    state = draw(small_states())
    for _ in range(draw(st.integers(0, 3))):
        parent, key = draw(st.sampled_from(list(_members(state)) or [({}, "x")]))
        parent[key] = draw(st.one_of(json_values(leaves=3), st.sampled_from([None, [], {}, 2**63, "", "video", {"$a": 1}])))
    return state


def _members(node: Any) -> Iterator[tuple[Any, Any]]:
    for key in list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ():
        yield node, key
        yield from _members(node[key])


def _only_large_doubles(state: Any) -> bool:
    return any(isinstance(parent[key], float) and abs(parent[key]) >= 2**63 for parent, key in _members(state))


@settings(max_examples=200, deadline=None)
@given(st.one_of(damaged_states(), json_values()))
def test_the_quick_verdict_and_the_explanation_agree(state: Any) -> None:
    explained = problems(state, TIMELINE_SCHEMA, ())

    # A large whole double is an integer to the standard and a double to us: the only thing that they see differently.
    assert VALIDATOR.is_valid(state) is (not explained) or _only_large_doubles(state)


def test_mongodb_s_form_has_only_what_mongodb_knows() -> None:
    known = {"bsonType", "enum", "required", "maxLength", "maxItems", "properties", "items"}

    def check(schema: dict[str, Any]) -> None:
        assert schema.keys() <= known
        assert schema.get("required") != []
        for inner in [*schema.get("properties", {}).values(), *([schema["items"]] if "items" in schema else [])]:
            check(inner)

    check(mongodb_schema())


def test_mongodb_s_form_keeps_the_rules_on_clips() -> None:
    layer = mongodb_schema()["properties"]["layers"]["items"]
    clip = layer["properties"]["clips"]["items"]

    assert layer["required"] == ["id", "name", "type"]
    assert layer["properties"]["type"]["enum"] == ["video", "audio", "text", "effect", "overlay"]
    assert clip["required"] == ["id", "type", "start_time", "end_time", "duration"]
    assert clip["properties"]["start_time"] == {"bsonType": ["int", "long", "double"]}
    assert clip["properties"]["original_start_time"] == {"bsonType": ["int", "long", "double", "null"]}
