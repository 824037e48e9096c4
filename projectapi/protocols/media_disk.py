"""Whether the disk still is the one that the videos were stored on, and whether each video is still on it.

A disk belongs to one database, which alone may delete files on it: what it does not name may be another's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol


class DiskState(StrEnum):
    """How the media folder compares with the one that the database knows.

    It is new while neither bears a mark; a mark that the database does not know is that of another disk, or database.
    """

    NEW = "new"
    KNOWN = "known"
    WIPED = "wiped"
    ANOTHER = "another"


class ForeignDisk(Exception):
    """Files would have to be deleted on a disk that belongs to another database; the text is for who runs projectapi."""


class Mark(NamedTuple):
    """What stands on a disk: a random name of its own and the name of the database that owns it (None: not said)."""

    disk: str
    database: str | None


class DiskMarker(Protocol):
    """The mark on the disk: a file that is made once and changes only when another database becomes the owner."""

    def read(self) -> Mark | None:
        """Return the disk's mark, None when it bears none. Raises Unavailable when the disk cannot be read."""

    def make(self, mark: Mark) -> None:
        """Mark the disk, durably, unless it bears a mark. Raises Unavailable and DiskFull."""

    def replace(self, mark: Mark) -> None:
        """Mark the disk, durably, whatever mark it bears. Raises Unavailable and DiskFull."""


class MediaDisk(Protocol):
    """Compares the mark on the disk with the one in the database."""

    def state(self) -> DiskState:
        """Return how they compare. Raises DatabaseUnavailable, and Unavailable when the disk cannot be read."""

    def mark_new(self) -> None:
        """Mark both where neither bears a mark; for servers only, since a command may run where no disk is mounted.

        Raises as `state` does, and DiskFull.
        """

    def accept(self) -> None:
        """Make this disk the database's own from now on, and no other's. Raises as `mark_new` does."""

    def refuse_foreign(self) -> None:
        """Raise ForeignDisk when nothing may be deleted here, because the disk is another database's; else as `state` does."""


class FileTrouble(StrEnum):
    """What is wrong with the file of a recorded video."""

    GONE = "the file is gone, or not whole"
    CHANGED = "the file is not the one that was stored"


@dataclass(frozen=True, slots=True, kw_only=True)
class DamagedVideo:
    """A recorded video whose file is not as it should be; `in_trash` says whether its project was deleted."""

    project_id: str
    name: str
    path: str
    trouble: FileTrouble
    in_trash: bool


class MediaAudit(Protocol):
    """Goes through all records and looks for their files."""

    def damaged(self, *, hashes: bool = False) -> Iterator[DamagedVideo]:
        """Return the videos whose files are gone or cut and, with `hashes`, read every file and compare its hash as well.

        Raises DatabaseUnavailable.
        """
