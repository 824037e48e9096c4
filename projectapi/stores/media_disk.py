"""What the database knows of the disk with the videos, and whether the files that it names are on it."""

from __future__ import annotations

from collections.abc import Iterator

from pymongo.database import Database

from projectapi.errors import VideoNotFound
from projectapi.infra.retry import Retry
from projectapi.protocols import DamagedVideo, DiskMarker, DiskState, FileTrouble, MediaAudit, MediaDisk, VideoFiles
from projectapi.stores.collections import PROJECTS
from projectapi.stores.database_info import METADATA
from projectapi.stores.documents import Document, video_from_document
from projectapi.stores.project_pages import project_pages

_ID = "media disk"
_RECORDS = {"projectId": True, "name": True, "isDeleted": True, "video": True}


class MongoMediaDisk(MediaDisk):
    """`MediaDisk` with the database's mark in the collection `metadata`."""

    def __init__(self, database: Database[Document], retry: Retry, marker: DiskMarker) -> None:
        self._metadata = database[METADATA]
        self._retry = retry
        self._marker = marker

    def state(self) -> DiskState:
        """See `MediaDisk.state`."""
        known, found = self._known(), self._marker.read()
        if known is None:
            return DiskState.NEW
        if found is None:
            return DiskState.WIPED
        return DiskState.KNOWN if found == known else DiskState.ANOTHER

    def mark_new(self) -> None:
        """See `MediaDisk.mark_new`."""
        if self._known() is None:
            # Of several that do this at once, the first one's mark stays.
            self._note("$setOnInsert", self._marker.make())

    def accept(self) -> None:
        """See `MediaDisk.accept`."""
        self._note("$set", self._marker.make())

    def _known(self) -> str | None:
        found = self._retry.read(lambda: self._metadata.find_one({"_id": _ID}))
        return None if found is None else str(found["disk"])

    def _note(self, operator: str, disk: str) -> None:
        self._retry.repeat(lambda: self._metadata.update_one({"_id": _ID}, {operator: {"disk": disk}}, upsert=True))


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
