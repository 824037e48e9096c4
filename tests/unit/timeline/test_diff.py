"""What changed between two versions: in words, and as JSON Patch."""

from __future__ import annotations

import copy
import time
from typing import Any

import jsonpatch
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from projectapi.timeline.diff import diff
from projectapi.timeline.json_diff import displaced_ids, json_patch
from projectapi.timeline.patching import MAX_OPERATIONS, apply_json_patch
from tests.unit.timeline.samples import all_clips, canonical, json_values, make_timeline, small_states


def clip(name: str, **fields: Any) -> dict[str, Any]:
    return {"id": name, "type": "video", "start_time": 3, "end_time": 6, "duration": 3, "original_start_time": 0, **fields}


def layer(name: str, /, *clips: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"id": name, "name": name.title(), "type": "video", "clips": list(clips)} | fields


def state(*layers: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"layers": list(layers), "markers": [], "zoom": 1, **fields}


def changes(old: dict[str, Any], new: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = diff(old, new)["changes"]
    return found


def texts(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    return [change["text"] for change in changes(old, new)]


def test_nothing_changed() -> None:
    assert diff(make_timeline(20), make_timeline(20)) == {"changes": [], "patch": []}


def test_a_moved_clip_is_told_with_where_from_and_where_to() -> None:
    old = state(layer("video", clip("c1", content="intro")))
    new = state(layer("video", clip("c1", content="intro", start_time=5.5, end_time=8.5)))

    assert changes(old, new) == [
        {
            "kind": "clip_moved",
            "clip_id": "c1",
            "layer_id": "video",
            "from": {"layer_id": "video", "start_time": 3},
            "to": {"layer_id": "video", "start_time": 5.5},
            "text": "Clip “intro” moved from 3.0 s to 5.5 s",
        }
    ]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"start_time": 5.5}, [("clip_moved", "Clip “c1” moved from 3.0 s to 5.5 s")]),
        ({"duration": 3.04}, [("clip_trimmed", "Clip “c1” trimmed from 3.0 s to 3.04 s")]),
        ({"end_time": 7}, [("clip_trimmed", "Clip “c1” now ends at 7.0 s, before at 6.0 s")]),
        (
            {"original_start_time": 1.5},
            [("clip_trimmed", "Clip “c1” now begins at 1.5 s of its source, before at 0.0 s")],
        ),
        # Cut at the start: the clip begins later, and so does what it shows.
        (
            {"start_time": 4, "original_start_time": 1, "duration": 2},
            [("clip_trimmed", "Clip “c1” trimmed from 3.0 s to 2.0 s")],
        ),
        (
            {"start_time": 9, "end_time": 14, "duration": 5},
            [
                ("clip_moved", "Clip “c1” moved from 3.0 s to 9.0 s"),
                ("clip_trimmed", "Clip “c1” trimmed from 3.0 s to 5.0 s"),
            ],
        ),
        (
            {"properties": {"volume": 0.5}, "source_path": "b.mp4"},
            [("clip_changed", "Clip “c1” changed: source_path, properties.volume")],
        ),
        ({"duration": None}, [("clip_trimmed", "Clip “c1” trimmed from 3.0 s to no time")]),
        ({"start_time": 3.0, "zoom": None}, []),
    ],
)
def test_what_happened_to_a_clip(fields: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    old = state(layer("video", clip("c1", properties={"volume": 1, "speed": 1}, source_path="a.mp4")))
    properties = {"volume": 1, "speed": 1, **fields.get("properties", {})}
    new = state(layer("video", clip("c1", **{"source_path": "a.mp4", **fields, "properties": properties})))

    assert [(change["kind"], change["text"]) for change in changes(old, new)] == expected


def test_changed_properties_come_with_their_values() -> None:
    old = state(layer("video", clip("c1", properties={"volume": 1, "speed": 1})))
    new = state(layer("video", clip("c1", properties={"volume": 0.5, "speed": 1})))

    [change] = changes(old, new)

    assert change["fields"] == ["properties.volume"]
    assert (change["from"], change["to"]) == ({"properties.volume": 1}, {"properties.volume": 0.5})


def test_clips_added_removed_and_moved_to_another_layer() -> None:
    old = state(layer("video", clip("a"), clip("b")), layer("audio"))
    new = state(layer("video", clip("c", start_time=1)), layer("audio", clip("b", start_time=4)))

    assert texts(old, new) == [
        "Clip “a” removed from layer “Video”",
        "Clip “c” added to layer “Video” at 1.0 s",
        "Clip “b” moved from layer “Video” to layer “Audio” and from 3.0 s to 4.0 s",
    ]


def test_a_layer_comes_and_goes_as_a_whole() -> None:
    old = state(layer("video", clip("a")), layer("music", clip("b"), clip("c")))
    new = state(layer("video", clip("a"), clip("c")), layer("titles", clip("t")))

    assert [(change["kind"], change["text"]) for change in changes(old, new)] == [
        ("layer_removed", "Layer “Music” removed with 2 clips"),
        ("layer_added", "Layer “Titles” added with 1 clip"),
        ("clip_moved", "Clip “c” moved from layer “Music” to layer “Video”"),
    ]


def test_layers_renamed_reordered_switched_and_changed() -> None:
    old = state(layer("a", is_muted=False, is_visible=True), layer("b", order=1), layer("c"))
    new = state(layer("c"), layer("a", is_muted=True, is_visible=False), layer("b", name="Music", order=1, type="audio"))

    found = changes(old, new)

    assert [(change["kind"], change["layer_id"], change["text"]) for change in found] == [
        ("layer_reordered", "c", "Layer “C” reordered"),
        ("layer_toggled", "a", "Layer “A” hidden"),
        ("layer_toggled", "a", "Layer “A” muted"),
        ("layer_renamed", "b", "Layer “B” renamed to “Music”"),
        ("layer_changed", "b", "Layer “Music” changed: type"),
    ]
    assert (found[0]["from"], found[0]["to"]) == ({"position": 2, "order": None}, {"position": 0, "order": None})


def test_clips_in_another_order_are_told_once() -> None:
    old = state(layer("video", clip("a"), clip("b"), clip("c")))
    new = state(layer("video", clip("c"), clip("a"), clip("b")))

    assert texts(old, new) == ["1 clip reordered in layer “Video”"]


def test_markers_added_removed_moved_and_changed() -> None:
    old = state(markers=[{"id": "1", "time": 1, "label": "Start"}, {"id": "2", "time": 2}, {"id": "3", "time": 3}])
    new = state(
        markers=[{"id": "1", "time": 4, "label": "Start"}, {"id": "3", "time": 3, "label": "End"}, {"id": "4", "time": 5}]
    )

    assert texts(old, new) == [
        "Marker “2” removed at 2.0 s",
        "Marker “Start” moved from 1.0 s to 4.0 s",
        "Marker “End” changed: label",
        "Marker “4” added at 5.0 s",
    ]


def test_other_fields_of_the_timeline() -> None:
    old = state(playhead_time=1, is_snapping=True, selected_clips=[], view={"x": 1})
    new = state(playhead_time=2.25, is_snapping=False, selected_clips=["a"], view={"x": 2}, zoom=2)

    assert texts(old, new) == [
        "Zoom changed from 1 to 2",
        "Playhead changed from 1.0 s to 2.25 s",
        "Snapping switched off",
        "Selection changed",
        "“view” changed",
    ]


def test_a_long_name_is_cut_in_the_text() -> None:
    old = state(layer("video"))
    new = state(layer("video", clip("c", content="x" * 500)))

    assert len(texts(old, new)[0]) < 130


def test_one_id_used_twice_does_not_lose_a_clip() -> None:
    old = state(layer("video", clip("c"), clip("c", start_time=10)))
    new = state(layer("video", clip("c"), clip("c", start_time=12)))

    assert texts(old, new) == ["Clip “c” moved from 10.0 s to 12.0 s"]


def test_an_inserted_clip_is_one_operation_wherever_it_stands() -> None:
    old = make_timeline(400)
    new = copy.deepcopy(old)
    added = clip("new")
    new["layers"][1]["clips"].insert(7, added)

    assert json_patch(old, new) == [{"op": "add", "path": "/layers/1/clips/7", "value": added}]


def test_a_moved_layer_is_one_small_operation() -> None:
    old = make_timeline(400)
    new = copy.deepcopy(old)
    new["layers"].insert(0, new["layers"].pop())

    assert json_patch(old, new) == [{"op": "move", "from": "/layers/3", "path": "/layers/0"}]


@pytest.mark.parametrize(("old", "new"), [(1, 1.0), (1, True), (0, False), (0.0, -0.0), (None, False), ("1", 1)])
def test_values_that_python_takes_for_equal_are_told_apart(old: Any, new: Any) -> None:
    assert json_patch({"a": [old]}, {"a": [new]}) != []


def test_the_order_of_keys_is_no_difference() -> None:
    assert json_patch({"a": 1, "b": {"c": 1, "d": 2}}, {"b": {"d": 2, "c": 1}, "a": 1}) == []


PAIRS = st.one_of(st.tuples(small_states(), small_states()), st.tuples(json_values(), json_values()))


@settings(max_examples=150, deadline=None)
@given(PAIRS)
def test_the_patch_turns_the_old_state_into_the_new_one(pair: tuple[Any, Any]) -> None:
    old, new = pair

    patch = json_patch(old, new)

    assert canonical(apply_json_patch(old, patch).state) == canonical(new)
    assert len(orjson.dumps(patch)) <= len(orjson.dumps(new)) + 40


@settings(max_examples=60, deadline=None)
@given(small_states(), small_states())
def test_another_implementation_comes_to_the_same_state(old: Any, new: Any) -> None:
    answer = diff(old, new)

    assert canonical(jsonpatch.apply_patch(old, answer["patch"])) == canonical(new)
    assert orjson.loads(orjson.dumps(answer)) == answer
    assert answer["patch"] or not answer["changes"]


@settings(max_examples=60, deadline=None)
@given(st.permutations(range(9)))
def test_no_fewer_moves_would_do(order: list[int]) -> None:
    names = [str(number) for number in order]

    staying = [name for name in names if name not in displaced_ids(sorted(names), names)]

    assert staying == sorted(staying)
    assert len(staying) == max(len(run) for run in _rising_runs(order))


@settings(max_examples=60, deadline=None)
@given(st.permutations(range(9)), st.sets(st.integers(0, 8)), st.sets(st.integers(0, 8)))
def test_elements_that_move_come_and_go_at_once_end_in_their_places(order: list[int], came: set[int], went: set[int]) -> None:
    # With a long payload a move is far shorter than writing the array anew.
    old = [{"id": str(number), "payload": "x" * 500} for number in range(9) if number not in came]
    new = [{"id": str(number), "payload": "x" * 500} for number in order if number not in went]

    patch = json_patch(old, new)

    assert apply_json_patch(old, patch).state == new


def _rising_runs(numbers: list[int]) -> list[list[int]]:
    runs: list[list[int]] = [[]]
    for number in numbers:
        runs += [[*run, number] for run in runs if not run or run[-1] < number]
    return runs


def _seconds(old: Any, new: Any) -> float:
    def once() -> float:
        started = time.perf_counter()
        diff(old, new)
        return time.perf_counter() - started

    return min(once() for _ in range(3))


def test_one_moved_clip_of_ten_thousand_is_one_operation() -> None:
    old = make_timeline(10_000)
    new = copy.deepcopy(old)
    all_clips(new)[5_000]["start_time"] = 1.25

    assert json_patch(old, new) == [{"op": "replace", "path": "/layers/2/clips/0/start_time", "value": 1.25}]


def test_reversing_ten_thousand_clips_takes_no_more_than_linear_time() -> None:
    old = make_timeline(10_000, layers=1)
    new = copy.deepcopy(old)
    new["layers"][0]["clips"].reverse()

    assert _seconds(old, new) < 1.0


def test_shuffling_half_of_ten_thousand_clips_still_ends_at_the_new_state() -> None:
    old = make_timeline(10_000, layers=1)
    new = copy.deepcopy(old)
    clips = new["layers"][0]["clips"]
    clips[:5_000] = clips[4_999::-1]

    patch = json_patch(old, new)

    patched = old
    for start in range(0, len(patch), MAX_OPERATIONS):
        patched = apply_json_patch(patched, patch[start : start + MAX_OPERATIONS]).state
    assert orjson.dumps(patched) == orjson.dumps(new)
    assert _seconds(old, new) < 1.0
