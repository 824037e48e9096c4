"""What backups ask of the database, and what people who run projectapi ask of backups."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from projectapi.project import JsonObject

Progress = Callable[[int, int], None]
"""Told from time to time how much of how much is done; the units are the caller's own."""


class BackupProblem(Exception):
    """A backup cannot be made, read or restored; the text is for the people who run projectapi."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A media file that a record names: where it lies below the media folder; the checksum is known of videos only."""

    name: str
    sha256: str | None


@dataclass(frozen=True, slots=True)
class RawProject:
    """A project's document as MongoDB has it (BSON), with its id and the files that it names."""

    id: str
    document: bytes
    files: Sequence[StoredFile]


class ProjectBatch(Protocol):
    """Some projects, small enough together to be held in memory, and their history."""

    def revisions(self) -> Iterator[bytes]:
        """Return the documents of the projects' revisions, to be read to the end before `projects` is asked for."""

    def projects(self) -> Sequence[RawProject]:
        """Return the projects whose history was there; the others come again in a later batch."""

    def damaged(self) -> Sequence[str]:
        """Return the ids of projects among them whose history was looked for again and again, and is not whole."""

    def put_off(self, project_id: str) -> None:
        """Have a project come again in a later batch, because a file that it named was not there; it may name another now."""

    @property
    def is_last_chance(self) -> bool:
        """Whether what is still missing now is missing for good."""


class BackupSource(Protocol):
    """Reads a database out. Every method may raise DatabaseUnavailable."""

    def refuse_unfinished(self) -> None:
        """Raise BackupProblem for a database that a restore has not finished filling."""

    def schema_version(self) -> int | None:
        """Return the schema version of the database, None when it was never set up."""

    def count_projects(self) -> int:
        """Return about how many projects there are."""

    def collections(self) -> Mapping[str, JsonObject]:
        """Return the collections to be kept, each with its `options` and `indexes` as extended JSON."""

    def documents(self, collection: str) -> Iterator[bytes]:
        """Return all documents of a collection that is neither that of the projects nor that of their history."""

    def batches(self) -> Iterator[ProjectBatch]:
        """Return all projects with their history, but for those that a purge has begun to remove."""


class BackupTarget(Protocol):
    """Fills a database. Every method may raise DatabaseUnavailable; what was begun is begun anew the next time."""

    def has_documents(self, collections: Collection[str]) -> bool:
        """Tell whether anything is in these collections, or in those of projectapi."""

    def interrupted(self) -> str | None:
        """Return the name of the archive whose restoring was begun here and not finished, None when there is none."""

    def begin(self, archive: str, collections: Mapping[str, JsonObject]) -> None:
        """Note that a restore is under way, and make these collections, empty, with their options and indexes."""

    def put(self, collection: str, documents: Iterable[bytes]) -> None:
        """Store documents, in place of what has the same `_id`."""

    def finish(self) -> Sequence[str]:
        """Bring validators and indexes up to date, have caches forget, take the note away; return a line on each step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupSummary:
    """What an archive holds; `bytes` is its size. `damaged` and `lost_files` could not be kept whole: they were not whole.

    `problem` says, in the place of everything else, why an archive cannot be read.
    """

    path: Path
    bytes: int
    database: str = ""
    created_at: datetime | None = None
    schema_version: int | None = None
    projects: int = 0
    revisions: int = 0
    files: int = 0
    damaged: Sequence[str] = ()
    lost_files: Sequence[str] = ()
    problem: str | None = None

    @property
    def is_whole(self) -> bool:
        """Whether everything that records name is in the archive (of the videos only where they were asked for)."""
        return not (self.problem or self.damaged or self.lost_files)


class Backups(Protocol):
    """Makes backups, looks after them and brings them back. Every method may raise BackupProblem."""

    def create(self, folder: Path | None, *, with_videos: bool, keep: int | None, progress: Progress) -> BackupSummary:
        """Write an archive into the folder and then, if `keep` says so, delete all but the newest ones of this database.

        When something was missing, the newest archive in which nothing is stays as well: it may be the last that has it.
        `progress` counts projects. Raises DatabaseUnavailable.
        """

    def list(self, folder: Path | None) -> Sequence[BackupSummary]:
        """Return the archives in the folder, the newest first."""

    def find(self, archive: str) -> Path:
        """Return the path of an archive that is named by its path or by its name in the folder of backups."""

    def verify(self, archive: Path, progress: Progress) -> BackupSummary:
        """Check every byte and every reference; works without a database. `progress` counts bytes."""

    def restore(
        self, archive: Path, database: str | None, *, force: bool, accept_disk: bool, progress: Progress
    ) -> Sequence[str]:
        """Bring everything back into the database of this name (default: the application's) and the media folder.

        Verifies first. Refuses a database with something in it unless `force` is given or an earlier restore was cut off
        there, and videos for a disk that belongs to another database unless `accept_disk` makes it this one's. `progress`
        counts bytes. Returns lines for people. Raises DatabaseUnavailable, and Unavailable when the disk cannot be read.
        """
