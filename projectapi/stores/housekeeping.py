"""All housekeeping behind one door: the sweeps of history and files, and the trash."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from datetime import datetime

from pymongo.database import Database

from projectapi.infra.retry import Retry
from projectapi.protocols import (
    DiskState,
    HistoryReport,
    Housekeeping,
    MediaDisk,
    PurgeReport,
    ResumableUploads,
    Trashed,
    VideoFiles,
)
from projectapi.stores.announced import Announce, unannounced
from projectapi.stores.collections import PROJECTS, TIMELINE_STATES
from projectapi.stores.documents import Document
from projectapi.stores.history_sweep import HistorySweep
from projectapi.stores.project_pages import project_pages
from projectapi.stores.trash import Trash
from projectapi.timeline.retention import RetentionPolicy

log = logging.getLogger(__name__)

_FILES_OLDER_THAN_SECONDS = 24 * 3600.0
_FILES = {"projectId": True, "video.path": True, "video.thumbnailPath": True}


class MongoHousekeeping(Housekeeping):
    """`Housekeeping` over MongoDB and the media folder; `announce` surrounds every write that anybody could see."""

    def __init__(
        self,
        database: Database[Document],
        retry: Retry,
        videos: VideoFiles,
        uploads: ResumableUploads,
        announce: Announce = unannounced,
        disk: MediaDisk | None = None,
    ) -> None:
        self._projects = database[PROJECTS]
        self._retry = retry
        self._videos = videos
        self._disk = disk
        self._uploads = uploads
        self._history = HistorySweep(self._projects, database[TIMELINE_STATES], retry, announce)
        self._trash = Trash(self._projects, database[TIMELINE_STATES], retry, videos, announce)

    def sweep_history(self, policy: RetentionPolicy, now: datetime, *, dry_run: bool = False) -> HistoryReport:
        """See `Housekeeping.sweep_history`."""
        return self._history.run(policy, now, dry_run=dry_run)

    def sweep_files(self, *, dry_run: bool = False) -> Sequence[str]:
        """See `Housekeeping.sweep_files`."""
        self._refuse_foreign_disk()
        if self._disk and self._disk.state() is DiskState.WIPED:
            # What lies there may belong to somebody else.
            log.warning("the media disk is not the one that the database knows, so all its files were left alone")
            return []
        # Their age is all that counts: no project names them.
        expired = self._uploads.sweep(dry_run=dry_run)
        in_use = set(self._paths_in_use())
        if not in_use:
            # Rather the wrong database than a media folder of which really nothing is needed any more.
            log.warning("no project names a video, so all media files were left alone; is MONGODB_DATABASE right?")
            return expired
        return [*self._videos.sweep(in_use, _FILES_OLDER_THAN_SECONDS, dry_run=dry_run), *expired]

    def list_trash(self, owner: str | None = None) -> Iterator[Trashed]:
        """See `Housekeeping.list_trash`."""
        return self._trash.entries(owner)

    def purge(self, deleted_until: datetime, *, dry_run: bool = False) -> PurgeReport:
        """See `Housekeeping.purge`."""
        self._refuse_foreign_disk()
        return self._trash.purge(deleted_until, dry_run=dry_run)

    def _refuse_foreign_disk(self) -> None:
        if self._disk:
            self._disk.refuse_foreign()

    def _paths_in_use(self) -> Iterator[str]:
        for page in project_pages(self._projects, self._retry, _FILES):
            for project in page.projects:
                video = project.get("video") or {}
                yield from (path for path in (video.get("path"), video.get("thumbnailPath")) if path)
