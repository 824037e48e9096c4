"""The media room: everything about video files on disk. The rest of projectapi uses `MediaRoom` and nothing below it."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Iterator, Sequence, Set
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from projectapi import errors
from projectapi.media.file_names import readable_name
from projectapi.media.incoming import ArrivedVideo, IncomingVideo
from projectapi.media.probing import EXTENSIONS, inspect_video
from projectapi.media.resumable import ResumableVideos
from projectapi.media.sandbox import Sandbox
from projectapi.media.storage import MediaFolder
from projectapi.media.trimming import RUN_SECONDS, Trimmed, Trimmer
from projectapi.media.upload_places import UploadPlaces
from projectapi.project import Segment, Video
from projectapi.protocols import Report
from projectapi.timeline.cut import Edit

__all__ = ["EXTENSIONS", "IncomingVideo", "MediaRoom", "Trimmed"]

_log = logging.getLogger(__name__)


def _unheard(done: float) -> None:
    """Take the progress of work that nobody waits for."""


class MediaRoom:
    """Takes videos in, looks into them, cuts them and finds them again.

    It knows files and no projects: the caller records what `accept` returns, and calls `discard` for the video that the
    record named before, in this order. Nothing is made on the disk before it is needed. Every method may raise DiskFull where
    it writes, and Unavailable where the media folder cannot be made.
    """

    def __init__(
        self,
        root: Path,
        max_upload_bytes: int,
        *,
        reserve_bytes: int = 0,
        uploads_at_once: int = 4,
        upload_lifetime_seconds: float = 24 * 3600.0,
        inspections_at_once: int = 2,
        inspection_wait_seconds: float = 20.0,
        trim_run_seconds: float = RUN_SECONDS,
    ) -> None:
        self.folder = MediaFolder(root, max_upload_bytes, reserve_bytes=reserve_bytes)
        self._places = UploadPlaces(uploads_at_once)
        self.resumable = ResumableVideos(self.folder, self._places, lifetime_seconds=upload_lifetime_seconds)
        # Who waits for an inspection has uploaded a whole video already and would have to do it again. Cuts are jobs, which
        # have places of their own, so that they do not hold up uploads.
        self._inspections = Sandbox(slots=inspections_at_once, wait_seconds=inspection_wait_seconds)
        self._trimmer = Trimmer(self.folder, run_seconds=trim_run_seconds)

    @contextmanager
    def receive(self, expected_bytes: int | None = None) -> Iterator[IncomingVideo]:
        """Lend a part file to write an upload of about `expected_bytes` into; it is deleted unless it was accepted.

        Raises VideoTooLarge and DiskFull, here when the length tells so and else from the part's ``write``, and MediaBusy when
        this process takes as many uploads as it may already.
        """
        with self._places.taken(), self.folder.new_part(expected_bytes) as part:
            yield part

    def accept(self, part: ArrivedVideo, original_name: str | None) -> Video:
        """Probe a whole upload, make its thumbnail, store both for good and return the record of it.

        Raises InvalidVideo, MediaBusy, Unavailable, DiskFull and, when a tool of ours is broken, ProjectApiError; then the
        part is gone and nothing else has changed.
        """
        with part, self.folder.work_folder() as scratch:
            if part.bytes == 0:
                raise errors.InvalidVideo
            thumbnail = scratch / "thumbnail.jpg"
            found = inspect_video(part.path, thumbnail, self._inspections)
            path, thumbnail_path = self.folder.keep(part, EXTENSIONS[found.content_type], thumbnail)
            return Video(
                path=path,
                thumbnail_path=thumbnail_path,
                original_name=readable_name(original_name),
                content_type=found.content_type,
                bytes=part.bytes,
                sha256=part.sha256,
                container=found.container,
                video_codec=found.video_codec,
                audio_codec=found.audio_codec,
                width=found.width,
                height=found.height,
                frame_rate=found.frame_rate,
                rotation=found.rotation,
                duration=found.duration,
            )

    def begun_at(self, video: Video) -> datetime | None:
        """See `VideoFiles.begun_at`."""
        return self.folder.begun_at(video)

    def discard(self, video: Video) -> None:
        """Delete all files of a video that no record names any more: original, thumbnail, trimmed versions."""
        self.folder.discard(video)

    def find_trimmed(self, video: Video, segments: Sequence[Segment]) -> Trimmed | None:
        """See `VideoFiles.find_trimmed`."""
        self.path_of(video)
        return self._trimmer.find(self._trimmer.plan_trim(video, segments))

    def trim(self, video: Video, segments: Sequence[Segment], report: Report = _unheard) -> Trimmed:
        """See `VideoFiles.trim`: cut to half a frame, and the duration in seconds with it."""
        source = self.path_of(video)
        return self._trimmer.make(self._trimmer.plan_trim(video, segments), video, source, report)

    def find_rendered(self, video: Video, edit: Edit) -> Trimmed | None:
        """See `VideoFiles.find_rendered`."""
        self.path_of(video)
        return self._trimmer.find(self._trimmer.plan_render(video, edit))

    def render(self, video: Video, edit: Edit, report: Report = _unheard) -> Trimmed:
        """See `VideoFiles.render`."""
        source = self.path_of(video)
        return self._trimmer.make(self._trimmer.plan_render(video, edit), video, source, report)

    def path_of(self, video: Video) -> Path:
        """Return where the original lies. Raises VideoLost when the file is gone or is not what was stored."""
        try:
            path = self.folder.resolve(video.path)
            size = path.stat().st_size
        except (errors.NotFound, FileNotFoundError) as error:
            _log.error("the record names the video %s and the file is not there", video.path)
            raise errors.VideoLost from error
        if size != video.bytes:
            _log.error("the video %s has not the %d bytes that were stored", video.path, video.bytes)
            raise errors.VideoLost
        return path

    def sha256_of(self, video: Video) -> str:
        """Read the whole original and return its checksum, in hexadecimal. Raises VideoLost."""
        try:
            with open(self.path_of(video), "rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except FileNotFoundError as error:
            raise errors.VideoLost from error

    def thumbnail_path_of(self, video: Video) -> Path:
        """Return where the thumbnail (JPEG) lies. Raises ThumbnailNotFound."""
        try:
            return self.folder.resolve(video.thumbnail_path or "")
        except errors.NotFound as error:
            raise errors.ThumbnailNotFound from error

    def static_path(self, relative: str) -> Path:
        """Return where the file of ``/static/<relative>`` lies. Raises NotFound for what is not to be served."""
        return self.folder.resolve(relative)

    def put_back(self, name: str, chunks: Iterable[bytes]) -> None:
        """Store a file of a backup under the name (``videos/…``, ``thumbnails/…``) that a record has for it, durably.

        Raises NotFound for a name that is none of ours, DiskFull and Unavailable.
        """
        self.folder.put_back(name, chunks)

    def sweep(self, in_use: Set[str], older_than_seconds: float, *, dry_run: bool = False) -> list[str]:
        """Delete old files that nothing points to and return their names.

        `in_use` holds `path` and `thumbnail_path` of the videos of all projects, deleted ones too.
        """
        return self.folder.sweep(in_use, older_than_seconds, dry_run=dry_run)
