"""What a store of timelines and their history must do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from projectapi.project import EntityTag, JsonObject, ProjectKey, Revision, Timeline, TimelineSave
from projectapi.timeline.patching import Patched


class TimelineStore(Protocol):
    """Keeps the timelines of projects and their history; what `ProjectStore` promises holds here too."""

    def get_timeline(self, key: ProjectKey) -> Timeline | None:
        """Return the current timeline, None before the first save."""

    def save_timeline(
        self, key: ProjectKey, save: TimelineSave, expected: EntityTag | None = None, *, write_id: str | None = None
    ) -> Timeline:
        """Append a version to the timeline, make it the current one and return it.

        Without `expected` the last writer wins and no save is lost from history. A state equal to the current one adds no
        version unless it brings a name. Raises PreconditionFailed when `expected` is given and is not the current tag, and
        TimelineTooLarge when the project would not fit into one MongoDB document.
        """

    def edit_timeline(
        self,
        key: ProjectKey,
        edit: Callable[[JsonObject], Patched],
        expected: EntityTag | None = None,
        *,
        saved_by: str,
        write_id: str | None = None,
    ) -> Timeline:
        """Append the version that `edit` makes of the current state, writing only what it touched, and return it.

        `edit` may be called again on a newer state when somebody else saved meanwhile. Raises what it raises, and what
        `save_timeline` raises.
        """

    def list_revisions(self, key: ProjectKey, *, limit: int, skip: int = 0, with_state: bool = False) -> Sequence[Revision]:
        """Return versions of the timeline, newest first, without their states unless asked."""

    def get_revision(self, key: ProjectKey, version: int) -> Revision:
        """Return one version with its state. Raises TimelineVersionNotFound."""

    def restore_revision(
        self,
        key: ProjectKey,
        version: int,
        expected: EntityTag | None = None,
        *,
        restored_by: str,
        write_id: str | None = None,
    ) -> Timeline:
        """Make an earlier version's state the current one as a new highest version, and return it.

        Restoring the version that is current already changes nothing. Raises TimelineVersionNotFound.
        """

    def find_revision(self, revision_id: str, owner: str | None = None) -> Revision:
        """Return the version that has this document id, without its state. Raises TimelineVersionNotFound."""

    def describe_revision(
        self, revision: Revision, values: JsonObject, expected: EntityTag | None = None
    ) -> Revision:
        """Change a version's `description` or `change_summary` in place and return it. Raises TimelineVersionNotFound."""

    def delete_revision(self, revision: Revision) -> None:
        """Remove one earlier version from history. Raises Conflict for the current one, and TimelineVersionNotFound."""
