"""What the database knows of the disk with the videos, and whether the files that it names are on it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

from pymongo.database import Database

from projectapi.errors import VideoNotFound
from projectapi.infra.retry import Retry
from projectapi.protocols import (
    DamagedVideo,
    DiskMarker,
    DiskState,
    FileTrouble,
    ForeignDisk,
    Mark,
    MediaAudit,
    MediaDisk,
    VideoFiles,
)
from projectapi.stores.collections import PROJECTS
from projectapi.stores.database_info import METADATA
from projectapi.stores.documents import Document, video_from_document
from projectapi.stores.project_pages import project_pages

_ID = "media disk"
_RECORDS = {"projectId": True, "name": True, "isDeleted": True, "video": True}


class MongoMediaDisk(MediaDisk):
    """`MediaDisk` with the database's mark in the collection `metadata`.

    The database names the disk before the disk is marked: a mark that is already there is never taken for its own, since
    the database that made it would then share the disk without knowing.
    """

    def __init__(self, database: Database[Document], retry: Retry, marker: DiskMarker) -> None:
        self._metadata = database[METADATA]
        self._database_name = database.name
        self._retry = retry
        self._marker = marker

    def state(self) -> DiskState:
        """See `MediaDisk.state`."""
        record, found = self._record(), self._marker.read()
        if found is None:
            return DiskState.NEW if record is None or _is_pending(record) else DiskState.WIPED
        is_known = record is not None and found in (self._mark(record), Mark(record["disk"], None))
        return DiskState.KNOWN if is_known else DiskState.ANOTHER

    def mark_new(self) -> None:
        """See `MediaDisk.mark_new`."""
        record = self._record()
        if record is not None and not _is_pending(record):
            return
        if record is None and self._marker.read() is None:
            # Of several servers that do this at once, the first one's name stays.
            self._note("$setOnInsert", {"disk": uuid.uuid4().hex, "pending": True})
            record = self._record()
        if record is not None:
            self._marker.make(self._mark(record))
            if self.state() is DiskState.KNOWN:
                self._note("$set", {"pending": False})

    def accept(self) -> None:
        """See `MediaDisk.accept`."""
        if self.state() is not DiskState.KNOWN:
            accepted = {"disk": uuid.uuid4().hex, "pending": False}
            self._note("$set", accepted)
            self._marker.replace(self._mark(accepted))

    def refuse_foreign(self) -> None:
        """See `MediaDisk.refuse_foreign`."""
        if self.state() is DiskState.ANOTHER:
            mark = self._marker.read()
            owner = f"the database {mark.database}" if mark and mark.database else "another database, or to another server"
            raise ForeignDisk(
                f"The disk under MEDIA_DIR belongs to {owner}, which alone may put videos on it and delete them. Give each "
                f"database a MEDIA_DIR of its own. If {self._database_name} is to be the only owner from now on, say so with "
                "--accept-disk (`flask media sweep`, `flask backup restore`)."
            )

    def _mark(self, record: Document) -> Mark:
        return Mark(record["disk"], self._database_name)

    def _record(self) -> Document | None:
        return self._retry.read(lambda: self._metadata.find_one({"_id": _ID}))

    def _note(self, operator: str, fields: Document) -> None:
        self._retry.repeat(lambda: self._metadata.update_one({"_id": _ID}, {operator: fields}, upsert=True))


def _is_pending(record: Document) -> bool:
    """Tell whether the database has named its disk and nobody has seen the mark on it yet."""
    return bool(record.get("pending"))


class MongoMediaAudit(MediaAudit):
    """`MediaAudit` over all project documents, those in the trash too."""

    def __init__(self, database: Database[Document], retry: Retry, videos: VideoFiles) -> None:
        self._projects = database[PROJECTS]
        self._retry = retry
        self._videos = videos

    def damaged(self, *, hashes: bool = False) -> Iterator[DamagedVideo]:
        """See `MediaAudit.damaged`."""
        for page in project_pages(self._projects, self._retry, _RECORDS):
            for project in page.projects:
                trouble = self._trouble(project["video"], hashes) if project.get("video") else None
                if trouble:
                    yield DamagedVideo(
                        project_id=project["projectId"],
                        name=project["name"],
                        path=project["video"]["path"],
                        trouble=trouble,
                        in_trash=project["isDeleted"],
                    )

    def _trouble(self, document: Document, hashes: bool) -> FileTrouble | None:
        video = video_from_document(document)
        try:
            if hashes and self._videos.sha256_of(video) != video.sha256:
                return FileTrouble.CHANGED
            self._videos.path_of(video)
        except VideoNotFound:
            return FileTrouble.GONE
        return None
