"""Timelines behind the cache: the same store, with every write announced and what it leaves published."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from projectapi.project import EntityTag, JsonObject, ProjectKey, Revision, Timeline, TimelineSave
from projectapi.protocols import TimelineStore
from projectapi.stores.announced import Announced
from projectapi.stores.publishing import Publisher
from projectapi.timeline.patching import Patched


class CachedTimelineStore(TimelineStore):
    """`TimelineStore` over another one; its reads are the other's, since only finished answers are cached."""

    def __init__(self, inner: TimelineStore, announced: Announced, publisher: Publisher) -> None:
        self._inner = inner
        self._announced = announced
        self._publisher = publisher

    def get_timeline(self, key: ProjectKey) -> Timeline | None:
        """See `TimelineStore.get_timeline`."""
        return self._inner.get_timeline(key)

    def save_timeline(
        self, key: ProjectKey, save: TimelineSave, expected: EntityTag | None = None, *, write_id: str | None = None
    ) -> Timeline:
        """See `TimelineStore.save_timeline`."""
        with self._announced.write(key.id) as write:
            timeline = self._inner.save_timeline(key, save, expected, write_id=write_id)
            self._publisher.save(write, timeline)
        return timeline

    def edit_timeline(
        self,
        key: ProjectKey,
        edit: Callable[[JsonObject], Patched],
        expected: EntityTag | None = None,
        *,
        saved_by: str,
        write_id: str | None = None,
    ) -> Timeline:
        """See `TimelineStore.edit_timeline`."""
        with self._announced.write(key.id) as write:
            timeline = self._inner.edit_timeline(key, edit, expected, saved_by=saved_by, write_id=write_id)
            self._publisher.save(write, timeline)
        return timeline

    def list_revisions(self, key: ProjectKey, *, limit: int, skip: int = 0, with_state: bool = False) -> Sequence[Revision]:
        """See `TimelineStore.list_revisions`."""
        return self._inner.list_revisions(key, limit=limit, skip=skip, with_state=with_state)

    def get_revision(self, key: ProjectKey, version: int) -> Revision:
        """See `TimelineStore.get_revision`."""
        return self._inner.get_revision(key, version)

    def restore_revision(
        self,
        key: ProjectKey,
        version: int,
        expected: EntityTag | None = None,
        *,
        restored_by: str,
        write_id: str | None = None,
    ) -> Timeline:
        """See `TimelineStore.restore_revision`."""
        with self._announced.write(key.id) as write:
            timeline = self._inner.restore_revision(key, version, expected, restored_by=restored_by, write_id=write_id)
            self._publisher.save(write, timeline)
        return timeline

    def find_revision(self, revision_id: str, owner: str | None = None) -> Revision:
        """See `TimelineStore.find_revision`."""
        return self._inner.find_revision(revision_id, owner)

    def describe_revision(
        self, revision: Revision, values: JsonObject, expected: EntityTag | None = None
    ) -> Revision:
        """See `TimelineStore.describe_revision`."""
        with self._announced.write(revision.project_id):
            return self._inner.describe_revision(revision, values, expected)

    def delete_revision(self, revision: Revision) -> None:
        """See `TimelineStore.delete_revision`."""
        with self._announced.write(revision.project_id):
            self._inner.delete_revision(revision)
