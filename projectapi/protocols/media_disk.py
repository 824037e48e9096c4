"""Whether the disk still is the one that the videos were stored on, and whether each video is still on it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class DiskState(StrEnum):
    """How the media folder compares with the one that the database knows; it is new while the database knows none."""

    NEW = "new"
    KNOWN = "known"
    WIPED = "wiped"
    ANOTHER = "another"


class DiskMarker(Protocol):
    """The mark on the disk: a file that is made once and has a random name of the disk in it."""

    def read(self) -> str | None:
        """Return the disk's name, None when it bears no mark. Raises Unavailable when the disk cannot be read."""

    def make(self) -> str:
        """Mark the disk if it bears no mark, durably, and return its name. Raises Unavailable and DiskFull."""


class MediaDisk(Protocol):
    """Compares the mark on the disk with the one in the database."""

    def state(self) -> DiskState:
        """Return how they compare. Raises DatabaseUnavailable, and Unavailable when the disk cannot be read."""

    def mark_new(self) -> None:
        """Mark both where the database knows no disk yet; for servers only, since a command may run where no disk is mounted.

        Raises as `state` does, and DiskFull.
        """

    def accept(self) -> None:
        """Let the database know this disk from now on, as the one on which the videos are. Raises as `mark_new` does."""


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
