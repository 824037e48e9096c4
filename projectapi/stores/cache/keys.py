"""Names: of what can be cached, and of the Redis keys where it lies.

Everything of one project shares the hash tag of its id, everything of an owner's lists another one, so that a script never
leaves its slot of a Redis Cluster.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from typing import NamedTuple, Self

PREFIX = "pv"
LIST = "list"
_PLAIN = re.compile(r"[A-Za-z0-9_-]{1,64}")


def _tag(scope: str, name: str) -> str:
    """Return `name` as a hash tag; whatever could be mistaken for a part of a key, or is long, goes in as its digest."""
    if not _PLAIN.fullmatch(name):
        name = "~" + hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    return f"{{{scope}{name}}}"


class CacheKey(NamedTuple):
    """One thing that can be cached. `kind` names its policy; `owner` is the hash tag of the owner whose lists it belongs to."""

    kind: str
    name: str
    owner: str | None = None

    @classmethod
    def of_project(cls, kind: str, project_id: str) -> Self:
        """Name an answer about one project; `kind` is one of the engine's kinds."""
        return cls(kind, f"{_tag('', project_id)}:{kind}")

    @classmethod
    def of_list(cls, owner: str, query: str) -> Self:
        """Name one page of an owner's list; `query` is any text that tells this page from the owner's others."""
        tag = _tag("o:", owner)
        digest = hashlib.blake2b(query.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()
        return cls(LIST, f"{tag}:l:{digest}", tag)

    def entry(self, epoch: int) -> str:
        """Return the Redis key of the entry under `epoch`."""
        return f"{PREFIX}:{epoch}:{self.name}"

    def copy(self) -> str:
        """Return the Redis key of the copy that outlives the entry, and its epoch."""
        return f"{PREFIX}:copy:{self.name}"

    def generation(self, epoch: int) -> str:
        """Return the Redis key of the generation of the owner's lists."""
        return f"{PREFIX}:{epoch}:{self.owner}:g"


class Slot(NamedTuple):
    """What one write makes outdated in one slot of a cluster: the keys of the entries, and those of their copies."""

    entries: list[str]
    copies: list[str]


def slots_of_write(epoch: int, kinds: Iterable[str], project_id: str, owner: str | None) -> list[Slot]:
    """Return the slots that a write to a project of `owner` makes outdated (None: no list shows it)."""
    keys = [CacheKey.of_project(kind, project_id) for kind in kinds]
    slots = [Slot([key.entry(epoch) for key in keys], [key.copy() for key in keys])]
    if owner is not None:
        slots.append(Slot([CacheKey.of_list(owner, "").generation(epoch)], []))
    return slots
