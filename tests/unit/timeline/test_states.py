"""Keys that BSON cannot hold."""

from __future__ import annotations

import copy
from typing import Any

import bson
from hypothesis import example, given, settings

from projectapi.timeline.states import ESCAPE, escape_keys, unescape_keys
from tests.unit.timeline.samples import json_values, make_timeline


def state_with(properties: Any) -> dict[str, Any]:
    return {"layers": [{"id": "l", "clips": [{"id": "c", "properties": properties}, {"id": "d"}]}, {"id": "m"}], "zoom": 1}


def test_a_state_that_needs_nothing_is_handed_back_itself() -> None:
    state = make_timeline(20)

    stored, escaped = escape_keys(state)

    assert stored is state
    assert escaped is False


def test_a_reference_among_the_properties_comes_back_as_the_object_that_it_was() -> None:
    state = state_with({"link": {"$ref": "projects", "$id": 7}, "nul\0": [{"$set": 1}]})

    stored, escaped = escape_keys(state)
    read_back = bson.decode(bson.encode(stored))

    assert escaped is True
    assert unescape_keys(read_back) == state


def test_dots_and_empty_keys_are_left_alone() -> None:
    state = state_with({"a.b": 1, "": {"..": 2}, "50%": 3, "a$": 4})

    assert escape_keys(state) == (state, False)


def test_keys_that_look_escaped_already_are_told_apart() -> None:
    properties = {"$a": 1, f"{ESCAPE}$a": 2, f"{ESCAPE}a": 3, f"{ESCAPE}{ESCAPE}": 4, "$%00": 5, "$\0": 6, "$%25": 7}

    stored, _ = escape_keys(state_with(properties))

    assert len(stored["layers"][0]["clips"][0]["properties"]) == len(properties)
    assert unescape_keys(stored) == state_with(properties)


@settings(max_examples=300, deadline=None)
@given(json_values())
@example({"$a": {"%\0$": [{"\uff04": 1}]}})
def test_every_state_survives_the_way_through_bson(properties: Any) -> None:
    state = state_with(properties)
    before = copy.deepcopy(state)

    stored, escaped = escape_keys(state)
    read_back = bson.decode(bson.encode(stored))

    assert state == before
    assert repr(unescape_keys(read_back) if escaped else read_back) == repr(state)


def test_a_layer_without_clips_and_a_state_without_layers_are_no_trouble() -> None:
    for state in ({}, {"layers": []}, {"layers": [{"id": "a"}, {"id": "b", "clips": []}]}):
        assert escape_keys(state) == (state, False)
        assert unescape_keys(state) == state
