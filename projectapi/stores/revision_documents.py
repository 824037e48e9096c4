"""The collection `timeline_states`: one document per saved revision, its state compressed.

A revision is *committed* when its own flag says so or when its project lists it under `unsettledRevisions`. A save writes the
revision without the flag, then moves the project's pointer and appends to that list in one compare-and-swap: so a save is whole
or it does not show. The flags are set for many revisions at a time, before a later save shortens the list.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import cast

from bson import Binary, ObjectId
from cachetools import LRUCache
from pymongo import DESCENDING
from pymongo.collection import Collection
from pymongo.errors import DuplicateKeyError

from projectapi.errors import HistoryDamaged, TimelineVersionNotFound
from projectapi.infra.retry import Retry
from projectapi.project import SCHEMA_VERSION, JsonObject, Revision, Timeline
from projectapi.stores.documents import Document
from projectapi.stores.migrations import upgrade_revision
from projectapi.stores.proposals import Proposal
from projectapi.timeline.revisions import EncodedState, Keyframe, decode, encode_next, load_state

_KEYFRAME_CACHE_BYTES = 32 * 2**20
_WITHOUT_STATE = {"state": False}


class RevisionDocuments:
    """Reads and writes revisions; keeps the keyframes it met last in memory, which is safe since they never change."""

    def __init__(self, collection: Collection[Document], retry: Retry) -> None:
        self.collection = collection
        self._retry = retry
        self._keyframes: LRUCache[ObjectId, bytes] = LRUCache(_KEYFRAME_CACHE_BYTES, getsizeof=len)
        self._keyframes_lock = threading.Lock()

    def write(self, document: Document) -> None:
        """Store a revision under its own `_id`, in place of what an earlier race for a lower version left there.

        Doing it twice is doing it once, and what is committed or of the same version is left alone.
        """
        key = {"_id": document["_id"], "projectId": document["projectId"]}
        # An attempt that arrives late must not put back what a later one has replaced.
        outdated = {**key, "committed": False, "version": {"$lt": document["version"]}}

        def replace() -> None:
            try:
                self.collection.replace_one(outdated, document, upsert=True)
            except DuplicateKeyError:
                if self.collection.find_one(key, {"_id": True}) is None:
                    raise

        self._retry.repeat(replace)

    def remove(self, project_id: str, revision_id: ObjectId) -> None:
        """Delete a revision that was never committed."""
        conditions = {"_id": revision_id, "projectId": project_id, "committed": False}
        self._retry.repeat(lambda: self.collection.delete_one(conditions))

    def settle(self, project_id: str, revision_ids: Sequence[ObjectId]) -> None:
        """Flag revisions that a project lists as committed, so that the list may be shortened."""
        # A save that read the list just before one of them was discarded must not bring it back.
        conditions = {"projectId": project_id, "_id": {"$in": list(revision_ids)}, "discardedAt": None}
        self._retry.repeat(lambda: self.collection.update_many(conditions, {"$set": {"committed": True}}))

    def discard(self, project_id: str, revision_id: ObjectId, at: datetime) -> None:
        """Take a settled revision out of history for good; its bytes stay, as later revisions may stand on them."""
        self.update(project_id, revision_id, {"committed": False, "discardedAt": at, "updatedAt": at})

    def keep_words(self, project_id: str, revision_id: ObjectId, words: Document) -> None:
        """Set the words of a revision unless it has newer ones, which a slower save must not take back."""
        conditions = {"_id": revision_id, "projectId": project_id, "updatedAt": {"$lte": words["updatedAt"]}}
        self._retry.repeat(lambda: self.collection.update_one(conditions, {"$set": words}))

    def find(self, project_id: str, unsettled: Sequence[ObjectId], version: int) -> Document:
        """Return the committed revision of this version. Raises TimelineVersionNotFound."""
        conditions = {"version": version, **_committed(project_id, unsettled)}
        document = self._find_one(conditions)
        if document is None:
            raise TimelineVersionNotFound
        return document

    def newest(
        self, project_id: str, unsettled: Sequence[ObjectId], *, limit: int, skip: int, with_state: bool
    ) -> list[Document]:
        """Return committed revisions, newest first."""
        conditions = _committed(project_id, unsettled)
        projection = None if with_state else _WITHOUT_STATE
        found = self._retry.read(
            lambda: list(
                self.collection.find(conditions, projection).sort([("version", DESCENDING)]).skip(skip).limit(limit)
            )
        )
        return [upgrade_revision(document) for document in found]

    def find_by_id(self, revision_id: ObjectId, project_id: str | None = None) -> Document | None:
        """Return a revision, committed or not: with its state when its project is known, else without."""
        conditions: Document = {"_id": revision_id} | ({"projectId": project_id} if project_id else {})
        projection = None if project_id else _WITHOUT_STATE
        return self._find_one(conditions, projection)

    def _find_one(self, conditions: Document, projection: Document | None = None) -> Document | None:
        document = self._retry.read(lambda: self.collection.find_one(conditions, projection))
        return upgrade_revision(document) if document is not None else None

    def update(self, project_id: str, revision_id: ObjectId, values: Document) -> None:
        """Set fields of a revision; doing it twice is doing it once."""
        conditions = {"_id": revision_id, "projectId": project_id}
        self._retry.repeat(lambda: self.collection.update_one(conditions, {"$set": values}))

    def encoded(self, project_id: str, proposal: Proposal, previous: Document) -> EncodedState:
        """Return the compressed form of a proposed state, standing alone or on the keyframe of the head before it."""
        keyframe = self._base(project_id, previous) if previous else None
        return encode_next(proposal.raw, keyframe, sha256=proposal.sha256)

    def decoded(self, document: Document) -> JsonObject:
        """Return the state of a revision, exactly as it was saved."""
        return cast(JsonObject, load_state(self._raw(document)))

    def _base(self, project_id: str, head: Document) -> Keyframe | None:
        try:
            return Keyframe(self._keyframe(project_id, head["keyframe"]), head["keyframeDeltas"])
        except (TimelineVersionNotFound, HistoryDamaged):
            # Whatever became of older versions, the next one must be saved: it stands alone.
            return None

    def _raw(self, document: Document) -> bytes:
        base = self._keyframe(document["projectId"], document["keyframe"]) if document["encoding"] == "delta" else None
        stored = EncodedState(
            kind=document["encoding"],
            data=bytes(document["state"]),
            raw_bytes=document["rawBytes"],
            sha256=document["sha256"],
        )
        return decode(stored, base)

    def _keyframe(self, project_id: str, revision_id: ObjectId) -> bytes:
        with self._keyframes_lock:
            known = self._keyframes.get(revision_id)
        if known is not None:
            return known
        conditions = {"_id": revision_id, "projectId": project_id}
        document = self._find_one(conditions)
        if document is None:
            raise HistoryDamaged
        raw = self._raw(document)
        if len(raw) <= _KEYFRAME_CACHE_BYTES:
            with self._keyframes_lock:
                self._keyframes[revision_id] = raw
        return raw


def new_head(
    proposal: Proposal,
    encoded: EncodedState,
    previous: Document,
    *,
    revision_id: ObjectId,
    tag: str,
    created_at: datetime,
    updated_at: datetime,
) -> Document:
    """Return what a project says of the version that `proposal` makes; `previous` is the head before, empty for the first."""
    stands_alone = encoded.kind == "full"
    return {
        "_id": revision_id,
        "tag": tag,
        "description": proposal.save.description,
        "changeSummary": proposal.save.change_summary,
        "createdBy": proposal.save.saved_by,
        "createdAt": created_at,
        "updatedAt": updated_at,
        "sha256": proposal.sha256,
        "hasEscapedKeys": proposal.has_escaped_keys,
        "keyframe": revision_id if stands_alone else previous["keyframe"],
        "keyframeDeltas": 0 if stands_alone else previous["keyframeDeltas"] + 1,
    }


def new_revision_document(
    head: Document, encoded: EncodedState, *, project_id: str, version: int, parent: ObjectId | None
) -> Document:
    """Return the document of a revision that is not committed yet; `head` is what the project will say of it."""
    return {
        "_id": head["_id"],
        "projectId": project_id,
        "version": version,
        "parent": parent,
        "committed": False,
        "description": head["description"],
        "changeSummary": head["changeSummary"],
        "createdBy": head["createdBy"],
        "createdAt": head["createdAt"],
        "updatedAt": head["updatedAt"],
        "schemaVersion": SCHEMA_VERSION,
        "encoding": encoded.kind,
        "keyframe": head["keyframe"],
        "rawBytes": encoded.raw_bytes,
        "sha256": encoded.sha256,
        "state": Binary(encoded.data),
    }


def revision_from_document(document: Document, *, head: Document | None, state: JsonObject | None = None) -> Revision:
    """Return the history entry that a document holds; `head` is the project's `timelineHead`."""
    is_current = head is not None and document["_id"] == head["_id"]
    # The words of the current version are edited in the project alone, so that the two can never disagree.
    words = head if head is not None and is_current else document
    return Revision(
        id=str(document["_id"]),
        project_id=document["projectId"],
        version=document["version"],
        description=words["description"],
        change_summary=words["changeSummary"],
        created_by=document["createdBy"],
        created_at=document["createdAt"],
        updated_at=words["updatedAt"],
        is_current=is_current,
        tag=words["tag"] if is_current else None,
        state=state,
    )


def timeline_from_revision(document: Document, state: JsonObject) -> Timeline:
    """Return a revision as the timeline that its save answered."""
    return Timeline(
        id=str(document["_id"]),
        project_id=document["projectId"],
        version=document["version"],
        tag=str(document["_id"])[:16],
        state=state,
        description=document["description"],
        change_summary=document["changeSummary"],
        created_by=document["createdBy"],
        created_at=document["createdAt"],
        updated_at=document["updatedAt"],
    )


def _committed(project_id: str, unsettled: Iterable[ObjectId]) -> Document:
    return {"projectId": project_id, "$or": [{"committed": True}, {"_id": {"$in": list(unsettled)}}]}
