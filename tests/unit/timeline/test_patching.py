"""Applying patches: both formats, all their published examples, limits, and what a store has to write afterwards."""

from __future__ import annotations

import copy
from typing import Any

import jsonpatch
import jsonpointer
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from projectapi.errors import Conflict, UnsupportedMediaType, ValidationFailed
from projectapi.timeline.json_diff import json_patch
from projectapi.timeline.json_patch import MAX_DEPTH, json_equal
from projectapi.timeline.json_pointer import Path, format_pointer
from projectapi.timeline.patching import (
    JSON_PATCH,
    MAX_OPERATIONS,
    MAX_PLACES,
    MERGE_PATCH,
    apply_json_patch,
    apply_merge_patch,
    apply_patch,
)
from tests.unit.timeline.samples import KEYS, canonical, json_values, make_timeline, small_states

# RFC 7396, appendix A: original, patch, result.
MERGE_EXAMPLES: list[tuple[Any, Any, Any]] = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    (["a", "b"], ["c", "d"], ["c", "d"]),
    ({"a": "b"}, ["c"], ["c"]),
    ({"a": "foo"}, None, None),
    ({"a": "foo"}, "bar", "bar"),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
]

# RFC 6902, appendix A: the examples that have a result.
JSON_PATCH_EXAMPLES: dict[str, tuple[Any, list[Any], Any]] = {
    "A.1 adding an object member": (
        {"foo": "bar"},
        [{"op": "add", "path": "/baz", "value": "qux"}],
        {"baz": "qux", "foo": "bar"},
    ),
    "A.2 adding an array element": (
        {"foo": ["bar", "baz"]},
        [{"op": "add", "path": "/foo/1", "value": "qux"}],
        {"foo": ["bar", "qux", "baz"]},
    ),
    "A.3 removing an object member": ({"baz": "qux", "foo": "bar"}, [{"op": "remove", "path": "/baz"}], {"foo": "bar"}),
    "A.4 removing an array element": (
        {"foo": ["bar", "qux", "baz"]},
        [{"op": "remove", "path": "/foo/1"}],
        {"foo": ["bar", "baz"]},
    ),
    "A.5 replacing a value": (
        {"baz": "qux", "foo": "bar"},
        [{"op": "replace", "path": "/baz", "value": "boo"}],
        {"baz": "boo", "foo": "bar"},
    ),
    "A.6 moving a value": (
        {"foo": {"bar": "baz", "waldo": "fred"}, "qux": {"corge": "grault"}},
        [{"op": "move", "from": "/foo/waldo", "path": "/qux/thud"}],
        {"foo": {"bar": "baz"}, "qux": {"corge": "grault", "thud": "fred"}},
    ),
    "A.7 moving an array element": (
        {"foo": ["all", "grass", "cows", "eat"]},
        [{"op": "move", "from": "/foo/1", "path": "/foo/3"}],
        {"foo": ["all", "cows", "eat", "grass"]},
    ),
    "A.8 testing a value: success": (
        {"baz": "qux", "foo": ["a", 2, "c"]},
        [{"op": "test", "path": "/baz", "value": "qux"}, {"op": "test", "path": "/foo/1", "value": 2}],
        {"baz": "qux", "foo": ["a", 2, "c"]},
    ),
    "A.10 adding a nested member object": (
        {"foo": "bar"},
        [{"op": "add", "path": "/child", "value": {"grandchild": {}}}],
        {"foo": "bar", "child": {"grandchild": {}}},
    ),
    "A.11 ignoring unrecognized elements": (
        {"foo": "bar"},
        [{"op": "add", "path": "/baz", "value": "qux", "xyz": 123}],
        {"foo": "bar", "baz": "qux"},
    ),
    "A.14 escape ordering": (
        {"/": 9, "~1": 10},
        [{"op": "test", "path": "/~01", "value": 10}],
        {"/": 9, "~1": 10},
    ),
    "A.16 adding an array value": (
        {"foo": ["bar"]},
        [{"op": "add", "path": "/foo/-", "value": ["abc", "def"]}],
        {"foo": ["bar", ["abc", "def"]]},
    ),
    "5 replacing the whole document": ({"a": 1}, [{"op": "add", "path": "", "value": {"b": 2}}], {"b": 2}),
    "4.5 copying": ({"a": {"b": 1}}, [{"op": "copy", "from": "/a", "path": "/c"}], {"a": {"b": 1}, "c": {"b": 1}}),
    "adding where something is": ({"a": 1}, [{"op": "add", "path": "/a", "value": 2}], {"a": 2}),
    "moving to the same place": ({"a": 1}, [{"op": "move", "from": "/a", "path": "/a"}], {"a": 1}),
    "the empty key": ({"": {"": 1}}, [{"op": "replace", "path": "//", "value": 2}], {"": {"": 2}}),
}


@pytest.mark.parametrize(("original", "patch", "result"), MERGE_EXAMPLES)
def test_merge_patch_does_as_the_examples_of_rfc_7396(original: Any, patch: Any, result: Any) -> None:
    assert apply_merge_patch(original, patch).state == result


@pytest.mark.parametrize("example", JSON_PATCH_EXAMPLES.values(), ids=JSON_PATCH_EXAMPLES.keys())
def test_json_patch_does_as_the_examples_of_rfc_6902(example: tuple[Any, list[Any], Any]) -> None:
    original, operations, result = example

    assert apply_json_patch(original, operations).state == result


@pytest.mark.parametrize(
    ("original", "operation"),
    [
        ({"baz": "qux"}, {"op": "test", "path": "/baz", "value": "bar"}),  # A.9
        ({"/": 9, "~1": 10}, {"op": "test", "path": "/~01", "value": "10"}),  # A.15
        ({"a": 1}, {"op": "test", "path": "/a", "value": True}),
        ({"a": [1]}, {"op": "test", "path": "/a", "value": [1, 2]}),
        ({"a": None}, {"op": "test", "path": "/b", "value": None}),
    ],
)
def test_a_failed_test_is_a_conflict_and_says_where(original: Any, operation: Any) -> None:
    with pytest.raises(Conflict) as caught:
        apply_json_patch(original, [operation])

    assert f"“{operation['path']}”" in caught.value.text


@pytest.mark.parametrize(
    ("left", "right", "equal"),
    [
        (1, 1.0, True),
        (1, True, False),
        (0, False, False),
        ({"a": 1, "b": [1.0]}, {"b": [1], "a": 1}, True),
        ({"a": 1}, {"a": 1, "b": None}, False),
        ([1, 2], [2, 1], False),
        ("1", 1, False),
        (None, False, False),
    ],
)
def test_values_are_compared_as_rfc_6902_section_4_6_says(left: Any, right: Any, equal: bool) -> None:
    assert json_equal(left, right) is equal


@pytest.mark.parametrize(
    ("patch", "loc"),
    [
        ({"op": "add"}, []),
        ("text", []),
        ([7], [0]),
        ([{}], [0, "op"]),
        ([{"op": "merge", "path": ""}], [0, "op"]),
        ([{"op": ["add"], "path": ""}], [0, "op"]),
        ([{"op": "add", "value": 1}], [0, "path"]),
        ([{"op": "add", "path": 7, "value": 1}], [0, "path"]),
        ([{"op": "add", "path": "a", "value": 1}], [0, "path"]),
        ([{"op": "add", "path": "/~2", "value": 1}], [0, "path"]),
        ([{"op": "add", "path": "/a~", "value": 1}], [0, "path"]),
        ([{"op": "add", "path": "/b"}], [0, "value"]),
        ([{"op": "move", "path": "/b"}], [0, "from"]),
        ([{"op": "remove", "path": ""}], [0, "path"]),
        ([{"op": "remove", "path": "/b"}], [0, "path"]),
        ([{"op": "replace", "path": "/b", "value": 1}], [0, "path"]),
        ([{"op": "add", "path": "/b/c", "value": 1}], [0, "path"]),  # A.12
        ([{"op": "add", "path": "/n/x", "value": 1}], [0, "path"]),
        ([{"op": "add", "path": "/n/-", "value": 1}], [0, "path"]),
        ([{"op": "add", "path": "/a/3", "value": 1}], [0, "path"]),
        ([{"op": "add", "path": "/a/01", "value": 1}], [0, "path"]),
        ([{"op": "add", "path": "/a/-1", "value": 1}], [0, "path"]),
        ([{"op": "add", "path": "/a/٣", "value": 1}], [0, "path"]),
        ([{"op": "add", "path": "/a/1e0", "value": 1}], [0, "path"]),
        ([{"op": "replace", "path": "/a/-", "value": 1}], [0, "path"]),
        ([{"op": "replace", "path": "/a/2", "value": 1}], [0, "path"]),
        ([{"op": "remove", "path": "/a/" + "9" * 5000}], [0, "path"]),
        ([{"op": "copy", "from": "/b", "path": "/c"}], [0, "from"]),
        ([{"op": "move", "from": "/o", "path": "/o/p/q"}], [0, "path"]),
        ([{"op": "add", "path": "/x" * (MAX_DEPTH + 1), "value": 1}], [0, "path"]),
        ([{"op": "test", "path": "/n", "value": 1}, {"op": "remove", "path": "/b"}], [1, "path"]),
    ],
)
def test_a_patch_that_cannot_be_applied_names_the_operation_and_the_member(patch: Any, loc: list[Any]) -> None:
    document = {"a": [1, 2], "n": 1, "o": {"p": {}}}

    with pytest.raises(ValidationFailed) as caught:
        apply_json_patch(document, patch)

    assert isinstance(caught.value.detail, list)
    assert [problem["loc"] for problem in caught.value.detail] == [loc]
    assert caught.value.detail[0].keys() == {"type", "loc", "msg"}
    assert document == {"a": [1, 2], "n": 1, "o": {"p": {}}}


def test_a_patch_of_too_many_operations_is_refused() -> None:
    operations = [{"op": "add", "path": "/a", "value": 1}] * (MAX_OPERATIONS + 1)

    assert apply_json_patch({}, operations[1:]).state == {"a": 1}
    with pytest.raises(ValidationFailed, match="1,000"):
        apply_json_patch({}, operations)


def test_copying_cannot_blow_a_document_up() -> None:
    doubling = [{"op": "copy", "from": "/a", "path": "/a/-"}] * 60

    with pytest.raises(ValidationFailed, match="more data"):
        apply_json_patch({"a": ["x" * 1000]}, doubling)


@pytest.mark.parametrize(
    "deepening",
    [
        [{"op": "move", "from": "/deep", "path": "/deeper/x"}],
        [{"op": "copy", "from": "/deep", "path": "/deeper/x"}],
        [{"op": "add", "path": "/deeper/x", "value": [[[[]]]]}, {"op": "move", "from": "/deep", "path": "/deeper/x/0/0/0/0"}],
    ],
)
def test_no_operation_makes_a_document_deeper_than_it_may_be(deepening: list[Any]) -> None:
    deep: Any = []
    for _ in range(MAX_DEPTH - 2):
        deep = [deep]

    with pytest.raises(ValidationFailed, match="levels deep"):
        apply_json_patch({"deep": deep, "deeper": {}}, deepening)


def test_a_merge_patch_may_not_nest_too_deeply() -> None:
    patch: Any = 1
    for _ in range(MAX_DEPTH + 1):
        patch = {"a": patch}

    assert apply_merge_patch({}, patch["a"]).state == patch["a"]
    with pytest.raises(ValidationFailed):
        apply_merge_patch({}, patch)


def test_another_media_type_is_refused_with_those_that_are_taken() -> None:
    with pytest.raises(UnsupportedMediaType) as caught:
        apply_patch("application/json", {}, {})

    assert caught.value.headers["Accept-Patch"] == f"{MERGE_PATCH}, {JSON_PATCH}"


def test_both_media_types_reach_their_format() -> None:
    assert apply_patch(MERGE_PATCH, {"a": 1}, {"a": None}).state == {}
    assert apply_patch(JSON_PATCH, {"a": 1}, [{"op": "remove", "path": "/a"}]).state == {}


def test_moving_one_clip_of_ten_thousand_copies_only_the_way_to_it() -> None:
    state = make_timeline(10_000)
    before = orjson.dumps(state)
    operations = [{"op": "replace", "path": "/layers/2/clips/77/start_time", "value": 5.5}]

    patched = apply_json_patch(state, operations)

    assert patched.touched == [("layers", 2, "clips", 77, "start_time")]
    assert patched.state["layers"][2]["clips"][77]["start_time"] == 5.5
    assert patched.state["layers"][1] is state["layers"][1]
    assert patched.state["layers"][2]["clips"][76] is state["layers"][2]["clips"][76]
    assert orjson.dumps(state) == before


class CountedList(list[Any]):
    """A list that knows how often it, or a copy of it, was copied."""

    copies: list[CountedList]

    def __init__(self, elements: list[Any], copies: list[CountedList] | None = None) -> None:
        super().__init__(elements)
        self.copies = [] if copies is None else copies

    def copy(self) -> CountedList:
        copied = CountedList(self, self.copies)
        self.copies.append(copied)
        return copied


def test_a_thousand_operations_on_ten_thousand_clips_copy_the_array_once() -> None:
    state = make_timeline(10_000)
    operations = [{"op": "replace", "path": f"/layers/0/clips/{i}/duration", "value": i} for i in range(1_000)]

    clips = state["layers"][0]["clips"] = CountedList(state["layers"][0]["clips"])

    patched = apply_json_patch(state, operations)

    assert [clip["duration"] for clip in patched.state["layers"][0]["clips"][:1_000]] == list(range(1_000))
    assert len(clips.copies) == 1


def test_a_copied_value_does_not_change_with_its_original() -> None:
    operations = [
        {"op": "add", "path": "/a/x", "value": 1},
        {"op": "copy", "from": "/a", "path": "/b"},
        {"op": "add", "path": "/a/x", "value": 2},
        {"op": "add", "path": "/b/y", "value": 3},
    ]

    assert apply_json_patch({"a": {}}, operations).state == {"a": {"x": 2}, "b": {"x": 1, "y": 3}}


def test_a_value_of_the_patch_is_not_changed_by_a_later_operation() -> None:
    value: list[Any] = [[]]
    operations = [{"op": "add", "path": "/a", "value": value}, {"op": "add", "path": "/a/0/-", "value": 1}]

    assert apply_json_patch({}, operations).state == {"a": [[1]]}
    assert value == [[]]


@pytest.mark.parametrize(
    ("operation", "touched"),
    [
        ({"op": "replace", "path": "/layers/0/clips/1/start", "value": 9}, [("layers", 0, "clips", 1, "start")]),
        ({"op": "add", "path": "/layers/0/clips/-", "value": {}}, [("layers", 0, "clips", 2)]),
        ({"op": "add", "path": "/layers/0/clips/2", "value": {}}, [("layers", 0, "clips", 2)]),
        ({"op": "add", "path": "/layers/0/clips/0", "value": {}}, [("layers", 0, "clips")]),
        ({"op": "remove", "path": "/layers/0/clips/1"}, [("layers", 0, "clips")]),
        ({"op": "remove", "path": "/zoom"}, [("zoom",)]),
        ({"op": "add", "path": "/new", "value": 1}, [("new",)]),
        ({"op": "move", "from": "/layers/1", "path": "/layers/0"}, [("layers",)]),
        ({"op": "move", "from": "/zoom", "path": "/layers/1/zoom"}, [("layers", 1, "zoom"), ("zoom",)]),
        ({"op": "replace", "path": "", "value": {}}, [()]),
        ({"op": "add", "path": "/layers/1/a.b", "value": 1}, [("layers", 1)]),
        ({"op": "add", "path": "/layers/1/$x", "value": 1}, [("layers", 1)]),
        ({"op": "add", "path": "/layers/1/", "value": 1}, [("layers", 1)]),
        ({"op": "test", "path": "/zoom", "value": 1}, []),
    ],
)
def test_a_patch_tells_which_places_it_touched(operation: Any, touched: list[Path]) -> None:
    state = {"layers": [{"clips": [{"start": 1}, {"start": 2}]}, {"id": "b"}], "zoom": 1}

    assert apply_json_patch(state, [operation]).touched == touched


def test_a_merge_patch_tells_which_places_it_touched() -> None:
    state = {"zoom": 1, "view": {"x": 1, "y": {"z": 1}}, "layers": []}

    patched = apply_merge_patch(state, {"zoom": 2, "view": {"x": None, "y": {"z": 5}, "gone": None}, "layers": [1]})

    assert patched.touched == [("layers",), ("view", "x"), ("view", "y", "z"), ("zoom",)]


def test_of_a_merge_patch_that_touches_too_many_places_the_whole_document_is_to_be_written() -> None:
    state = {"clips": {f"c{i}": {"at": {"start": 0}} for i in range(MAX_PLACES + 1)}}
    patch = {"clips": {f"c{i}": {"at": {"start": 1}} for i in range(MAX_PLACES + 1)}}

    patched = apply_merge_patch(state, patch)
    patch["clips"].popitem()
    fewer = apply_merge_patch(state, patch)

    assert (patched.touched, patched.state["clips"]["c0"]) == ([()], {"at": {"start": 1}})
    assert len(fewer.touched) == MAX_PLACES


def test_keys_that_would_come_out_in_another_order_are_written_with_their_object() -> None:
    removed_and_added_again = [{"op": "remove", "path": "/o/a"}, {"op": "add", "path": "/o/a", "value": 2}]

    assert apply_json_patch({"o": {"a": 1, "b": 1}}, removed_and_added_again).touched == [("o",)]
    assert apply_merge_patch({"o": {}}, {"o": {"z": 1, "y": 1}}).touched == [("o",)]


def written_place_by_place(old: Any, new: Any, touched: list[Path]) -> Any:
    """Do what MongoDB does with $set and $unset of these places: new fields are appended, in alphabetical order."""
    top = [copy.deepcopy(old)]
    for path in sorted(touched, key=str):
        target, source = top, [new]
        step: Any = 0
        for following in path:
            target, source, step = target[step], source[step], following
        if isinstance(step, str) and step not in source:
            target.pop(step, None)
        elif isinstance(target, list) and step == len(target):
            target.append(source[step])
        else:
            target[step] = source[step]
    return top[0]


OBJECTS = st.dictionaries(KEYS, json_values(leaves=8), max_size=5)


@settings(max_examples=120, deadline=None)
@given(OBJECTS, json_values(leaves=8))
def test_writing_the_touched_places_gives_the_merged_document_to_the_byte(document: Any, patch: Any) -> None:
    before = copy.deepcopy(document)

    patched = apply_merge_patch(document, patch)

    assert repr(document) == repr(before)
    assert orjson.dumps(written_place_by_place(document, patched.state, patched.touched)) == orjson.dumps(patched.state)


@settings(max_examples=120, deadline=None)
@given(st.one_of(st.tuples(OBJECTS, OBJECTS), st.tuples(small_states(), small_states())))
def test_writing_the_touched_places_gives_the_patched_document_to_the_byte(pair: tuple[Any, Any]) -> None:
    old, new = pair
    before = copy.deepcopy(old)

    patched = apply_json_patch(old, json_patch(old, new))

    assert repr(old) == repr(before)
    assert canonical(patched.state) == canonical(new)
    assert orjson.dumps(written_place_by_place(old, patched.state, patched.touched)) == orjson.dumps(patched.state)


def places(document: Any, path: Path = ()) -> list[Path]:
    """Return every place of a document."""
    steps = list(document) if isinstance(document, dict) else range(len(document)) if isinstance(document, list) else []
    return [path, *(place for step in steps for place in places(document[step], (*path, step)))]


@settings(max_examples=120, deadline=None)
@given(st.data())
def test_random_operations_end_as_another_implementation_has_it(data: st.DataObject) -> None:
    document = data.draw(st.dictionaries(st.sampled_from(["a", "b", "~/"]), json_values(st.sampled_from("ab"), leaves=6)))
    expected: Any = copy.deepcopy(document)
    operations: list[Any] = []
    for _ in range(data.draw(st.integers(1, 5))):
        pointers = st.sampled_from(places(expected)).map(format_pointer)
        operation = {
            "op": data.draw(st.sampled_from(["add", "remove", "replace", "move", "copy"])),
            "path": data.draw(pointers) + data.draw(st.sampled_from(["", "", "/a", "/0", "/-"])),
            "from": data.draw(pointers),
            "value": data.draw(json_values(st.sampled_from("ab"), leaves=3)),
        }
        if operation["path"] == "" and operation["op"] == "remove":
            continue
        try:
            expected = jsonpatch.apply_patch(expected, [operation])
        except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException):
            with pytest.raises(ValidationFailed):
                apply_json_patch(document, [*operations, operation])
            continue
        operations.append(operation)

    patched = apply_json_patch(document, operations)

    assert repr(patched.state) == repr(expected)
    assert orjson.dumps(written_place_by_place(document, patched.state, patched.touched)) == orjson.dumps(patched.state)
