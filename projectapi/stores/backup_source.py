"""Reading the whole database out for a backup, while everybody works on it.

Projects do not refer to one another, so it is enough that each is in the backup as it was at some moment of its own; no
snapshot is needed, which a standalone server does not offer and a replica set keeps for minutes only. A save writes the
revision first and the project's pointer after it: whatever revisions a project names are there once the project was read. So
projects are read first, some at a time, and their history right after. What does not fit is seen and made good:

- revisions that were saved in between have a higher version than the project that was read, and are left out;
- what a sweep or a purge took away in between is missed by `projects`, which has the project come again.

Requests that were answered (`idempotency_keys`) are read before all projects: what such an answer speaks of is in the backup.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, cast

import bson
from bson import ObjectId, json_util
from bson.raw_bson import DEFAULT_RAW_BSON_OPTIONS, RawBSONDocument
from pymongo import ASCENDING
from pymongo.collection import Collection
from pymongo.database import Database

from projectapi.infra.retry import Retry
from projectapi.project import JsonObject
from projectapi.protocols import BackupProblem, ProjectBatch, RawProject, StoredFile
from projectapi.stores.cache import CONTROL_COLLECTION
from projectapi.stores.collections import IDEMPOTENCY_KEYS, JOBS, PROJECTS, TIMELINE_STATES
from projectapi.stores.database_info import METADATA, DatabaseInfo
from projectapi.stores.documents import Document

RAW = DEFAULT_RAW_BSON_OPTIONS

LEFT_OUT = frozenset({METADATA, CONTROL_COLLECTION, JOBS})
"""Collections that speak of this database, disk and these processes, and would say something wrong of others."""

_WRITTEN_AT_ONCE_BYTES = 4 << 20
_PROJECTS_AT_ONCE = 50
_REVISIONS_AT_ONCE = 200
_CHANCES = 3
_NOT_CLAIMED: Document = {"purgeClaimed": {"$exists": False}}


class MongoBackupSource:
    """`BackupSource` over one database; every read is small enough to be repeated, and memory stays flat."""

    def __init__(self, database: Database[Document], retry: Retry, info: DatabaseInfo) -> None:
        self._database = database
        self._retry = retry
        self._info = info

    def refuse_unfinished(self) -> None:
        """See `BackupSource.refuse_unfinished`."""
        archive = self._info.read().restoring
        if archive is not None:
            raise BackupProblem(f"{archive} is being restored into it, or its restoring was cut off: finish that first.")

    def schema_version(self) -> int | None:
        """See `BackupSource.schema_version`."""
        return self._info.read().schema_version

    def count_projects(self) -> int:
        """See `BackupSource.count_projects`."""
        return self._retry.read(self._database[PROJECTS].estimated_document_count)

    def collections(self) -> Mapping[str, JsonObject]:
        """See `BackupSource.collections`."""
        found = self._retry.read(lambda: list(self._database.list_collections()))
        kept = {c["name"]: c.get("options", {}) for c in found if not _is_left_out(c)}
        # Those first whose documents speak of projects (see above).
        names = sorted(kept, key=lambda name: (name != IDEMPOTENCY_KEYS, name))
        return {name: {"options": _as_json(kept[name]), "indexes": _as_json(self._indexes(name))} for name in names}

    def documents(self, collection: str) -> Iterator[bytes]:
        """See `BackupSource.documents`."""
        for batch in self._walk(_raw(self._database[collection]), "_id", {}, _behind_of_any_type):
            yield from (bytes(document.raw) for document in batch)

    def batches(self) -> Iterator[ProjectBatch]:
        """See `BackupSource.batches`."""
        projects, revisions = _raw(self._database[PROJECTS]), _raw(self._database[TIMELINE_STATES])
        again: list[str] = []
        for documents in self._walk(projects, "projectId", _NOT_CLAIMED, _behind, _PROJECTS_AT_ONCE):
            batch = _Batch(revisions, self._retry, documents)
            yield batch
            again += batch.unfinished
        for chance in range(1, _CHANCES + 1):
            once_more, again = again, []
            for project_id in once_more:
                found, _ = self._retry.read(partial(_some, projects, {"projectId": project_id, **_NOT_CLAIMED}, most=1))
                batch = _Batch(revisions, self._retry, found, is_last_chance=chance == _CHANCES)
                yield batch
                again += batch.unfinished

    def _indexes(self, name: str) -> list[Document]:
        return [dict(index) for index in self._retry.read(lambda: list(self._database[name].list_indexes()))]

    def _walk(
        self,
        collection: Collection[RawBSONDocument],
        key: str,
        conditions: Document,
        behind: Callable[[str, Any], Document],
        most: int = 1000,
    ) -> Iterator[Sequence[RawBSONDocument]]:
        """Return all documents in the order of `key`, as many at a time as may be held in memory."""
        query = conditions
        while True:
            found, _ = self._retry.read(partial(_some, collection, query, sort=[(key, ASCENDING)], most=most))
            if not found:
                return
            yield found
            query = {**conditions, **behind(key, found[-1][key])}


class _Batch:
    """`ProjectBatch`: notes which revisions came by, and so knows whose history is whole."""

    def __init__(
        self,
        revisions: Collection[RawBSONDocument],
        retry: Retry,
        documents: Sequence[RawBSONDocument],
        *,
        is_last_chance: bool = False,
    ) -> None:
        self.is_last_chance = is_last_chance
        self._revisions = revisions
        self._retry = retry
        self._documents = {document["projectId"]: document for document in documents}
        self._seen: dict[str, dict[ObjectId, Document]] = {project_id: {} for project_id in self._documents}
        self._put_off: set[str] = set()

    def revisions(self) -> Iterator[bytes]:
        """See `ProjectBatch.revisions`."""
        of_projects = {"projectId": {"$in": list(self._documents)}}
        ids = self._retry.read(lambda: [r["_id"] for r in self._revisions.find(of_projects, {"_id": True})])
        while ids:
            asked = {"_id": {"$in": ids[:_REVISIONS_AT_ONCE]}, **of_projects}
            found, is_all = self._retry.read(partial(_some, self._revisions, asked, most=_REVISIONS_AT_ONCE))
            got = {revision["_id"] for revision in found}
            # What was asked for and is not there was deleted meanwhile.
            ids = ids[_REVISIONS_AT_ONCE:] if is_all else [i for i in ids if i not in got]
            yield from (bytes(revision.raw) for revision in found if self._belongs(revision))

    def projects(self) -> Sequence[RawProject]:
        """See `ProjectBatch.projects`."""
        left_out = set(self.unfinished)
        return [_raw_project(project) for name, project in self._documents.items() if name not in left_out]

    def damaged(self) -> Sequence[str]:
        """See `ProjectBatch.damaged`."""
        return self._incomplete() if self.is_last_chance else []

    def put_off(self, project_id: str) -> None:
        """See `ProjectBatch.put_off`."""
        self._put_off.add(project_id)

    @property
    def unfinished(self) -> Sequence[str]:
        """The ids of the projects that are to come again."""
        return [] if self.is_last_chance else sorted(self._put_off.union(self._incomplete()))

    def _belongs(self, revision: RawBSONDocument) -> bool:
        """Take note of a revision; tell whether it is of the project as it was read, not of a later save's."""
        project = self._documents[revision["projectId"]]
        belongs = bool(revision["version"] <= project["timelineVersion"])
        if belongs:
            fields = {"keyframe": revision["keyframe"], "committed": revision["committed"]}
            self._seen[revision["projectId"]][revision["_id"]] = fields
        return belongs

    def _incomplete(self) -> Sequence[str]:
        return [name for name, project in self._documents.items() if missing_revisions(project, self._seen[name])]


def missing_revisions(project: Mapping[str, Any], revisions: Mapping[ObjectId, Mapping[str, Any]]) -> set[ObjectId]:
    """Return the ids of the revisions without which a project's current version or its history could not be read.

    `revisions` are those that are there, with `keyframe` and `committed`. Other ids in `unsettledRevisions` need not be there:
    a sweep leaves some that are no revision's.
    """
    head = project["timelineHead"]
    if head is None:
        return set()
    listed = set(project["unsettledRevisions"])
    visible = [fields for name, fields in revisions.items() if fields["committed"] or name in listed]
    needed = {head["_id"], head["keyframe"], *(fields["keyframe"] for fields in visible)}
    return needed - revisions.keys()


def _behind(key: str, value: Any) -> Document:
    return {key: {"$gt": value}}


def _behind_of_any_type(key: str, value: Any) -> Document:
    # The plain operator finds values of the same type only, and in collections of others ids may be of several.
    return {"$expr": {"$gt": [f"${key}", {"$literal": value}]}}


def _raw_project(project: RawBSONDocument) -> RawProject:
    video = project["video"]
    files = []
    if video is not None:
        files.append(StoredFile(video["path"], video["sha256"]))
        files += [StoredFile(video["thumbnailPath"], None)] if video["thumbnailPath"] else []
    return RawProject(project["projectId"], bytes(project.raw), files)


def _some(
    collection: Collection[RawBSONDocument], conditions: Document, *, most: int, sort: Sequence[tuple[str, int]] | None = None
) -> tuple[list[RawBSONDocument], bool]:
    """Return `most` documents, or as many of them as the server sends at once (16 MiB), and whether these are all."""
    with collection.find_raw_batches(conditions, sort=sort, limit=most, batch_size=most) as cursor:
        batch = cast(bytes, next(cursor, b""))
        return bson.decode_all(batch, RAW), not cursor.alive


def _raw(collection: Collection[Document]) -> Collection[RawBSONDocument]:
    return collection.with_options(codec_options=RAW)


def _is_left_out(collection: Mapping[str, Any]) -> bool:
    name = collection["name"]
    return name in LEFT_OUT or name.startswith("system.") or collection.get("type", "collection") != "collection"


def _as_json(value: Any) -> Any:
    return json.loads(json_util.dumps(value))


def from_json(value: Any) -> Any:
    """Return what `collections` wrote as extended JSON."""
    return json_util.loads(json.dumps(value))


def batched_by_size(documents: Iterable[bytes], most: int = 500) -> Iterator[list[bytes]]:
    """Divide documents into lists that take little memory each."""
    batch: list[bytes] = []
    size = 0
    for document in documents:
        batch.append(document)
        size += len(document)
        if size >= _WRITTEN_AT_ONCE_BYTES or len(batch) >= most:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
