"""What a store must do to take in a project that was made elsewhere."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from projectapi.project import JsonObject, Project, Video
from projectapi.transcript import Transcript


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedVersion:
    """A version of a timeline as it was elsewhere."""

    version: int
    state: JsonObject
    description: str | None
    change_summary: str | None
    created_by: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedProject:
    """A project as it was elsewhere, without its timeline and its video; the transcript's `project_id` is of no account."""

    name: str
    description: str | None
    thumbnail: str | None
    duration: float | None
    created_at: datetime
    transcript: Transcript | None


class ProjectImports(Protocol):
    """Takes in whole projects; what `ProjectStore` promises holds here too."""

    def import_project(
        self,
        project: ImportedProject,
        versions: Iterable[ImportedVersion],
        *,
        video: Video | None,
        owner: str,
        write_id: str | None = None,
    ) -> Project:
        """Store a project under a new id, with these versions, the oldest first and the current one last, and return it.

        Nothing of it is seen before all of it is there; raising in the middle of `versions` leaves nothing that anybody sees.
        Raises TimelineTooLarge and BodyTooLarge (the transcript).
        """
