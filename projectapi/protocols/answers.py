"""Finished answers: what a read comes back as."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple, Protocol

from projectapi.project import ListQuery, ProjectKey

CODINGS = ("zstd", "br", "gzip")
"""The content codings that answers can be sent in, the preferred one first: zstd is both the fastest and the smallest."""


class Answer(NamedTuple):
    """A finished answer to a read: the bytes of its JSON body and what goes into the headers.

    The bytes are in `body`, or `encoded` returns them in the first content coding of a list that makes them smaller, with that
    coding's name; neither is there when the client's entity tag is still the current one. `owner` is whose project it is about,
    where that is known. `source` says where the answer comes from (the header X-Cache); `age` is in seconds and given only with
    STALE.
    """

    etag: str | None = None
    body: bytes | None = None
    encoded: Callable[[Sequence[str]], tuple[bytes, str | None]] | None = None
    owner: str | None = None
    source: str = "BYPASS"
    age: int | None = None
    next: str | None = None


class Answers(Protocol):
    """Reads that come back as finished answers; they raise what the stores' reads raise."""

    def project(self, key: ProjectKey, etags: Collection[str] = ()) -> Answer:
        """Return the answer of GET /projects/{id}; without a body if one of the client's `etags` is the current one."""

    def timeline(self, key: ProjectKey, etags: Collection[str] = ()) -> Answer:
        """Return the answer of GET /timeline/{id}; without a body if one of the client's `etags` is the current one."""

    def history(
        self, key: ProjectKey, *, limit: int, skip: int, with_state: bool, etags: Collection[str] = ()
    ) -> Answer:
        """Return the answer of GET /timeline/{id}/history."""

    def projects(self, query: ListQuery, etags: Collection[str] = ()) -> Answer:
        """Return the answer of GET /projects/; `next` is the cursor of the following page."""
