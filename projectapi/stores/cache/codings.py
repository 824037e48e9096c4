"""Content codings (RFC 9110, section 8.4.1) of cached bodies: made once, sent to everybody who accepts them."""

from __future__ import annotations

import zlib

import brotli  # type: ignore[import-untyped]
import zstandard

from projectapi.protocols import CODINGS

__all__ = ["CODINGS", "IDENTITY", "compress", "decompress_zstd"]

IDENTITY = "identity"

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
