"""The trash: what is in it, and how a project leaves it for ever.

A purge first *claims* the project, by one update whose filter still demands that it is in the trash and has been there for
long enough: whoever restores it before wins, and from then on it can be neither seen nor restored. Only then its revisions
go, then its files, and last its document, which until then says what is left to be done: killed anywhere, the next purge
finds the claimed project and finishes it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from typing import Any

from pymongo import ASCENDING, ReturnDocument
from pymongo.collection import Collection

from projectapi.infra.retry import Retry
from projectapi.protocols import PurgeReport, Trashed, VideoFiles
from projectapi.stores.announced import Announce, unannounced
from projectapi.stores.documents import Document, video_from_document
from projectapi.stores.migrations import upgrade_project

log = logging.getLogger(__name__)

_ENTRY = dict.fromkeys(("projectId", "name", "createdBy", "deletedAt", "video", "schemaVersion"), True)
_IN_TRASH = {"isDeleted": True, "purgeClaimed": {"$exists": False}}
_PAGE = 100
_BATCH = 500


class Trash:
    """Lists and purges the projects that are marked as deleted; bringing them back is `ProjectStore.restore_project`."""

    def __init__(
        self,
        projects: Collection[Document],
        revisions: Collection[Document],
        retry: Retry,
        videos: VideoFiles,
        announce: Announce = unannounced,
    ) -> None:
        self._projects = projects
        self._revisions = revisions
        self._retry = retry
        self._videos = videos
        self._announce = announce

    def entries(self, owner: str | None = None) -> Iterator[Trashed]:
        """See `Housekeeping.list_trash`."""
        conditions = _IN_TRASH | ({} if owner is None else {"createdBy": owner})
        return (_trashed(document) for document in self._walk(conditions))

    def purge(self, deleted_until: datetime, *, dry_run: bool) -> PurgeReport:
        """See `Housekeeping.purge`."""
        projects = revisions = videos = 0
        failed: list[str] = []
        for document in self._due(deleted_until):
            project_id = document["projectId"]
            claimed = document if dry_run else self._claim(project_id, deleted_until)
            if claimed is None:
                continue
            revisions += self._delete_revisions(project_id, dry_run)
            if not dry_run and not self._delete_files(claimed):
                failed.append(project_id)
                continue
            videos += bool(claimed["video"])
            projects += 1 if dry_run else self._delete_project(project_id)
        return PurgeReport(projects=projects, revisions=revisions, videos=videos, failed=tuple(failed))

    def _due(self, deleted_until: datetime) -> Iterator[Document]:
        """Return what an earlier purge had begun with, then what is old enough."""
        yield from self._walk({"purgeClaimed": True})
        yield from self._walk(_IN_TRASH | {"deletedAt": {"$lte": deleted_until}})

    def _walk(self, conditions: Document) -> Iterator[Document]:
        order = [("deletedAt", ASCENDING), ("_id", ASCENDING)]
        behind: Document = {}

        def page() -> list[Document]:
            every = {"$and": [conditions, behind]} if behind else conditions
            return list(self._projects.find(every, _ENTRY).sort(order).limit(_PAGE))

        while found := self._retry.read(page):
            yield from found
            last = found[-1]
            later = {"deletedAt": {"$gt": last["deletedAt"]}}
            behind = {"deletedAt": {"$gte": last["deletedAt"]}, "$or": [later, {"_id": {"$gt": last["_id"]}}]}

    def _claim(self, project_id: str, deleted_until: datetime) -> Document | None:
        """Make sure that nobody sees or restores the project any more; None when somebody has restored it."""
        old_enough: list[Document] = [{"purgeClaimed": True}, {"deletedAt": {"$lte": deleted_until}}]
        conditions = {"projectId": project_id, "isDeleted": True, "$or": old_enough}
        update: dict[str, Any] = {"$set": {"purgeClaimed": True}}

        def claim() -> Document | None:
            return self._projects.find_one_and_update(conditions, update, _ENTRY, return_document=ReturnDocument.AFTER)

        with self._announce(project_id):
            return self._retry.repeat(claim)

    def _delete_revisions(self, project_id: str, dry_run: bool) -> int:
        of_project = {"projectId": project_id}
        if dry_run:
            return self._retry.read(lambda: self._revisions.count_documents(of_project))
        deleted = 0
        # In batches, because all of them at once could take longer than one operation may.
        while found := self._retry.read(lambda: list(self._revisions.find(of_project, {"_id": True}).limit(_BATCH))):
            batch = {**of_project, "_id": {"$in": [revision["_id"] for revision in found]}}
            deleted += self._retry.repeat(partial(self._revisions.delete_many, batch)).deleted_count
        return deleted

    def _delete_files(self, project: Document) -> bool:
        if project["video"] is None:
            return True
        try:
            self._videos.discard(video_from_document(upgrade_project(project)["video"]))
        except OSError:
            log.exception("the files of project %s could not be deleted; the next purge tries again", project["projectId"])
            return False
        return True

    def _delete_project(self, project_id: str) -> int:
        conditions = {"projectId": project_id, "isDeleted": True, "purgeClaimed": True}
        with self._announce(project_id):
            return self._retry.repeat(lambda: self._projects.delete_one(conditions)).deleted_count


def _trashed(document: Document) -> Trashed:
    video = document["video"] or {}
    return Trashed(
        id=document["projectId"],
        name=document["name"],
        owner=document["createdBy"],
        deleted_at=document["deletedAt"],
        video_bytes=video.get("bytes", 0),
    )
