"""Reading JSON from strangers."""

from __future__ import annotations

import json
import time
import tracemalloc
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from projectapi.errors import BodyTooLarge, MalformedJson, ValidationFailed
from projectapi.schemas.json_body import MAX_CONTAINERS, MAX_DEPTH, MAX_KEYS, MAX_VALUES, parse_json
from tests.unit.timeline.samples import json_values, make_timeline


@settings(max_examples=150, deadline=None)
@given(json_values(), st.sampled_from([None, 1]), st.booleans())
def test_whatever_json_is_sent_comes_out_as_it_is(value: Any, indent: int | None, ascii_only: bool) -> None:
    body = json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode()

    assert repr(parse_json(body)) == repr(value)


def test_a_browser_s_timeline_is_read_as_it_is() -> None:
    state = make_timeline(200)

    assert parse_json(orjson.dumps({"timeline_state": state})) == {"timeline_state": state}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b"{} {}",
        b"{'a': 1}",
        b'{"a": 1,}',
        b"[1 2]",
        b"NaN",
        b"[Infinity]",
        b"[-Infinity]",
        b"[1e999]",
        b"[1" + b"0" * 5000 + b"]",
        b"[01]",
        b'"\\ud800"',
        b'"\\udc00\\ud800"',
        b'"\xff"',
        b'"\xed\xa0\x80"',
        b'"tab\there"',
        b"\xef\xbb\xbf{}",
        "{}".encode("utf-16"),
        "{}".encode("utf-16-le"),
        "{}".encode("utf-32-be"),
        b"\x00",
        b'{"a": "\\"}',
    ],
)
def test_what_is_no_json_is_refused_in_our_words(body: bytes) -> None:
    with pytest.raises(MalformedJson) as caught:
        parse_json(body)

    assert "JSON" in caught.value.text
    assert "orjson" not in caught.value.text


def test_the_place_of_a_syntax_error_is_named() -> None:
    with pytest.raises(MalformedJson, match="line 2, column 6"):
        parse_json(b'{"a": 1,\n"b": }')


@pytest.mark.parametrize(
    "body",
    [
        b'{"a": 1, "a": 2}',
        b'{"a": 1, "\\u0061": 2}',
        b'[{"x": {"": 1, "b": ":", "": 1}}]',
        b'[{ "op":"add", "path":"/baz", "value":"qux", "op":"remove" }]',
    ],
)
def test_a_key_given_twice_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedJson, match="twice"):
        parse_json(body)


def test_the_same_key_in_different_objects_is_fine() -> None:
    assert parse_json(b'[{"a": {"a": ": \\" {"}}, {"a": 1}]') == [{"a": {"a": ': " {'}}, {"a": 1}]


def nested(depth: int, opening: str = "[", closing: str = "]", core: str = "") -> bytes:
    return (opening * depth + core + closing * depth).encode()


@pytest.mark.parametrize(("opening", "closing", "core"), [("[", "]", ""), ('{"a":', "}", "1"), ('[" [{\\" ", ', "]", "1")])
def test_nesting_is_taken_up_to_the_limit_and_no_further(opening: str, closing: str, core: str) -> None:
    parse_json(nested(MAX_DEPTH, opening, closing, core))

    with pytest.raises(MalformedJson, match="64 levels"):
        parse_json(nested(MAX_DEPTH + 1, opening, closing, core))


def test_a_small_limit_counts_exactly_too() -> None:
    assert parse_json(b"1", max_depth=0) == 1
    assert parse_json(b'[{"a": "[[["}]', max_depth=2) == [{"a": "[[["}]
    with pytest.raises(MalformedJson):
        parse_json(b'[{"a": []}]', max_depth=2)


@settings(max_examples=150, deadline=None)
@given(json_values(st.text(st.sampled_from('[]{}"\\:,'), max_size=4), leaves=20), st.integers(0, 6))
def test_depth_is_counted_right_whatever_stands_in_the_strings(value: Any, limit: int) -> None:
    def depth(node: Any) -> int:
        if not isinstance(node, dict | list):
            return 0
        return 1 + max(map(depth, node.values() if isinstance(node, dict) else node), default=0)

    body = orjson.dumps(value)

    if depth(value) <= limit:
        assert repr(parse_json(body, max_depth=limit)) == repr(value)
    else:
        with pytest.raises(MalformedJson):
            parse_json(body, max_depth=limit)


@pytest.mark.parametrize("piece_bytes", range(1, 9))
def test_strings_are_left_out_wherever_a_piece_of_the_text_ends(monkeypatch: pytest.MonkeyPatch, piece_bytes: int) -> None:
    monkeypatch.setattr("projectapi.schemas.json_body._PIECE_BYTES", piece_bytes)

    assert parse_json(b'{"a[[[,:":["[,",{"]}":","},":{"]}', max_depth=3, max_containers=3, max_keys=2, max_values=2)
    with pytest.raises(BodyTooLarge, match="more than 2 objects"):
        parse_json(b'{"a[[[,:":["[,",{"]}":","},":{"]}', max_containers=2)


def test_counting_in_millions_of_strings_takes_little_memory() -> None:
    body = b"[" + b'",,",' * 400_000 + b"1]"

    tracemalloc.start()
    try:
        with pytest.raises(BodyTooLarge):
            parse_json(body, max_values=1_000)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 8 * len(body)


@settings(max_examples=150, deadline=None)
@given(st.text(st.sampled_from('[]{}"\\:, 1'), max_size=40).map(str.encode))
def test_no_bytes_make_anything_but_a_clear_error(body: bytes) -> None:
    try:
        value = parse_json(body)
    except MalformedJson:
        return

    assert value == orjson.loads(body)


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 4_000_000,
        b'{"a":' * 1_000_000,
        b"[" * 2_000_000 + b"]" * 2_000_000,
        b"[" * 2_000_000 + b"\\" + b"]" * 2_000_000,
        b'"' * 4_000_001,
        b'["' * 2_000_000,
        b"\\" * 4_000_001,
        b'"[' * 2_000_000,
        nested(60) * 30_000,
        b"[" + b"9" * 4_000_000 + b"]",
        b"[" + b"0," * 2_000_000,
        b"{" + b'"a":1,' * 600_000 + b'"a":1}',
    ],
    ids=lambda body: body[:6].decode(),
)
def test_four_megabytes_of_malice_are_refused_in_moments(body: bytes) -> None:
    started = time.perf_counter()
    with pytest.raises((MalformedJson, BodyTooLarge, ValidationFailed)):
        parse_json(body)

    assert time.perf_counter() - started < 1.5


def test_more_keys_or_objects_or_values_than_allowed_are_refused() -> None:
    assert parse_json(b'{"a":1,"b":":::"}', max_keys=2)
    with pytest.raises(BodyTooLarge, match="more than 2 fields"):
        parse_json(b'{"a":1,"b":{"c":1}}', max_keys=2)
    with pytest.raises(BodyTooLarge, match="more than 2 objects"):
        parse_json(b"[[],{}]", max_containers=2)
    assert parse_json(b'[1,",,,\\",",{"a":2}]', max_values=2)
    with pytest.raises(BodyTooLarge, match="more than 2 values"):
        parse_json(b'[1,2,{"a":3,"b":4}]', max_values=2)


def test_millions_of_small_values_are_refused_before_they_cost_memory() -> None:
    with pytest.raises(BodyTooLarge, match="2,000,000 values"):
        parse_json(b"[" + b"1," * 2_000_001 + b"1]")


def test_a_timeline_of_20_000_clips_stays_far_below_every_limit() -> None:
    state = make_timeline(20_000)

    body = orjson.dumps(state)

    assert parse_json(body, max_containers=MAX_CONTAINERS // 3, max_keys=MAX_KEYS // 6, max_values=MAX_VALUES // 6)


@pytest.mark.parametrize("digits", ["9223372036854775808", "-9223372036854775809", "18446744073709551616", "1" + "0" * 300])
def test_an_integer_beyond_64_bits_is_refused_with_its_place(digits: str) -> None:
    body = f'{{"timeline_state": {{"layers": [1, {{"x": {digits}}}]}}, "s": "{digits}"}}'.encode()

    with pytest.raises(ValidationFailed) as caught:
        parse_json(body)

    assert isinstance(caught.value.detail, list)
    assert [problem["loc"] for problem in caught.value.detail] == [["body", "timeline_state", "layers", 1, "x"]]


@pytest.mark.parametrize("around", ["%s", " %s ", "[%s]", "[1,%s]", '{"a":%s}', "[\n%s\r\n]", "[\t%s\t,1]", "[[%s ]]"])
@pytest.mark.parametrize("digits", ["9223372036854775808", "-99999999999999999999"])
def test_an_integer_beyond_64_bits_is_found_wherever_it_may_stand(around: str, digits: str) -> None:
    with pytest.raises(ValidationFailed):
        parse_json((around % digits).encode())


@pytest.mark.parametrize(
    "value", [2**63 - 1, -(2**63), 1e19, 1.8446744073709552e19, 0.1234567890123456789, "9223372036854775808", "1" * 50]
)
def test_the_largest_integers_and_long_fractions_and_digits_in_texts_are_fine(value: Any) -> None:
    assert repr(parse_json(json.dumps({"a": value}).encode())) == repr({"a": value})


def test_only_the_first_wrong_integers_are_listed() -> None:
    with pytest.raises(ValidationFailed) as caught:
        parse_json(orjson.dumps([2**63] * 1000))

    assert len(caught.value.detail) == 20
