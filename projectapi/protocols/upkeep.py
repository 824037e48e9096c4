"""What people who run projectapi ask of it: clearing up, the trash, and the shape of the database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from projectapi.timeline.retention import RetentionPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryReport:
    """What a sweep of the history did, or would do.

    `forgotten` revisions left the history, `deleted` ones left the database. `orphans` are revisions without a project that
    were deleted; `new_orphans` were only marked and go an hour later if they are still orphans then.
    """

    projects: int = 0
    forgotten: int = 0
    deleted: int = 0
    orphans: int = 0
    new_orphans: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Trashed:
    """A project in the trash; `video_bytes` is the size of its original video."""

    id: str
    name: str
    owner: str
    deleted_at: datetime
    video_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PurgeReport:
    """What a purge removed, or would remove; `failed` names projects whose files could not be deleted yet."""

    projects: int = 0
    revisions: int = 0
    videos: int = 0
    failed: tuple[str, ...] = ()


class Housekeeping(Protocol):
    """Removes what nobody needs any more.

    Every method may run at any time, also twice at once, and may be killed anywhere: run again, it does what is left. Run a
    second time it finds nothing to do. Every method may raise DatabaseUnavailable, after which a part was done.
    """

    def sweep_history(self, policy: RetentionPolicy, now: datetime, *, dry_run: bool = False) -> HistoryReport:
        """Take from history what the policy lets go, and delete revisions that nothing has pointed to for an hour."""

    def sweep_files(self, *, dry_run: bool = False) -> Sequence[str]:
        """Delete media files, older than a day, that no project names, and uploads that expired; return their names.

        Raises ForeignDisk.
        """

    def list_trash(self, owner: str | None = None) -> Iterator[Trashed]:
        """Return the projects in the trash, of one owner or of all, those deleted longest ago first."""

    def purge(self, deleted_until: datetime, *, dry_run: bool = False) -> PurgeReport:
        """Remove for ever, with history and files, the projects that were moved to the trash at `deleted_until` or before.

        Raises ForeignDisk.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationReport:
    """How many documents of a collection were, or would be, brought to a schema version."""

    collection: str
    version: int
    documents: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionStatus:
    """What a collection looks like: its count is an estimate, its schema versions are None while it is empty or has none.

    `has_validator` says whether MongoDB checks what is written as this version of projectapi wants it, if it wants that at all.
    """

    name: str
    documents: int
    lowest_version: int | None
    highest_version: int | None
    to_migrate: int
    has_validator: bool
    missing_indexes: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseStatus:
    """What shape the database is in; `database_version` is None when it was never set up.

    `restoring` names the backup whose restoring was begun and not finished.
    """

    code_version: int
    database_version: int | None
    collections: Sequence[CollectionStatus]
    restoring: str | None = None

    @property
    def is_too_new(self) -> bool:
        """Whether a newer version of projectapi has worked on this database."""
        found = [self.database_version, *(collection.highest_version for collection in self.collections)]
        return any(version is not None and version > self.code_version for version in found)

    @property
    def is_ready(self) -> bool:
        """Whether nothing is left to be done for this version of projectapi."""
        if self.is_too_new or self.database_version is None or self.restoring:
            return False
        return not any(c.to_migrate or c.missing_indexes or not c.has_validator for c in self.collections)


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaVersions:
    """The newest schema version that the code knows, and the one of the database: None when it was never set up.

    `restoring` names the backup whose restoring was begun and not finished.
    """

    code: int
    database: int | None
    restoring: str | None = None


class DatabaseSchema(Protocol):
    """Brings the database into the shape that this version of projectapi works with.

    Every method may run at any time, also twice at once, and may be killed anywhere. Every method may raise
    DatabaseUnavailable; those that write raise DatabaseTooNew, and change nothing, when the database is newer than the code.
    """

    def set_up(self) -> Sequence[str]:
        """Create what is missing, bring validators and indexes up to date, and return a line about each collection."""

    def migrate(self, *, dry_run: bool = False) -> Sequence[MigrationReport]:
        """Bring all documents to the newest shape."""

    def versions(self) -> SchemaVersions:
        """Return the schema versions of code and database, by one small read."""

    def status(self) -> DatabaseStatus:
        """Return what shape the database is in."""
