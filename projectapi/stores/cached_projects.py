"""Projects behind the cache: the same store, with every write announced and what it leaves published."""

from __future__ import annotations

from collections.abc import Callable

from projectapi.project import (
    EntityTag,
    JsonObject,
    ListQuery,
    Project,
    ProjectKey,
    ProjectPage,
    Video,
    id_from_write,
    new_write_id,
)
from projectapi.protocols import ProjectStore
from projectapi.stores.announced import Announced
from projectapi.stores.publishing import Publisher


class CachedProjectStore(ProjectStore):
    """`ProjectStore` over another one; its reads are the other's, since only finished answers are cached."""

    def __init__(self, inner: ProjectStore, announced: Announced, publisher: Publisher) -> None:
        self._inner = inner
        self._announced = announced
        self._publisher = publisher

    def create_project(
        self, *, name: str, description: str | None, owner: str, write_id: str | None = None
    ) -> Project:
        """See `ProjectStore.create_project`."""
        mark = write_id or new_write_id()
        with self._announced.creation(id_from_write(mark), owner) as write:
            project = self._inner.create_project(name=name, description=description, owner=owner, write_id=mark)
            self._publisher.project(write, project)
        return project

    def get_project(self, key: ProjectKey) -> Project:
        """See `ProjectStore.get_project`."""
        return self._inner.get_project(key)

    def get_summary(self, key: ProjectKey) -> Project:
        """See `ProjectStore.get_summary`."""
        return self._inner.get_summary(key)

    def find_owner(self, project_id: str) -> str | None:
        """See `ProjectStore.find_owner`."""
        return self._inner.find_owner(project_id)

    def owns_file(self, owner: str, file: str) -> bool:
        """See `ProjectStore.owns_file`."""
        return self._inner.owns_file(owner, file)

    def list_projects(self, query: ListQuery) -> ProjectPage:
        """See `ProjectStore.list_projects`."""
        return self._inner.list_projects(query)

    def update_project(
        self, key: ProjectKey, values: JsonObject, expected: EntityTag | None = None, *, write_id: str | None = None
    ) -> Project:
        """See `ProjectStore.update_project`."""
        with self._announced.write(key.id) as write:
            project = self._inner.update_project(key, values, expected, write_id=write_id)
            self._publisher.project(write, project)
        return project

    def edit_project(
        self,
        key: ProjectKey,
        edit: Callable[[JsonObject], JsonObject],
        expected: EntityTag | None = None,
        *,
        write_id: str | None = None,
    ) -> Project:
        """See `ProjectStore.edit_project`."""
        with self._announced.write(key.id) as write:
            project = self._inner.edit_project(key, edit, expected, write_id=write_id)
            self._publisher.project(write, project)
        return project

    def delete_project(self, key: ProjectKey, expected: EntityTag | None = None) -> None:
        """See `ProjectStore.delete_project`."""
        with self._announced.write(key.id):
            self._inner.delete_project(key, expected)

    def restore_project(
        self, key: ProjectKey, expected: EntityTag | None = None, *, write_id: str | None = None
    ) -> None:
        """See `ProjectStore.restore_project`."""
        with self._announced.write(key.id):
            self._inner.restore_project(key, expected, write_id=write_id)

    def set_video(self, key: ProjectKey, video: Video) -> Video | None:
        """See `ProjectStore.set_video`."""
        with self._announced.write(key.id):
            return self._inner.set_video(key, video)
