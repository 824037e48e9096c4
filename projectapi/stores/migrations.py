"""How documents of older shapes become documents of today's.

Every change of shape is a `Migration` with the next number; `SCHEMA_VERSION` is the number of the last one. A document says
in `schemaVersion` which shape it has. It is upgraded when it is read, and for good by ``flask db migrate``.

What `upgrade` is given may be a projection, without most of its fields, and may already have fields of the new shape, written
since by a newer program: it changes what is there, leaves alone what is new already, and so can be done twice. It must not
change the document that it is given. The validator has to allow both shapes until nobody has the old one any more, so a new
field enters it as an optional one first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from projectapi.errors import DatabaseTooNew
from projectapi.project import SCHEMA_VERSION

Document = dict[str, Any]

_PROJECTS, _REVISIONS = "projects", "timeline_states"
MIGRATED = (_PROJECTS, _REVISIONS)
"""The collections whose documents have a schema version."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One change of shape: it makes documents of `collection` ones of schema version `version`."""

    version: int
    name: str
    upgrade: Callable[[Document], Document]
    collection: str


class Migrations:
    """All changes of shape so far, numbered 2, 3, 4, … since version 1 is the first shape."""

    def __init__(self, migrations: Sequence[Migration] = ()) -> None:
        if [migration.version for migration in migrations] != list(range(2, len(migrations) + 2)):
            raise ValueError("migrations are numbered 2, 3, 4, ... without gaps")
        if unknown := {migration.collection for migration in migrations} - set(MIGRATED):
            raise ValueError(f"no collection for migrations: {sorted(unknown)}")
        self.latest = len(migrations) + 1
        self._chains = {name: [m for m in migrations if m.collection == name] for name in MIGRATED}

    def target(self, collection: str) -> int:
        """Return the lowest schema version that needs no upgrade any more in this collection."""
        chain = self._chains[collection]
        return chain[-1].version if chain else 1

    def upgrade(self, collection: str, document: Document) -> Document:
        """Return the document in today's shape: itself if it has that. Raises DatabaseTooNew."""
        version = document.get("schemaVersion", self.latest)
        if version > self.latest:
            raise DatabaseTooNew.found(version, self.latest)
        if version >= self.target(collection):
            return document
        for migration in self._chains[collection]:
            if migration.version > version:
                document = migration.upgrade(document)
        return {**document, "schemaVersion": self.target(collection)}


MIGRATIONS = Migrations()
if MIGRATIONS.latest != SCHEMA_VERSION:
    raise RuntimeError("SCHEMA_VERSION is not the number of the last migration")


def upgrade_project(document: Document) -> Document:
    """Return a project's document, or a projection with its `schemaVersion`, in today's shape. Raises DatabaseTooNew."""
    return MIGRATIONS.upgrade(_PROJECTS, document)


def upgrade_revision(document: Document) -> Document:
    """Return a revision's document, or a projection with its `schemaVersion`, in today's shape. Raises DatabaseTooNew."""
    return MIGRATIONS.upgrade(_REVISIONS, document)
