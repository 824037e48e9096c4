"""Projects in MongoDB."""

from __future__ import annotations

import re
from contextlib import suppress

from pymongo import ASCENDING, DESCENDING
from pymongo.errors import DuplicateKeyError

from projectapi.infra.retry import Retry
from projectapi.project import (
    EntityTag,
    JsonObject,
    ListQuery,
    Project,
    ProjectKey,
    ProjectPage,
    Video,
    new_id,
    new_write_id,
    now,
)
from projectapi.protocols import ProjectStore
from projectapi.stores.cursors import FIELDS, condition_after, cursor_after
from projectapi.stores.documents import (
    SUMMARY,
    Document,
    document_from_video,
    new_project_document,
    project_from_document,
    video_from_document,
)
from projectapi.stores.project_documents import ProjectDocuments


class MongoProjectStore(ProjectStore):
    """`ProjectStore` over the collection `projects`; knows nothing of caches."""

    def __init__(self, documents: ProjectDocuments, retry: Retry) -> None:
        self._documents = documents
        self._collection = documents.collection
        self._retry = retry

    def create_project(self, *, name: str, description: str | None, owner: str) -> Project:
        """See `ProjectStore.create_project`."""
        project_id, write_id = new_id(), new_write_id()
        document = new_project_document(project_id=project_id, name=name, description=description, owner=owner, at=now())
        document |= {"lastWrite": write_id, "recentWrites": [write_id]}

        def insert() -> Document:
            # Nobody else draws the same 96 random bits: a duplicate is this very insert, done by a retry of the driver's.
            with suppress(DuplicateKeyError):
                self._collection.insert_one(document)
            return document

        stored = self._retry.write(insert, lambda: self._collection.find_one({"projectId": project_id}))
        return project_from_document(stored)

    def get_project(self, key: ProjectKey) -> Project:
        """See `ProjectStore.get_project`."""
        return project_from_document(self._documents.find(key, {"recentWrites": False}))

    def get_summary(self, key: ProjectKey) -> Project:
        """See `ProjectStore.get_summary`."""
        return project_from_document(self._documents.find(key, SUMMARY))

    def list_projects(self, query: ListQuery) -> ProjectPage:
        """See `ProjectStore.list_projects`."""
        conditions: Document = {"createdBy": query.owner, "isDeleted": query.deleted, **condition_after(query)}
        if query.search:
            # Only ever a literal: a client's pattern could keep the database busy for ever.
            literal = {"$regex": re.escape(query.search), "$options": "i"}
            conditions["$and"] = [{"$or": [{"name": literal}, {"description": literal}]}]
        direction = DESCENDING if query.descending else ASCENDING
        order = [(FIELDS[query.sort], direction), ("_id", direction)]
        found = self._retry.read(
            lambda: list(self._collection.find(conditions, SUMMARY).sort(order).limit(query.limit + 1))
        )
        page = found[: query.limit]
        following = cursor_after(page[-1], query) if len(found) > query.limit else None
        return ProjectPage([project_from_document(document) for document in page], following)

    def update_project(self, key: ProjectKey, values: JsonObject, expected: EntityTag | None = None) -> Project:
        """See `ProjectStore.update_project`."""
        return project_from_document(self._documents.change(key, dict(values), expected=expected))

    def delete_project(self, key: ProjectKey, expected: EntityTag | None = None) -> None:
        """See `ProjectStore.delete_project`."""
        self._documents.change(key, {"isDeleted": True, "deletedAt": now()}, expected=expected, projection={"_id": True})

    def restore_project(self, key: ProjectKey) -> None:
        """See `ProjectStore.restore_project`."""
        self._documents.change(key, {"isDeleted": False, "deletedAt": None}, deleted=True, projection={"_id": True})

    def set_video(self, key: ProjectKey, video: Video) -> Video | None:
        """See `ProjectStore.set_video`."""
        values = {
            "videoPath": video.path,
            "duration": video.duration,
            "thumbnail": f"/media/{key.id}/thumbnail" if video.thumbnail_path else None,
            "video": document_from_video(video),
        }
        replaced = self._documents.change(key, values, projection={"video": True}, before=True)["video"]
        # A repeated attempt that finds its own success sees the new record, whose files must stay.
        if replaced is None or replaced["path"] == video.path:
            return None
        return video_from_document(replaced)

    def set_transcript(self, key: ProjectKey, transcript: JsonObject | None) -> Project:
        """See `ProjectStore.set_transcript`."""
        return project_from_document(self._documents.change(key, {"transcriptState": transcript}, projection=SUMMARY))
