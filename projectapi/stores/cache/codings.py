"""Content codings (RFC 9110, section 8.4.1) of cached bodies: made once, sent to everybody who accepts them."""

from __future__ import annotations

import zlib
from functools import lru_cache

import brotli  # type: ignore[import-untyped]
import zstandard

IDENTITY = "identity"
CODINGS = ("zstd", "br", "gzip")
"""The codings that can be sent, the preferred one first: at these levels zstd is both the fastest and the smallest."""

_WORTH_IT_FROM_BYTES = 1024
_GAIN = 0.9


def compress(body: bytes, coding: str) -> bytes | None:
    """Return `body` in `coding`, or None when it is too short or does not shrink by a tenth."""
    if len(body) < _WORTH_IT_FROM_BYTES:
        return None
    packed = _compressed(body, coding)
    return packed if len(packed) <= len(body) * _GAIN else None


def _compressed(body: bytes, coding: str) -> bytes:
    if coding == "zstd":
        return zstandard.ZstdCompressor(level=1).compress(body)
    if coding == "br":
        packed: bytes = brotli.compress(body, quality=1)
        return packed
    if coding == "gzip":
        # 31: the gzip format with the largest window.
        gzip = zlib.compressobj(level=1, wbits=31)
        return gzip.compress(body) + gzip.flush()
    raise ValueError(f"unknown content coding {coding!r}")


def decompress_zstd(packed: bytes, length: int) -> bytes:
    """Return the `length` bytes that were packed with zstd."""
    return zstandard.ZstdDecompressor().decompress(packed, max_output_size=length)


@lru_cache(maxsize=512)
def preferred_codings(accept_encoding: str) -> tuple[str, ...]:
    """Return those of `CODINGS` that an Accept-Encoding header allows (RFC 9110, section 12.5.3), the best one first."""
    weights: dict[str, float] = {}
    for item in accept_encoding.lower().split(","):
        name, _, parameters = item.partition(";")
        weights[name.strip()] = _weight(parameters)
    anything = weights.get("*", 0.0)
    usable = [coding for coding in CODINGS if weights.get(coding, anything) > 0]
    return tuple(sorted(usable, key=lambda coding: -weights.get(coding, anything)))


def _weight(parameters: str) -> float:
    name, _, value = parameters.partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0
