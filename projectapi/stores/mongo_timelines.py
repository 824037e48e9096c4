"""Timelines in MongoDB: the current state embedded in its project, every saved revision beside it."""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

import bson
from bson import ObjectId

from projectapi.errors import Conflict, TimelineTooLarge, TimelineVersionNotFound, Unavailable
from projectapi.infra.retry import Retry
from projectapi.project import (
    EntityTag,
    JsonObject,
    ProjectKey,
    Revision,
    Timeline,
    TimelineSave,
    empty_timeline_state,
    new_write_id,
    now,
)
from projectapi.protocols import TimelineStore
from projectapi.stores.documents import Document, state_to_store, timeline_from_head, timeline_from_project
from projectapi.stores.project_documents import ProjectDocuments, lost_race, marked_update, project_filter, raise_not_found
from projectapi.stores.revision_documents import RevisionDocuments, new_revision_document, revision_from_document
from projectapi.timeline.retention import is_named
from projectapi.timeline.revisions import dump_state

_HEAD = {"timelineVersion": True, "timelineHead": True, "unsettledRevisions": True}
_TIMELINE = {**_HEAD, "projectId": True, "timelineState": True}
_UNSETTLED_MAX = 16
_RACES_MAX = 60
_STATE_MAX_BYTES = 15 * 2**20
"""Leaves a mebibyte of MongoDB's 16 for the rest of the project."""
_CERTAINLY_FITS_BYTES = 2 * 2**20
"""JSON this small cannot exceed the limit as BSON, which at worst takes some six times the room."""


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A save, checked and packed once for however many attempts the race for the next version takes."""

    save: TimelineSave
    raw: bytes
    sha256: str
    embedded: Document
    has_escaped_keys: bool


class MongoTimelineStore(TimelineStore):
    """`TimelineStore` over the collections `projects` and `timeline_states`; knows nothing of caches."""

    def __init__(self, projects: ProjectDocuments, revisions: RevisionDocuments, retry: Retry) -> None:
        self._projects = projects
        self._revisions = revisions
        self._retry = retry

    def get_timeline(self, key: ProjectKey) -> Timeline | None:
        """See `TimelineStore.get_timeline`."""
        return timeline_from_project(self._projects.find(key, _TIMELINE))

    def save_timeline(self, key: ProjectKey, save: TimelineSave, expected: EntityTag | None = None) -> Timeline:
        """See `TimelineStore.save_timeline`."""
        prepared = _prepare(save)
        revision_id = ObjectId()
        for race in range(_RACES_MAX):
            head = self._head(key, expected)
            if _adds_nothing(prepared, head):
                return timeline_from_head(head, key.id, save.state)
            saved = self._commit(key, prepared, head, revision_id)
            if saved is not None:
                return saved
            time.sleep(random.uniform(0, min(0.2, 0.005 * 2**race)))
        self._revisions.remove(key.id, revision_id)
        raise Unavailable

    def list_revisions(self, key: ProjectKey, *, limit: int, skip: int = 0, with_state: bool = False) -> Sequence[Revision]:
        """See `TimelineStore.list_revisions`."""
        project = self._projects.find(key, _HEAD)
        documents = self._revisions.newest(
            key.id, project["unsettledRevisions"], limit=limit, skip=skip, with_state=with_state
        )
        current = _current_id(project)
        return [
            revision_from_document(
                document, current=current, state=self._revisions.decoded(document) if with_state else None
            )
            for document in documents
        ]

    def get_revision(self, key: ProjectKey, version: int) -> Revision:
        """See `TimelineStore.get_revision`."""
        project = self._projects.find(key, _HEAD)
        document = self._revisions.find(key.id, project["unsettledRevisions"], version)
        return revision_from_document(document, current=_current_id(project), state=self._revisions.decoded(document))

    def restore_revision(self, key: ProjectKey, version: int, *, restored_by: str) -> Timeline:
        """See `TimelineStore.restore_revision`."""
        current = self.get_timeline(key)
        if current is not None and current.version == version:
            return current
        revision = self.get_revision(key, version)
        name = f"Restored version {version}" + (f": {revision.description}" if revision.description else "")
        save = TimelineSave(
            state=revision.state or empty_timeline_state(),
            description=name,
            change_summary=f"Restored from version {version}",
            saved_by=restored_by,
        )
        return self.save_timeline(key, save)

    def find_revision(self, revision_id: str, owner: str | None = None) -> Revision:
        """See `TimelineStore.find_revision`."""
        if not ObjectId.is_valid(revision_id):
            raise TimelineVersionNotFound
        document = self._revisions.find_by_id(ObjectId(revision_id))
        if document is None:
            raise TimelineVersionNotFound
        project = self._projects.find(ProjectKey(document["projectId"], owner), _HEAD)
        if not (document["committed"] or document["_id"] in project["unsettledRevisions"]):
            raise TimelineVersionNotFound
        return revision_from_document(document, current=_current_id(project))

    def describe_revision(self, revision: Revision, values: JsonObject) -> Revision:
        """See `TimelineStore.describe_revision`."""
        revision_id, at = ObjectId(revision.id), now()
        fields = {"description": "description", "change_summary": "changeSummary"}
        changes = {fields[name]: value for name, value in values.items()} | {"updatedAt": at}
        self._revisions.update(revision.project_id, revision_id, changes)
        # The project repeats these words of its current revision; a miss means that it is not the current one (any more).
        self._swap(ProjectKey(revision.project_id), {"timelineHead._id": revision_id}, _head_changes(changes))
        return self.find_revision(revision.id)

    def delete_revision(self, revision: Revision) -> None:
        """See `TimelineStore.delete_revision`."""
        if revision.is_current:
            raise Conflict("The current version of a timeline cannot be deleted. Save or restore another one first.")
        key, revision_id = ProjectKey(revision.project_id), ObjectId(revision.id)
        for _ in range(_RACES_MAX):
            head = self._projects.find(key, _HEAD)
            current_id = head["timelineHead"]["_id"]
            self._revisions.settle(key.id, head["unsettledRevisions"])
            if self._swap(key, {"timelineHead._id": current_id}, {"unsettledRevisions": [current_id]}):
                # Later revisions may stand on this one's bytes: it only stops being history, and the sweep removes it in time.
                return self._revisions.update(key.id, revision_id, {"committed": False, "updatedAt": now()})
        raise Unavailable

    def _head(self, key: ProjectKey, expected: EntityTag | None) -> Document:
        if expected is None:
            return self._projects.find(key, _HEAD)
        conditions = project_filter(key) | {"timelineVersion": expected.version}
        if expected.version:
            conditions["timelineHead.tag"] = expected.tag
        head = self._retry.read(lambda: self._projects.collection.find_one(conditions, _HEAD))
        return head if head is not None else self._explain_miss(key)

    def _explain_miss(self, key: ProjectKey) -> NoReturn:
        current = self._projects.collection.find_one(project_filter(key), _HEAD)
        if current is None:
            raise_not_found(key)
        raise lost_race(timeline_tag(current))

    def _commit(self, key: ProjectKey, prepared: _Prepared, before: Document, revision_id: ObjectId) -> Timeline | None:
        """Write the revision, then move the project's pointer to it; None when somebody else was quicker."""
        previous = before["timelineHead"] or {}
        deltas = previous.get("keyframeDeltas", 0)
        encoded = self._revisions.encoded(key.id, prepared.raw, previous.get("keyframe"), deltas)
        stands_alone = encoded.kind == "full"
        version, at = before["timelineVersion"] + 1, now()
        head: Document = {
            "_id": revision_id,
            "tag": new_write_id(),
            "description": prepared.save.description,
            "changeSummary": prepared.save.change_summary,
            "createdBy": prepared.save.saved_by,
            "createdAt": at,
            "updatedAt": at,
            "sha256": prepared.sha256,
            "hasEscapedKeys": prepared.has_escaped_keys,
            "keyframe": revision_id if stands_alone else previous["keyframe"],
            "keyframeDeltas": 0 if stands_alone else deltas + 1,
        }
        self._revisions.write(
            new_revision_document(
                head, encoded, project_id=key.id, version=version, parent=previous.get("_id"), keyframe=head["keyframe"]
            )
        )
        unsettled = [*self._settled_down(key.id, before["unsettledRevisions"]), revision_id]
        values = {
            "timelineState": prepared.embedded,
            "timelineVersion": version,
            "timelineHead": head,
            "unsettledRevisions": unsettled,
        }
        conditions = {"timelineVersion": before["timelineVersion"]}
        if previous:
            conditions["timelineHead._id"] = previous["_id"]
        if not self._swap(key, conditions, values):
            return None
        return timeline_from_head({"timelineHead": head, "timelineVersion": version}, key.id, prepared.save.state)

    def _settled_down(self, project_id: str, unsettled: Sequence[ObjectId]) -> Sequence[ObjectId]:
        if len(unsettled) < _UNSETTLED_MAX:
            return unsettled
        self._revisions.settle(project_id, unsettled)
        return []

    def _swap(self, key: ProjectKey, conditions: Document, values: Document) -> bool:
        """Change the project if `conditions` still hold; tell whether that was done."""
        write_id = new_write_id()
        update = marked_update(values, write_id)

        def swap() -> bool:
            result = self._projects.collection.update_one(project_filter(key) | conditions, update)
            return result.matched_count == 1

        def landed() -> bool | None:
            mark = {"projectId": key.id, "recentWrites": write_id}
            return True if self._projects.collection.find_one(mark, {"_id": True}) else None

        return self._retry.write(swap, landed) or bool(self._retry.read(landed))


def timeline_tag(project: Document) -> EntityTag:
    """Return the entity tag of the timeline that a project document points to."""
    head = project["timelineHead"]
    return EntityTag(project["timelineVersion"], head["tag"] if head else "")


def _current_id(project: Document) -> ObjectId | None:
    return project["timelineHead"]["_id"] if project["timelineHead"] else None


def _head_changes(changes: Document) -> Document:
    return {f"timelineHead.{name}": value for name, value in changes.items()} | {"timelineHead.tag": new_write_id()}


def _adds_nothing(prepared: _Prepared, before: Document) -> bool:
    head = before["timelineHead"]
    if head is None or head["sha256"] != prepared.sha256:
        return False
    return not is_named(prepared.save.description, head["description"])


def _prepare(save: TimelineSave) -> _Prepared:
    raw = dump_state(save.state)
    embedded, has_escaped_keys = state_to_store(save.state)
    if len(raw) > _CERTAINLY_FITS_BYTES and len(bson.encode(embedded)) > _STATE_MAX_BYTES:
        raise TimelineTooLarge
    return _Prepared(save, raw, hashlib.sha256(raw).hexdigest(), embedded, has_escaped_keys)
