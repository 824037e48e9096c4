"""How an answer is stored, compressed and recognised."""

from __future__ import annotations

import gzip

import brotli
import pytest
import zstandard

from projectapi.api.codings import preferred_codings
from projectapi.stores.cache import Entry
from projectapi.stores.cache.entry import ETAG_MAX_BYTES, HEAD_BYTES, Head, MalformedEntry, Stamp, pack

STAMP = Stamp(fill=b"f" * 16, generation=bytes(16), copies=7, stored_at=1000.5, expires_at=1300.5, load_seconds=0.25)
LONG = b'{"clips":[' + b",".join(b'{"id":"clip-%d","start":%d}' % (i, i * 7) for i in range(200)) + b"]}"
LARGEST_TAG = '"' + "9" * (ETAG_MAX_BYTES - 2) + '"'


@pytest.mark.parametrize("codings", [(), ("zstd",), ("br",), ("zstd", "br", "gzip")], ids=repr)
@pytest.mark.parametrize("body", [b"", b"{}", LONG], ids=["empty", "short", "long"])
def test_what_is_stored_comes_back(body: bytes, codings: tuple[str, ...]) -> None:
    entry = Entry.of(body, version=2**40, etag=LARGEST_TAG, owner="änna", note="cursor ✂")

    found = Entry.parse(pack(entry, STAMP, codings))

    assert (found.body, found.version, found.etag, found.note) == (body, 2**40, LARGEST_TAG, "cursor ✂")
    assert found.stored_at == 1000.5
    assert found.belongs_to("änna") and not found.belongs_to("")


def test_a_long_body_lies_in_redis_only_compressed() -> None:
    stored = pack(Entry.of(LONG, version=1, etag='"1"'), STAMP, ("zstd",))

    assert len(stored) < HEAD_BYTES + len(LONG) / 2


@pytest.mark.parametrize(
    ("coding", "restore"),
    [("zstd", zstandard.ZstdDecompressor().decompress), ("br", brotli.decompress), ("gzip", gzip.decompress)],
)
def test_every_coding_is_served_whether_it_was_stored_or_not(coding: str, restore: object) -> None:
    entry = Entry.parse(pack(Entry.of(LONG, version=1, etag='"1"'), STAMP, ("zstd", "br")))

    body, name = entry.encoded([coding])

    assert name == coding and callable(restore) and restore(body) == LONG
    assert entry.encoded([coding])[0] is body, "it must not be compressed again for the next client"


def test_a_body_that_does_not_gain_is_sent_as_it_is() -> None:
    assert Entry.of(b"{}", version=1, etag='"1"').encoded(["zstd", "br", "gzip"]) == (b"{}", None)


def test_an_absent_answer_keeps_being_absent() -> None:
    found = Entry.parse(pack(Entry.missing(), STAMP, ("zstd",)))

    assert found.absent and found.body == b""


def test_held_bytes_are_recognised_by_version_tag_and_checksum() -> None:
    held = Entry.of(b"one", version=1, etag='"1"')

    def stored(body: bytes, version: int, etag: str) -> bytes:
        return pack(Entry.of(body, version=version, etag=etag), STAMP, ())[:HEAD_BYTES]

    for _ in range(2):
        assert held.head_of(stored(b"one", 1, '"1"')) == Head.parse(stored(b"one", 1, '"1"'))
        assert held.head_of(stored(b"two", 1, '"1"')) is None
        assert held.head_of(stored(b"one", 2, '"1"')) is None
        assert held.head_of(stored(b"one", 1, '"1b"')) is None


@pytest.mark.parametrize("stored", [b"", b"V", b"V" * HEAD_BYTES, pack(Entry.of(LONG, version=1, etag=""), STAMP, ())[:-1]])
def test_what_is_not_an_entry_is_refused(stored: bytes) -> None:
    with pytest.raises(MalformedEntry):
        Entry.parse(stored)


def test_an_entity_tag_that_does_not_fit_is_refused_before_it_is_cached() -> None:
    with pytest.raises(ValueError, match="entity tag"):
        Entry.of(b"", version=1, etag=LARGEST_TAG + "9")


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", ()),
        ("identity", ()),
        ("gzip", ("gzip",)),
        ("gzip, deflate, br, zstd", ("zstd", "br", "gzip")),
        ("gzip;q=1.0, br;q=0.5", ("gzip", "br")),
        ("*", ("zstd", "br", "gzip")),
        ("*;q=0.1, zstd;q=0, GZIP", ("gzip", "br")),
        ("br;q=0", ()),
        ("br;q=nonsense, gzip", ("gzip",)),
    ],
)
def test_the_client_chooses_the_coding_and_we_break_ties(header: str, expected: tuple[str, ...]) -> None:
    assert preferred_codings(header) == expected
