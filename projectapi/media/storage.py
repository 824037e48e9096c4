"""The media folder: where video files, thumbnails and trimmed videos lie, and how they get there and go.

::

    <root>/videos/<uuid>.<ext>             originals, never changed
    <root>/thumbnails/thumb_<uuid>.jpg     one for each original, same uuid
    <root>/trimmed/<uuid>_<request>.mp4    results of trimming that original; can be made again
    <root>/incoming/<uuid>.part            uploads on their way
    <root>/work/<random>/                  scratch folders of running tools
    <root>/looks/<uuid>_<what>             what is shown of that original (`looking`); can be made again
    <root>/uploads/<id>/                   uploads that may break off and go on: see `resumable`
    <root>/jobs/                           the jobs room's own, not touched here

All but the last are on one file system, so that a file takes its final name by a rename and is never seen half. A file
stands in `videos` before the database names it and leaves after the database forgot it: a crash in between leaves a file that
nothing points to, never a record without its file, and `MediaFolder.sweep` removes such files when they are old.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import stat
import tempfile
import time
import uuid
from collections.abc import Iterable, Iterator, Set
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from projectapi import errors
from projectapi.media.identities import begun_at, identity_of, new_identity
from projectapi.media.incoming import ArrivedVideo, IncomingVideo, full_disk_reported, video_too_large
from projectapi.project import FORM_OVERHEAD_BYTES, Video

VIDEOS, THUMBNAILS, TRIMMED, INCOMING, WORK = "videos", "thumbnails", "trimmed", "incoming", "work"
LOOKS = "looks"
_SERVED = (VIDEOS, THUMBNAILS, TRIMMED)

_UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_OUR_FILES = {
    VIDEOS: re.compile(_UUID + r"\.[0-9a-z]+"),
    THUMBNAILS: re.compile(rf"thumb_{_UUID}\.jpg"),
    TRIMMED: re.compile(_UUID + r"_[0-9a-f]{64}\.mp4"),
    INCOMING: re.compile(_UUID + r"\.part"),
    WORK: re.compile(r"run_\w+"),
    LOOKS: re.compile(_UUID + r"_[0-9a-z_]+\.(jpg|dat)(\.lock)?"),
}

_NO_STORAGE = "Videos cannot be stored on this server right now; your projects are not affected. Please try again later."

_log = logging.getLogger(__name__)


@contextmanager
def _refusal_reported(path: Path) -> Iterator[None]:
    """Turn what keeps `path` from being made into DiskFull or Unavailable, with the reason in the log."""
    try:
        with full_disk_reported():
            yield
    except OSError as error:
        _log.error("%s cannot be made in the media folder: %s", path, error)
        raise errors.Unavailable(_NO_STORAGE) from error


class MediaFolder:
    """The files below one root folder; every name that a method takes or returns is relative to it.

    Folders are made at their first use, because a process that stores nothing needs none. Raises Unavailable, and DiskFull,
    where one cannot be made. What would leave less than `reserve_bytes` free on the disk is refused before it begins.
    """

    def __init__(self, root: Path, max_upload_bytes: int, *, reserve_bytes: int = 0) -> None:
        self.root = root
        self.max_upload_bytes = max_upload_bytes
        self._reserve_bytes = reserve_bytes

    def new_part(self, expected_bytes: int | None = None) -> IncomingVideo:
        """Open a part file for an upload of about `expected_bytes` (its Content-Length, None if it has none).

        Raises VideoTooLarge and DiskFull before a byte is taken when the length alone tells so.
        """
        self.check_upload(expected_bytes or 0, around=FORM_OVERHEAD_BYTES)
        folder = self.made(INCOMING)
        path = folder / f"{uuid.uuid4()}.part"
        with _refusal_reported(path):
            return IncomingVideo(path, self.max_upload_bytes)

    def check_upload(self, size: int, *, around: int = 0) -> None:
        """Refuse a video of `size` bytes, `around` of which may not be its own. Raises VideoTooLarge, DiskFull."""
        if size > self.max_upload_bytes + around:
            raise video_too_large(self.max_upload_bytes)
        self._check_room_for(size)

    def _check_room_for(self, size: int) -> None:
        if size + self._reserve_bytes > shutil.disk_usage(self.made(INCOMING)).free:
            raise errors.DiskFull

    @contextmanager
    def work_folder(self, expected_bytes: int | None = None) -> Iterator[Path]:
        """Lend an empty scratch folder on the same file system and delete it afterwards with all that is in it.

        Raises DiskFull when there is no room for the `expected_bytes` of the work, and when the work meets a full disk. None
        stands for the end of an upload, which takes next to nothing and may use the reserve: a video that has come this far
        must not be sent again for it.
        """
        if expected_bytes is not None:
            self._check_room_for(expected_bytes)
        folder = self.made(WORK)
        with _refusal_reported(folder):
            path = Path(tempfile.mkdtemp(prefix="run_", dir=folder))
        try:
            with full_disk_reported():
                yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)

    def keep(self, part: ArrivedVideo, extension: str, thumbnail: Path | None) -> tuple[str, str | None]:
        """Give an upload and its thumbnail their lasting names, durably; return both names.

        Raises DiskFull; then neither is there.
        """
        identity = new_identity(part.begun_at)
        video_name = f"{VIDEOS}/{identity}{extension}"
        thumbnail_name = f"{THUMBNAILS}/thumb_{identity}.jpg" if thumbnail else None
        part.sync()
        try:
            if thumbnail and thumbnail_name:
                self.publish(thumbnail, thumbnail_name)
            part.move_to(self.made(VIDEOS) / Path(video_name).name)
            sync_folder(self.root / VIDEOS)
        except BaseException:
            self._remove(video_name, thumbnail_name)
            raise
        return video_name, thumbnail_name

    def publish(self, finished: Path, name: str) -> None:
        """Move a finished file from a scratch folder to `name`, durably and at once. Raises DiskFull."""
        folder, _, last = name.partition("/")
        with full_disk_reported():
            with open(finished, "rb") as file:
                os.fsync(file.fileno())
            os.replace(finished, self.made(folder) / last)
            sync_folder(self.root / folder)

    def put_back(self, name: str, chunks: Iterable[bytes]) -> None:
        """Write an original or a thumbnail that a backup kept to its name, in place of what may be there.

        Raises NotFound for a name that `keep` would not give.
        """
        folder, _, last = name.partition("/")
        if folder not in (VIDEOS, THUMBNAILS) or not _OUR_FILES[folder].fullmatch(last):
            raise errors.NotFound
        with self.work_folder() as scratch:
            finished = scratch / "file"
            with full_disk_reported(), finished.open("wb") as file:
                file.writelines(chunks)
            self.publish(finished, name)

    def is_made(self, name: str) -> bool:
        """Tell whether a file that can be made again is there; a sweep goes by age, and what is asked for stays young."""
        try:
            os.utime(self.root / name)
        except FileNotFoundError:
            return False
        return True

    def trimmed_name(self, video: Video, request: str) -> str:
        """Return the name of the result of trimming `video` as `request` (64 hexadecimal digits) asks."""
        return f"{TRIMMED}/{identity_of(video)}_{request}.mp4"

    def begun_at(self, video: Video) -> datetime | None:
        """Return when the upload of a video began, None for one that is stored since before names told that."""
        return begun_at(identity_of(video))

    def discard(self, video: Video) -> None:
        """Delete the files of a video that no record names any more; what is already gone does not matter."""
        self._remove(video.path, video.thumbnail_path)
        for path in (self.root / TRIMMED).glob(f"{identity_of(video)}_*.mp4"):
            path.unlink(missing_ok=True)
        for path in (self.root / LOOKS).glob(f"{identity_of(video)}_*"):
            path.unlink(missing_ok=True)

    def resolve(self, relative: str) -> Path:
        """Return where the served file `relative` (``videos/…``, ``thumbnails/…``, ``trimmed/…``) lies.

        Raises NotFound for everything else: other folders, ``..``, hidden files, links, folders, files that are not there.
        """
        folder, _, name = relative.partition("/")
        # The layout is flat, so one plain name below one known folder is all there ever is to serve.
        if folder not in _SERVED or not name or name.startswith(".") or any(c in name for c in "/\\\0"):
            raise errors.NotFound
        path = self.root / folder / name
        try:
            if not stat.S_ISREG(os.lstat(path).st_mode) or (self.root / folder).is_symlink():
                raise errors.NotFound
        except (OSError, ValueError) as error:
            raise errors.NotFound from error
        return path

    def sweep(self, in_use: Set[str], older_than_seconds: float, *, dry_run: bool = False) -> list[str]:
        """Delete what nothing points to and is older than `older_than_seconds`; return the names, sorted.

        `in_use` holds the paths of all videos and thumbnails that records name, of deleted projects too. Part files, scratch
        folders, trimmed videos and looks go by age alone. Files that projectapi did not name stay. With `dry_run` nothing goes.
        """
        newest = time.time() - older_than_seconds
        found = sorted(name for name in self._leftovers(newest) if name not in in_use)
        if not dry_run:
            for name in found:
                path = self.root / name
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink(missing_ok=True)
        return found

    def _leftovers(self, newest: float) -> Iterator[str]:
        for folder, ours in _OUR_FILES.items():
            for entry in self._entries(folder):
                if not ours.fullmatch(entry.name) or entry.is_symlink():
                    continue
                with suppress(FileNotFoundError):
                    if entry.stat(follow_symlinks=False).st_mtime < newest:
                        yield f"{folder}/{entry.name}"

    def _entries(self, folder: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(self.root / folder) as entries:
                return list(entries)
        except (FileNotFoundError, NotADirectoryError):
            return []

    def made(self, name: str) -> Path:
        """Return the folder `name` below the root, made if need be. Raises DiskFull, Unavailable."""
        path = self.root / name
        with _refusal_reported(path):
            path.mkdir(parents=True, exist_ok=True)
        return path

    def _remove(self, *names: str | None) -> None:
        for name in names:
            if name:
                with suppress(errors.NotFound, FileNotFoundError):
                    self.resolve(name).unlink()


def sync_folder(path: Path) -> None:
    """Wait until the names in a folder are on the disk."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
