"""Projects in MongoDB."""

from __future__ import annotations

import re
from collections.abc import Callable

from pymongo import ASCENDING, DESCENDING

from projectapi.errors import PreconditionFailed, Unavailable
from projectapi.infra.retry import Retry
from projectapi.project import (
    EntityTag,
    JsonObject,
    ListQuery,
    Project,
    ProjectKey,
    ProjectPage,
    Video,
    id_from_write,
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
from projectapi.stores.project_documents import ProjectDocuments, pause_after_race

_EDITABLE = {name: True for name in ("name", "description", "thumbnail", "duration", "version", "lastWrite")}
_RACES_MAX = 20
_FILE_IDENTITY = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class MongoProjectStore(ProjectStore):
    """`ProjectStore` over the collection `projects`; knows nothing of caches."""

    def __init__(self, documents: ProjectDocuments, retry: Retry) -> None:
        self._documents = documents
        self._collection = documents.collection
        self._retry = retry

    def create_project(
        self, *, name: str, description: str | None, owner: str, write_id: str | None = None
    ) -> Project:
        """See `ProjectStore.create_project`."""
        mark = write_id or new_write_id()
        project_id = id_from_write(mark) if write_id else new_id()
        document = new_project_document(project_id=project_id, name=name, description=description, owner=owner, at=now())
        document |= {"lastWrite": mark, "recentWrites": [mark]}
        return project_from_document(self._documents.insert(document))

    def get_project(self, key: ProjectKey) -> Project:
        """See `ProjectStore.get_project`."""
        return project_from_document(self._documents.find(key, {"recentWrites": False}))

    def get_summary(self, key: ProjectKey) -> Project:
        """See `ProjectStore.get_summary`."""
        return project_from_document(self._documents.find(key, SUMMARY))

    def find_owner(self, project_id: str) -> str | None:
        """See `ProjectStore.find_owner`."""
        fields = {"createdBy": True}
        document = self._retry.read(lambda: self._collection.find_one({"projectId": project_id}, fields))
        return document["createdBy"] if document else None

    def owns_file(self, owner: str, file: str) -> bool:
        """See `ProjectStore.owns_file`."""
        identity = _FILE_IDENTITY.search(file)
        if identity is None:
            return False
        # Thumbnails and cuts bear the identity of the video that they were made from.
        video = {"$regex": f"^videos/{identity[0]}"}
        conditions = {"createdBy": owner, "isDeleted": False, "videoPath": video}
        return self._retry.read(lambda: self._collection.find_one(conditions, {"_id": True})) is not None

    def list_projects(self, query: ListQuery) -> ProjectPage:
        """See `ProjectStore.list_projects`."""
        conditions: Document = {"createdBy": query.owner, "isDeleted": query.deleted, **condition_after(query)}
        if query.deleted:
            conditions["purgeClaimed"] = {"$exists": False}
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

    def update_project(
        self, key: ProjectKey, values: JsonObject, expected: EntityTag | None = None, *, write_id: str | None = None
    ) -> Project:
        """See `ProjectStore.update_project`."""
        return project_from_document(self._documents.change(key, dict(values), expected=expected, write_id=write_id))

    def edit_project(
        self,
        key: ProjectKey,
        edit: Callable[[JsonObject], JsonObject],
        expected: EntityTag | None = None,
        *,
        write_id: str | None = None,
    ) -> Project:
        """See `ProjectStore.edit_project`."""
        if write_id and (done := self._documents.find_done(key, write_id)):
            return project_from_document(done)
        for race in range(_RACES_MAX):
            before = self._documents.find(key, _EDITABLE)
            current = EntityTag(before["version"], before["lastWrite"])
            values = edit({name: before[name] for name in ("name", "description", "thumbnail", "duration")})
            try:
                return self.update_project(key, values, expected or current, write_id=write_id)
            except PreconditionFailed:
                # Without a precondition of the client's, the edit is made anew on what somebody else has just written.
                if expected is not None:
                    raise
                pause_after_race(race)
        raise Unavailable

    def delete_project(self, key: ProjectKey, expected: EntityTag | None = None) -> None:
        """See `ProjectStore.delete_project`."""
        self._documents.change(key, {"isDeleted": True, "deletedAt": now()}, expected=expected, projection={"_id": True})

    def restore_project(
        self, key: ProjectKey, expected: EntityTag | None = None, *, write_id: str | None = None
    ) -> None:
        """See `ProjectStore.restore_project`."""
        back = {"isDeleted": False, "deletedAt": None}
        self._documents.change(key, back, expected=expected, deleted=True, projection={"_id": True}, write_id=write_id)

    def set_video(self, key: ProjectKey, video: Video) -> Video | None:
        """See `ProjectStore.set_video`."""
        values = {
            "videoPath": video.path,
            "duration": video.duration,
            "thumbnail": f"/media/{key.id}/thumbnail" if video.thumbnail_path else None,
            "video": document_from_video(video),
        }
        replaced = self._documents.change(key, values, projection={"video": True}, before=True).get("video")
        if replaced is None or replaced["path"] == video.path:
            return None
        return video_from_document(replaced)
