"""The numbers of the cache, with the values that suit everybody."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from projectapi.stores.cache.keys import LIST

PROJECT = "project"
TIMELINE = "timeline"
HISTORY = "history"


def _time_to_live() -> dict[str, float]:
    return {PROJECT: 300.0, TIMELINE: 300.0, HISTORY: 300.0, LIST: 300.0}


@dataclass(frozen=True, kw_only=True)
class CacheSettings:
    """How long, how much and how patiently; all times in seconds.

    `ttl_seconds` names every kind of answer: all but ``list`` are answers about one project, and every write to a project makes
    all of these outdated. `trust_seconds` is L of the protocol: how long a worker relies on the control document that it read.
    `recall_seconds` is how long a read waits for a database that does not answer before it falls back to a copy.
    `writer_seconds` must exceed the longest write. `representation` changes when a release changes what the answers look like.
    """

    ttl_seconds: Mapping[str, float] = field(default_factory=_time_to_live)
    ttl_jitter: float = 0.1
    absent_seconds: float = 30.0
    copy_seconds: float = 24 * 3600.0
    recall_seconds: float = 1.5
    generation_seconds: float = 3600.0
    lease_seconds: float = 5.0
    writer_seconds: float = 60.0
    trust_seconds: float = 1.0
    settle_seconds: float = 5.0
    fill_wait_seconds: float = 1.0
    poll_seconds: float = 0.01
    early_beta: float = 1.0
    local_bytes: int = 64 << 20
    codings: tuple[str, ...] = ("zstd", "br")
    representation: str = "1"

    @property
    def project_kinds(self) -> tuple[str, ...]:
        """Return the kinds that are answers about one project."""
        return tuple(sorted(kind for kind in self.ttl_seconds if kind != LIST))

    @property
    def layout(self) -> str:
        """Return a name for the shape of what lies in Redis: workers with different ones never read each other's entries."""
        shape = " ".join(("1", self.representation, *self.project_kinds))
        return hashlib.blake2b(shape.encode(), digest_size=4).hexdigest()
