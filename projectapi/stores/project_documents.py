"""Finding and changing one project's document: the filter, the compare-and-swap and what a miss means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from pymongo import ReturnDocument
from pymongo.collection import Collection

from projectapi.errors import PreconditionFailed, ProjectNotCarriedOver, ProjectNotFound
from projectapi.infra.retry import Retry
from projectapi.project import EntityTag, ProjectKey, is_from_the_in_memory_backend, new_write_id, now
from projectapi.stores.documents import RECENT_WRITES, Document


class ProjectDocuments:
    """The `projects` collection as the stores use it; every filter carries `projectId`, the shard key."""

    def __init__(self, collection: Collection[Document], retry: Retry) -> None:
        self.collection = collection
        self.retry = retry

    def find(self, key: ProjectKey, projection: Mapping[str, Any] | None = None) -> Document:
        """Return the project's document. Raises ProjectNotFound."""
        document = self.retry.read(lambda: self.collection.find_one(project_filter(key), projection))
        if document is None:
            raise_not_found(key)
        return document

    def change(
        self,
        key: ProjectKey,
        values: Document,
        *,
        expected: EntityTag | None = None,
        deleted: bool = False,
        projection: Mapping[str, Any] | None = None,
        before: bool = False,
    ) -> Document:
        """Set `values` and return the document after it (or `before` it); `version` grows by one.

        Raises ProjectNotFound, and PreconditionFailed when `expected` is given and is not the current tag.
        """
        write_id = new_write_id()
        conditions = project_filter(key, deleted=deleted)
        if expected is not None:
            conditions |= {"version": expected.version, "lastWrite": expected.tag}
        update = marked_update(values, write_id)
        when = ReturnDocument.BEFORE if before else ReturnDocument.AFTER

        def swap() -> Document | None:
            return self.collection.find_one_and_update(conditions, update, projection, return_document=when)

        def landed() -> Document | None:
            return self.collection.find_one({"projectId": key.id, "recentWrites": write_id}, projection)

        # A miss may be our own earlier attempt that arrived late, so the mark is looked for before a race is called lost.
        document = self.retry.write(swap, landed) or self.retry.read(landed)
        if document is None:
            self._explain_miss(key, deleted)
        return document

    def _explain_miss(self, key: ProjectKey, deleted: bool) -> NoReturn:
        fields = {"version": 1, "lastWrite": 1}
        current = self.retry.read(lambda: self.collection.find_one(project_filter(key, deleted=deleted), fields))
        if current is None:
            raise_not_found(key)
        raise lost_race(EntityTag(current["version"], current["lastWrite"]))


def project_filter(key: ProjectKey, *, deleted: bool = False) -> Document:
    """Return the filter that finds the project, if whoever asks may see it."""
    conditions: Document = {"projectId": key.id, "isDeleted": deleted}
    if key.owner is not None:
        conditions["createdBy"] = key.owner
    return conditions


def marked_update(values: Document, write_id: str) -> Document:
    """Return an update that sets `values` and leaves the mark by which a repeated attempt knows its own success."""
    return {
        "$set": {"updatedAt": now(), **values, "lastWrite": write_id},
        "$inc": {"version": 1},
        "$push": {"recentWrites": {"$each": [write_id], "$slice": -RECENT_WRITES}},
    }


def raise_not_found(key: ProjectKey) -> NoReturn:
    """Raise the error for a project that is not there; ids of the in-memory backend get an explanation."""
    raise ProjectNotCarriedOver if is_from_the_in_memory_backend(key.id) else ProjectNotFound


def lost_race(current: EntityTag) -> PreconditionFailed:
    """Return the error for whoever named a version that is no longer the current one."""
    return PreconditionFailed(headers={"ETag": str(current)}, extra={"currentVersion": current.version})
