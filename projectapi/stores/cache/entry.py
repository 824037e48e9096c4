"""What is cached: a finished answer, and the exact bytes by which it lies in Redis.

A stored answer begins with a head of fixed length, so that a worker that holds the body asks Redis for the head alone. The
parts follow in the order of `_PARTS`; the body itself is left out when its zstd form is there to restore it from.
"""

from __future__ import annotations

import hashlib
import secrets
import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Self

from projectapi.stores.cache.codings import CODINGS, IDENTITY, compress, decompress_zstd

ETAG_MAX_BYTES = 81
_NOTE = "note"
_PARTS = (_NOTE, *CODINGS, IDENTITY)
_NOBODY = bytes(16)
_NO_GENERATION = bytes(16)

# state, fill, generation, copies, absent, version, stored at, expires at, load time, length, checksum, sizes, owner, tag
_HEAD = struct.Struct(f">c16s16sQ?QddfII5I16s{ETAG_MAX_BYTES + 1}p")
HEAD_BYTES = _HEAD.size


class MalformedEntry(Exception):
    """The bytes in Redis are not an entry of ours."""


def owner_mark(owner: str | None) -> bytes:
    """Return 16 bytes that stand for an owner in the head of an entry."""
    return _NOBODY if owner is None else hashlib.blake2b(owner.encode(), digest_size=16).digest()


class Head(NamedTuple):
    """The head of a stored answer; times in seconds since 1970, `load_seconds` is how long the database took."""

    state: bytes
    fill: bytes
    generation: bytes
    copies: int
    absent: bool
    version: int
    stored_at: float
    expires_at: float
    load_seconds: float
    length: int
    checksum: int
    note_size: int
    zstd_size: int
    br_size: int
    gzip_size: int
    identity_size: int
    owner: bytes
    etag: bytes

    @classmethod
    def parse(cls, stored: bytes) -> Self:
        """Read the head at the beginning of `stored`. Raises MalformedEntry."""
        try:
            return cls._make(_HEAD.unpack_from(stored))
        except struct.error as error:
            raise MalformedEntry from error

    @property
    def sizes(self) -> tuple[int, ...]:
        """Return the sizes of the parts in bytes, in the order in which they follow the head."""
        return self.note_size, self.zstd_size, self.br_size, self.gzip_size, self.identity_size


@dataclass(slots=True, eq=False, kw_only=True)
class Entry:
    """A finished answer: its body in every content coding that is known of it, and what a client may ask about it.

    `version` is the version of the project in it; `etag` the entity tag as sent (≤ 81 bytes); `note` short text that travels
    with the body (a list's next cursor); `absent` says that there is no such thing. `stored_at` is seconds since 1970, 0 when
    it comes straight from the database. `on_growth` is told when a form was added that whoever keeps the entry has not counted.
    """

    version: int
    etag: str
    length: int
    checksum: int
    owner: bytes = _NOBODY
    absent: bool = False
    note: str = ""
    stored_at: float = 0.0
    forms: dict[str, bytes] = field(default_factory=dict)
    on_growth: Callable[[Entry], None] | None = None
    _known: tuple[bytes, Head] | None = field(default=None, init=False, repr=False)

    @classmethod
    def of(cls, body: bytes, *, version: int, etag: str, owner: str | None = None, note: str = "") -> Self:
        """Make the entry of an answer that was read from the database."""
        if len(etag.encode()) > ETAG_MAX_BYTES:
            raise ValueError(f"an entity tag longer than {ETAG_MAX_BYTES} bytes cannot be cached: {etag!r}")
        checksum = zlib.crc32(note.encode(), zlib.crc32(body))
        forms = {IDENTITY: body}
        mark = owner_mark(owner)
        return cls(version=version, etag=etag, length=len(body), checksum=checksum, owner=mark, note=note, forms=forms)

    @classmethod
    def missing(cls) -> Self:
        """Make the entry that says: there is no such thing."""
        return cls(version=0, etag="", length=0, checksum=0, absent=True, forms={IDENTITY: b""})

    @classmethod
    def from_head(cls, head: Head) -> Self:
        """Make an entry without its body, good for answering ``304 Not Modified``."""
        return cls(
            version=head.version,
            etag=head.etag.decode(),
            length=head.length,
            checksum=head.checksum,
            owner=head.owner,
            absent=head.absent,
            stored_at=head.stored_at,
        )

    @classmethod
    def parse(cls, stored: bytes) -> Self:
        """Read a whole stored answer. Raises MalformedEntry."""
        head = Head.parse(stored)
        if HEAD_BYTES + sum(head.sizes) != len(stored):
            raise MalformedEntry
        entry = cls.from_head(head)
        position = HEAD_BYTES
        for part, size in zip(_PARTS, head.sizes, strict=True):
            if part == _NOTE:
                entry.note = stored[position : position + size].decode()
            elif size or (part == IDENTITY and not entry.forms):
                entry.forms[part] = stored[position : position + size]
            position += size
        return entry

    @property
    def has_body(self) -> bool:
        """Tell whether the body is at hand: not so when only the head was asked for."""
        return bool(self.forms)

    @property
    def body(self) -> bytes:
        """Return the body as it is without any content coding."""
        body = self.forms.get(IDENTITY)
        if body is None:
            body = self.forms[IDENTITY] = decompress_zstd(self.forms["zstd"], self.length)
        return body

    @property
    def weight(self) -> int:
        """Return roughly how many bytes of memory the entry takes, with its plain body, there or still to be unpacked."""
        # A copy, because another thread may be adding a form.
        return self.length + sum(len(form) for coding, form in self.forms.copy().items() if coding != IDENTITY) + 1024

    def encoded(self, codings: Sequence[str]) -> tuple[bytes, str | None]:
        """Return the body in the first of `codings` that makes it smaller, and that coding's name; else as it is, and None.

        A coding that was not stored is made at first use and kept as long as this entry is.
        """
        for coding in codings:
            form = self.forms.get(coding)
            if form is None:
                form = self.forms[coding] = compress(self.body, coding) or b""
                if self.on_growth is not None:
                    self.on_growth(self)
            if form:
                return form, coding
        return self.body, None

    def belongs_to(self, owner: str) -> bool:
        """Tell whether the entry was made for something of this owner."""
        return self.owner == owner_mark(owner)

    def head_of(self, stored: bytes) -> Head | None:
        """Return the head of a stored answer if this entry's body is the one that it has, else None. Raises MalformedEntry."""
        known = self._known
        if known is not None and known[0] == stored:
            return known[1]
        head = Head.parse(stored)
        if not self._has_bytes_of(head):
            return None
        # Most answers are read many times before they change: their heads need not be taken apart each time.
        self._known = stored[:HEAD_BYTES], head
        return head

    def _has_bytes_of(self, head: Head) -> bool:
        return (self.checksum, self.version, self.length) == (head.checksum, head.version, head.length) and (
            self.etag.encode() == head.etag and self.absent == head.absent and self.owner == head.owner
        )


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a fill adds: its id, the generation and the set of copies that it belongs to, times in seconds since 1970."""

    fill: bytes
    generation: bytes
    copies: int
    stored_at: float
    expires_at: float
    load_seconds: float

    @classmethod
    def of_fill(
        cls, *, copies: int, now: float, seconds: float, load_seconds: float = 0.0, generation: bytes = b""
    ) -> Self:
        """Make the stamp of an answer that is stored now, for `seconds`; only a page of a list has a generation."""
        # A new id for every fill: an entry that went and came back must not pass for the one that was read before.
        fill = secrets.token_hex(8).encode()
        return cls(fill, generation or _NO_GENERATION, copies, now, now + seconds, load_seconds)


def pack(entry: Entry, stamp: Stamp, codings: Sequence[str]) -> bytes:
    """Return `entry` as it is stored, with its body in those of `codings` that gain."""
    parts = {_NOTE: entry.note.encode()}
    for coding in codings:
        parts[coding] = entry.encoded([coding])[0] if entry.encoded([coding])[1] else b""
    parts[IDENTITY] = b"" if parts.get("zstd") else entry.body
    head = _HEAD.pack(
        b"V",
        stamp.fill,
        stamp.generation,
        stamp.copies,
        entry.absent,
        entry.version,
        stamp.stored_at,
        stamp.expires_at,
        stamp.load_seconds,
        entry.length,
        entry.checksum,
        *(len(parts.get(part, b"")) for part in _PARTS),
        entry.owner,
        entry.etag.encode(),
    )
    return b"".join((head, *(parts.get(part, b"") for part in _PARTS)))
