"""Finding and changing one project's document: the filter, the compare-and-swap and what a miss means."""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any, NoReturn

from pymongo import ReturnDocument
from pymongo.collection import Collection
from pymongo.errors import DuplicateKeyError

from projectapi.errors import PreconditionFailed, ProjectNotCarriedOver, ProjectNotFound
from projectapi.infra.retry import Retry
from projectapi.project import SCHEMA_VERSION, EntityTag, ProjectKey, is_from_the_in_memory_backend, new_write_id, now
from projectapi.stores.documents import RECENT_WRITES, Document
from projectapi.stores.migrations import upgrade_project


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
        return upgrade_project(document)

    def insert(self, document: Document) -> Document:
        """Store a new project under an id that nobody else has, and return its document as it is by now."""
        conditions = {"projectId": document["projectId"]}

        def insert() -> Document:
            # A duplicate is this very write, sent before or repeated by the driver.
            with suppress(DuplicateKeyError):
                self.collection.insert_one(document)
                return document
            return self.collection.find_one(conditions) or document

        return self.retry.write(insert, lambda: self.collection.find_one(conditions))

    def change(
        self,
        key: ProjectKey,
        values: Document,
        *,
        expected: EntityTag | None = None,
        deleted: bool = False,
        projection: Mapping[str, Any] | None = None,
        before: bool = False,
        write_id: str | None = None,
    ) -> Document:
        """Set `values` and return the document after it (or `before` it); `version` grows by one.

        `write_id` names a write that may have been sent before: found done, it is not done again. Raises
        ProjectNotFound, and PreconditionFailed when `expected` is given and is not the current tag.
        """
        mark = write_id or new_write_id()
        conditions = unmarked(project_filter(key, deleted=deleted), mark)
        if expected is not None:
            conditions |= {"version": expected.version, "lastWrite": expected.tag}
        update = marked_update(values, mark)
        when = ReturnDocument.BEFORE if before else ReturnDocument.AFTER

        def swap() -> Document | None:
            return self.collection.find_one_and_update(conditions, update, projection, return_document=when)

        def landed() -> Document | None:
            document = self.find_landed(key.id, mark, projection)
            # What was there before an attempt whose answer got lost, nobody knows any more.
            return {} if before and document is not None else document

        if write_id and (done := self.retry.repeat(landed)):
            return done
        # A miss may be our own earlier attempt that arrived late, so the mark is looked for before a race is called lost.
        document = self.retry.write(swap, landed) or self.retry.look_up(landed)
        if document is None:
            self._explain_miss(key, deleted)
        return document

    def find_done(
        self, key: ProjectKey, write_id: str, projection: Mapping[str, Any] | None = None
    ) -> Document | None:
        """Return the project if the write with this mark was done to it before, else None."""
        return self.retry.repeat(lambda: self.find_landed(key.id, write_id, projection))

    def find_landed(self, project_id: str, mark: str, projection: Mapping[str, Any] | None = None) -> Document | None:
        """Return the project's document if the write with this mark was done, else None; run it inside a `Retry`.

        It asks by a write that changes nothing. A read would also find what only the primary has so far; a write, be it an
        empty one, is answered when a majority has it and all that came before.
        """
        conditions = {"projectId": project_id, "recentWrites": mark}
        nothing = {"$set": {"projectId": project_id}}
        return self.collection.find_one_and_update(
            conditions, nothing, projection, return_document=ReturnDocument.AFTER
        )

    def _explain_miss(self, key: ProjectKey, deleted: bool) -> NoReturn:
        fields = {"version": True, "lastWrite": True, "updatedAt": True, "schemaVersion": True}
        current = self.retry.read(lambda: self.collection.find_one(project_filter(key, deleted=deleted), fields))
        if current is None:
            raise_not_found(key)
        upgrade_project(current)
        raise lost_race(EntityTag(current["version"], current["lastWrite"]), current["updatedAt"])


def project_filter(key: ProjectKey, *, deleted: bool = False) -> Document:
    """Return the filter that finds the project, if whoever asks may see it."""
    conditions: Document = {"projectId": key.id, "isDeleted": deleted}
    if deleted:
        # A purge has begun with it: parts of it may be gone, so it must not come back.
        conditions["purgeClaimed"] = {"$exists": False}
    if key.owner is not None:
        conditions["createdBy"] = key.owner
    return conditions


def unmarked(conditions: Document, mark: str) -> Document:
    """Return the conditions of a write that is not done again where it was done: also not by an attempt that arrives late.

    Nor is it done to a document of a newer shape, which this program would damage.
    """
    return {**conditions, "recentWrites": {"$ne": mark}, "schemaVersion": {"$lte": SCHEMA_VERSION}}


def marked_update(values: Document, write_id: str, unset: Iterable[str] = ()) -> Document:
    """Return an update that sets `values` and leaves the mark by which a repeated attempt knows its own success."""
    removed = {"$unset": dict.fromkeys(unset, "")} if unset else {}
    return {
        **removed,
        "$set": {"updatedAt": now(), **values, "lastWrite": write_id},
        "$inc": {"version": 1},
        **mark_alone(write_id),
    }


def mark_alone(write_id: str) -> Document:
    """Return an update that leaves the mark of a write and changes nothing that anybody sees."""
    return {"$push": {"recentWrites": {"$each": [write_id], "$slice": -RECENT_WRITES}}}


def pause_after_race(race: int) -> None:
    """Wait a little, at random and longer with each lost race, so that those who raced do not meet again at once."""
    time.sleep(random.uniform(0, min(0.2, 0.005 * 2**race)))


def raise_not_found(key: ProjectKey, source: str = "BYPASS") -> NoReturn:
    """Raise the error for a project that is not there; ids of the in-memory backend get an explanation."""
    error = ProjectNotCarriedOver() if is_from_the_in_memory_backend(key.id) else ProjectNotFound()
    error.source = source
    raise error


def lost_race(current: EntityTag, updated_at: datetime | None) -> PreconditionFailed:
    """Return the error for whoever named a version that is not the current one; it tells which is, and since when."""
    extra = {"currentVersion": current.version, "currentETag": str(current), "currentUpdatedAt": updated_at}
    return PreconditionFailed(headers={"ETag": str(current)}, extra=extra)
