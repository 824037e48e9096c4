"""Pack the states of a timeline's history into few bytes, and get them back exactly.

A revision is stored *full* (a keyframe) or as a *delta* against a keyframe: zstd (RFC 8878) with the keyframe's JSON as a
raw-content dictionary, so whatever did not change costs next to nothing. All deltas point at a keyframe, never at one
another: reading any revision takes at most two decompressions.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Literal

import orjson
import zstandard

from projectapi.errors import HistoryDamaged

KEYFRAME_EVERY = 32
"""Length of a run of revisions that share one keyframe, the keyframe included."""

# Levels above 1 were slower and not smaller on timelines: ids and times do not compress, and all the rest repeats.
_FULL_LEVEL = 1

_WINDOW_LOG_MIN = 10
_WINDOW_LOG_MAX = 27
_HASH_LOG_MIN = 12
_HASH_LOG_MAX = 22
_MIN_MATCH = 7


@dataclass(frozen=True, slots=True)
class EncodedState:
    """A packed state: `raw_bytes` and `sha256` (64 hexadecimal digits) are of the JSON that it was made from."""

    kind: Literal["full", "delta"]
    data: bytes
    raw_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Keyframe:
    """The keyframe that the next revision may build on: its JSON, and how many deltas point at it already."""

    state: bytes
    deltas: int


def dump_state(state: Any) -> bytes:
    """Return the JSON of a state: compact, keys in their order, whole numbers and floats told apart."""
    return orjson.dumps(state)


def load_state(state: bytes) -> Any:
    """Return the state that `dump_state` wrote. Raises HistoryDamaged when it is no JSON."""
    try:
        return orjson.loads(state)
    except orjson.JSONDecodeError as error:
        raise HistoryDamaged from error


def encode(state: bytes, base: bytes | None = None, *, sha256: str | None = None) -> EncodedState:
    """Pack a state's JSON, in full or, when a base is given, as what differs from the base; `sha256` if it is known already."""
    compressor = _full_compressor() if base is None else _delta_compressor(base, len(state))
    return EncodedState(
        kind="full" if base is None else "delta",
        data=compressor.compress(state),
        raw_bytes=len(state),
        sha256=sha256 or hashlib.sha256(state).hexdigest(),
    )


def encode_next(state: bytes, keyframe: Keyframe | None, *, sha256: str | None = None) -> EncodedState:
    """Pack the next revision as a delta of the keyframe or, when that does not pay, as a new keyframe.

    A new keyframe is due without one, every `KEYFRAME_EVERY` revisions, and when the delta has more than half of the bytes
    of the full form: from there on deltas against the old keyframe would only grow.
    """
    if keyframe is None or keyframe.deltas >= KEYFRAME_EVERY - 1:
        return encode(state, sha256=sha256)
    delta = encode(state, keyframe.state, sha256=sha256)
    # No full form of a timeline gets near one part in 64 of its JSON: do not pack the state twice to learn that.
    if len(delta.data) * 128 <= len(state):
        return delta
    full = encode(state, sha256=delta.sha256)
    return delta if len(delta.data) * 2 <= len(full.data) else full


def decode(encoded: EncodedState, base: bytes | None = None) -> bytes:
    """Return the JSON that was packed; `base` is the keyframe's JSON where `kind` is "delta".

    Raises HistoryDamaged when the bytes are damaged, were cut, or the base is missing or another one.
    """
    state = _decompress(encoded, base)
    if hashlib.sha256(state).hexdigest() != encoded.sha256:
        raise HistoryDamaged
    return state


def _decompress(encoded: EncodedState, base: bytes | None) -> bytes:
    if encoded.kind == "delta" and base is None:
        raise HistoryDamaged
    dictionary = _raw_dictionary(base) if encoded.kind == "delta" and base else None
    try:
        # The size that the frame claims is allocated at once, so a damaged header must not be believed.
        if zstandard.get_frame_parameters(encoded.data).content_size != encoded.raw_bytes:
            raise HistoryDamaged
        return zstandard.ZstdDecompressor(dict_data=dictionary).decompress(encoded.data)
    except zstandard.ZstdError as error:
        raise HistoryDamaged from error


def _full_compressor() -> zstandard.ZstdCompressor:
    return zstandard.ZstdCompressor(level=_FULL_LEVEL)


def _delta_compressor(base: bytes, state_bytes: int) -> zstandard.ZstdCompressor:
    if not base:
        return _full_compressor()
    window_log = _window_log(len(base) + state_bytes)
    # The levels' own tables are made for small dictionaries: at 20,000 clips level 3 finds almost nothing of an 8 MB base.
    # A hash table that grows with the window finds all of it, and the fast strategy is enough for texts that nearly agree.
    parameters = zstandard.ZstdCompressionParameters(
        window_log=window_log,
        hash_log=min(max(window_log - 3, _HASH_LOG_MIN), _HASH_LOG_MAX),
        chain_log=_HASH_LOG_MIN,
        search_log=1,
        min_match=_MIN_MATCH,
        strategy=zstandard.STRATEGY_FAST,
    )
    return zstandard.ZstdCompressor(dict_data=_raw_dictionary(base), compression_params=parameters)


def _window_log(reach: int) -> int:
    """Return the logarithm of the smallest window in which the end of the state still sees the start of the base."""
    return min(max((reach - 1).bit_length(), _WINDOW_LOG_MIN), _WINDOW_LOG_MAX)


def _raw_dictionary(base: bytes) -> zstandard.ZstdCompressionDict:
    return zstandard.ZstdCompressionDict(base, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
