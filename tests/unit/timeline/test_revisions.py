"""Packing the states of a history."""

from __future__ import annotations

import random
from dataclasses import replace

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from projectapi.errors import ProjectApiError
from projectapi.timeline.revisions import (
    KEYFRAME_EVERY,
    HistoryDamaged,
    Keyframe,
    decode,
    dump_state,
    encode,
    encode_next,
    load_state,
)
from tests.unit.timeline.samples import all_clips, json_values, make_timeline, with_moved_clips

STATE = dump_state(make_timeline(40))
MOVED = dump_state(with_moved_clips(make_timeline(40), 1))


@settings(max_examples=150, deadline=None)
@given(json_values(), st.none() | st.binary(max_size=200) | st.just(STATE))
def test_what_is_unpacked_is_what_was_packed_with_any_base_or_none(value: object, base: bytes | None) -> None:
    state = dump_state(value)

    assert decode(encode(state, base), base) == state


def test_key_order_and_the_kind_of_every_number_survive() -> None:
    state = {"zoom": 1, "duration": 1.0, "b": -0.0, "a": 2**63 - 1, "": {"y": 1e-7, "x": [True, 1, 1.0]}}

    back = load_state(decode(encode(dump_state(state))))

    assert repr(back) == repr(state)


@pytest.mark.parametrize("keyframe", [None, Keyframe(STATE, 1), Keyframe(b"{}", 1)])
def test_a_checksum_that_is_known_is_not_worked_out_again(keyframe: Keyframe | None, monkeypatch: pytest.MonkeyPatch) -> None:
    known = encode(MOVED).sha256
    monkeypatch.setattr("projectapi.timeline.revisions.hashlib.sha256", lambda _state: pytest.fail("worked out again"))

    assert encode_next(MOVED, keyframe, sha256=known).sha256 == known


@pytest.mark.parametrize("clips", [20, 200, 2_000, 20_000])
def test_moving_one_clip_adds_next_to_nothing_at_any_size(clips: int) -> None:
    # The trap is a window that does not reach back to the start of the base: the delta is then as large as the full form.
    state = make_timeline(clips)
    base = dump_state(state)
    moved = dump_state(with_moved_clips(state, 1))

    delta = encode(moved, base)

    assert decode(delta, base) == moved
    assert len(delta.data) < 100 + len(base) / 5_000


def test_a_thousand_saves_of_two_thousand_clips_stay_far_under_40_mb() -> None:
    chance = random.Random(3)
    state = make_timeline(2_000)
    keyframe: Keyframe | None = None
    stored = 0
    for _ in range(1_000):
        for clip in chance.sample(all_clips(state), chance.randint(1, 5)):
            clip["start_time"] = chance.uniform(0, 5_000)
            clip["duration"] = chance.uniform(0, 9)
        raw = dump_state(state)
        packed = encode_next(raw, keyframe)
        stored += len(packed.data)
        keyframe = (
            Keyframe(raw, 0) if packed.kind == "full" or keyframe is None else replace(keyframe, deltas=keyframe.deltas + 1)
        )

    assert len(raw) > 460_000
    assert stored < 8_000_000


def test_a_run_of_revisions_shares_one_keyframe_and_then_begins_anew() -> None:
    kinds = []
    keyframe: Keyframe | None = None
    for _ in range(2 * KEYFRAME_EVERY):
        packed = encode_next(MOVED, keyframe)
        kinds.append(packed.kind)
        deltas = 0 if packed.kind == "full" or keyframe is None else keyframe.deltas + 1
        keyframe = Keyframe(STATE, deltas)

    assert kinds == (["full"] + ["delta"] * (KEYFRAME_EVERY - 1)) * 2


def test_a_state_that_has_little_in_common_with_the_keyframe_becomes_one() -> None:
    another = dump_state(make_timeline(40, seed=99))

    assert encode_next(another, Keyframe(STATE, 1)).kind == "full"
    assert encode_next(another, Keyframe(b"{}", 1)).kind == "full"


@settings(max_examples=150, deadline=None)
@given(st.booleans(), st.data())
def test_a_damaged_byte_is_noticed_wherever_it_is(with_base: bool, data: st.DataObject) -> None:
    base = STATE if with_base else None
    packed = encode(MOVED, base)
    position = data.draw(st.integers(0, len(packed.data) - 1))
    damage = data.draw(st.integers(1, 255))
    flipped = bytearray(packed.data)
    flipped[position] ^= damage

    try:
        state = decode(replace(packed, data=bytes(flipped)), base)
    except HistoryDamaged:
        return

    # A few bits of a frame's header mean nothing; then the state is right all the same.
    assert state == MOVED


@pytest.mark.parametrize(
    ("packed", "base"),
    [
        (encode(MOVED, STATE), None),
        (encode(MOVED, STATE), MOVED),
        (encode(MOVED, STATE), b""),
        (replace(encode(MOVED), data=b""), None),
        (replace(encode(MOVED), data=encode(MOVED).data[:-5]), None),
        (replace(encode(MOVED), data=encode(STATE).data), None),
        (replace(encode(MOVED), sha256=encode(STATE).sha256), None),
        (replace(encode(MOVED), raw_bytes=10), None),
        (replace(encode(MOVED), data=b"no zstd frame"), None),
    ],
    ids=["no-base", "other-base", "empty-base", "empty", "cut", "other-data", "other-hash", "other-length", "no-frame"],
)
def test_what_cannot_be_read_back_exactly_is_reported_as_damaged(packed: object, base: bytes | None) -> None:
    with pytest.raises(HistoryDamaged) as caught:
        decode(packed, base)  # type: ignore[arg-type]

    assert isinstance(caught.value, ProjectApiError)
    assert caught.value.code == "history_damaged"


def test_a_small_frame_that_claims_a_huge_state_is_refused_before_it_is_unpacked() -> None:
    bomb = encode(b"0" * 50_000_000)

    with pytest.raises(HistoryDamaged):
        decode(replace(bomb, raw_bytes=100))


def test_bytes_that_are_no_json_are_reported_as_damaged() -> None:
    with pytest.raises(HistoryDamaged):
        load_state(b"{")


def test_a_state_is_dumped_compactly() -> None:
    assert dump_state({"a": [1, 2.0, None]}) == b'{"a":[1,2.0,null]}' == orjson.dumps({"a": [1, 2.0, None]})
