"""Writes to projects, announced to the cache before they are made and settled after it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from cachetools import LRUCache

from projectapi.protocols import ProjectStore
from projectapi.stores.cache import CacheEngine, Write

Announce = Callable[[str], AbstractContextManager[object]]
"""Surrounds a write to the project of this id, so that the cache learns of it."""

AnnounceCreation = Callable[[str, str], AbstractContextManager[object]]
"""Surrounds the write that makes the project of this id and this owner, so that the cache learns of it."""

_OWNERS_REMEMBERED = 100_000


def unannounced(*_: str) -> AbstractContextManager[object]:
    """Surround a write with nothing: there is no cache."""
    return nullcontext()


class Owners:
    """Whose project it is, remembered: it never changes, and a write must know whose lists it makes outdated."""

    def __init__(self, projects: ProjectStore) -> None:
        self._projects = projects
        self._known: LRUCache[str, str] = LRUCache(_OWNERS_REMEMBERED)
        self._lock = threading.Lock()

    def of(self, project_id: str) -> str | None:
        """Return the owner of a project, in the trash or not; None when there is no such project."""
        with self._lock:
            known = self._known.get(project_id)
        if known is None and (known := self._projects.find_owner(project_id)) is not None:
            self.remember(project_id, known)
        return known

    def remember(self, project_id: str, owner: str) -> None:
        """Take note of whose project it is."""
        with self._lock:
            self._known[project_id] = owner


class Announced:
    """Surrounds the writes to projects with what keeps the cache honest."""

    def __init__(self, engine: CacheEngine, owners: Owners) -> None:
        self._engine = engine
        self._owners = owners

    def creation(self, project_id: str, owner: str) -> AbstractContextManager[Write]:
        """Surround the write that makes a project of this owner."""
        return self._engine.writing(project_id, owner)

    def write(self, project_id: str) -> AbstractContextManager[Write]:
        """Surround one write to a project. Raises what `Writer.writing` says."""
        return self._engine.writing(project_id, self._owners.of(project_id))
