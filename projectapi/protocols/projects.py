"""What a store of projects must do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from projectapi.project import EntityTag, JsonObject, ListQuery, Project, ProjectKey, ProjectPage, Video


class ProjectStore(Protocol):
    """Keeps projects.

    A write that returns is durable and is seen by every read that starts afterwards. Every method may raise
    DatabaseUnavailable (nothing changed), every write OutcomeUnknown (repeating it does no harm). Every method that takes a
    `ProjectKey` raises ProjectNotFound (or its child ProjectNotCarriedOver) when there is no such project, it is deleted, or
    the key names an owner that is not the project's.

    `write_id` (16 hexadecimal digits) names a write that its sender may have sent before: if it was done then, it is not done
    again, and the answer is that of the first time as far as it can still be known.
    """

    def create_project(
        self, *, name: str, description: str | None, owner: str, write_id: str | None = None
    ) -> Project:
        """Store a new project under a new id and return it."""

    def get_project(self, key: ProjectKey) -> Project:
        """Return the project with its current timeline and its transcript."""

    def get_summary(self, key: ProjectKey) -> Project:
        """Return the project without its timeline and transcript, which is cheap at any size."""

    def find_owner(self, project_id: str) -> str | None:
        """Return the owner of a project, in the trash or not; None when there is no such project."""

    def owns_file(self, owner: str, file: str) -> bool:
        """Tell whether `file` of the media folder is, or was made from, the video of a project of `owner`, not deleted."""

    def list_projects(self, query: ListQuery) -> ProjectPage:
        """Return one page of an owner's projects, stable while others write. Raises ValidationFailed for a foreign cursor."""

    def update_project(
        self, key: ProjectKey, values: JsonObject, expected: EntityTag | None = None, *, write_id: str | None = None
    ) -> Project:
        """Change name, description, thumbnail or duration and return the project.

        Raises PreconditionFailed when `expected` is given and is not the current tag.
        """

    def edit_project(
        self,
        key: ProjectKey,
        edit: Callable[[JsonObject], JsonObject],
        expected: EntityTag | None = None,
        *,
        write_id: str | None = None,
    ) -> Project:
        """Change name, description, thumbnail and duration to what `edit` makes of them, and return the project.

        `edit` may be called again on newer values when somebody else wrote meanwhile. Raises what it raises, and
        PreconditionFailed when `expected` is given and is not the current tag.
        """

    def delete_project(self, key: ProjectKey, expected: EntityTag | None = None) -> None:
        """Move the project to the trash: it keeps everything and is found no more. Raises PreconditionFailed."""

    def restore_project(
        self, key: ProjectKey, expected: EntityTag | None = None, *, write_id: str | None = None
    ) -> None:
        """Bring a project back from the trash. Raises ProjectNotFound when it is not in there."""

    def set_video(self, key: ProjectKey, video: Video) -> Video | None:
        """Record `video` as the project's and return the one that it replaced, whose files may go now."""
