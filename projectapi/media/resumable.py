"""Uploads that may break off and go on: one folder each, whose files are all that is known of them.

::

    <root>/uploads/<id>/upload.json    what the client planned, written last when the upload begins, deleted first when it ends
    <root>/uploads/<id>/part           the bytes; its length is the offset, its time of change is when the last ones came
    <root>/uploads/<id>/unchecked      while bytes with a checksum arrive: the offset to return to if they are never checked
    <root>/uploads/<id>/stored         the whole became the project's video, and the bytes are gone from here
    <root>/uploads/<id>/wanted         another request waits for this upload

Nothing is kept in memory or in the database, so any worker goes on where a killed one stopped. The folder itself is the lock
(``flock``): the kernel lets go of it when the process that held it ends, however it ends.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from projectapi import errors
from projectapi.media.incoming import full_disk_reported
from projectapi.media.storage import MediaFolder, sync_folder
from projectapi.media.upload_lock import WANTED, upload_locked
from projectapi.media.upload_places import UploadPlaces
from projectapi.media.whole_upload import WholeUpload
from projectapi.protocols import Checksum, UploadPlan

UPLOADS = "uploads"

_ID = re.compile(r"[0-9a-f]{32}")
_PLAN, _PART, _UNCHECKED, _STORED = "upload.json", "part", "unchecked", "stored"
_CHUNK_BYTES = 256 * 1024


class ResumableVideo:
    """One upload, held by the request at hand; see `projectapi.protocols.ResumableUpload`."""

    def __init__(self, folder: Path, plan: UploadPlan, lifetime_seconds: float) -> None:
        self.plan = plan
        self._folder = folder
        self._lifetime_seconds = lifetime_seconds
        self._sha256: str | None = None
        self._safe_bytes: int | None = None
        if self.is_stored:
            return
        if not (folder / _PART).exists():
            # Moved away by an attempt to store it that was cut off, on a disk where a file has one name only.
            raise errors.UploadNotFound
        self._drop_unchecked()

    @property
    def is_stored(self) -> bool:
        """See the protocol."""
        return (self._folder / _STORED).exists()

    @property
    def offset(self) -> int:
        """See the protocol; what a request that was killed had written is made safe before it is counted."""
        if self.is_stored:
            return self.plan.length
        # Who holds the upload is the only one that writes to it: what is safe is found out once.
        if self._safe_bytes is None:
            with open(self._folder / _PART, "rb") as part, full_disk_reported():
                os.fsync(part.fileno())
                self._safe_bytes = os.fstat(part.fileno()).st_size
        return self._safe_bytes

    @property
    def begun_at(self) -> datetime:
        """See the protocol."""
        return datetime.fromtimestamp(_changed_at(self._folder / _PLAN), UTC)

    @property
    def expires_at(self) -> datetime:
        """See the protocol."""
        last = max(_changed_at(self._folder / name) for name in (_PART, _STORED))
        return datetime.fromtimestamp(last + self._lifetime_seconds, UTC)

    def append(self, chunks: Iterable[bytes], checksum: Checksum | None = None) -> None:
        """See the protocol."""
        start = (self._folder / _PART).stat().st_size
        if checksum is not None:
            _write_durably(self._folder / _UNCHECKED, str(start))
        whole, checked = hashlib.sha256(), hashlib.new(checksum.algorithm) if checksum else None
        with full_disk_reported(), open(self._folder / _PART, "ab", buffering=0) as part:
            try:
                for chunk in chunks:
                    self._write(part.fileno(), chunk)
                    for digest in (whole if start == 0 else None, checked):
                        if digest is not None:
                            digest.update(chunk)
            finally:
                self._safe_bytes = None
                os.fsync(part.fileno())
            self._safe_bytes = os.fstat(part.fileno()).st_size
        if checksum is not None and checked is not None:
            self._check(checked.digest() == checksum.digest)
        if start == 0:
            self._sha256 = whole.hexdigest()

    def is_wanted_elsewhere(self) -> bool:
        """See the protocol."""
        return (self._folder / WANTED).exists()

    def chunks(self) -> Iterator[bytes]:
        """See the protocol."""
        with open(self._folder / _PART, "rb", buffering=0) as part:
            while data := part.read(_CHUNK_BYTES):
                yield data

    def whole(self) -> WholeUpload:
        """See the protocol."""
        return WholeUpload(self._folder / _PART, self._sha256, self.begun_at)

    def settle(self) -> None:
        """See the protocol."""
        _write_durably(self._folder / _STORED, "")
        (self._folder / _PART).unlink(missing_ok=True)

    def discard(self) -> None:
        """See the protocol."""
        _remove(self._folder)

    def _write(self, descriptor: int, chunk: bytes) -> None:
        if os.fstat(descriptor).st_size + len(chunk) > self.plan.length:
            raise errors.VideoTooLarge("More bytes came than were announced for this upload.")
        rest = memoryview(chunk)
        while rest:
            rest = rest[os.write(descriptor, rest) :]

    def _check(self, are_the_same: bool) -> None:
        if not are_the_same:
            # Who opens the upload next drops them, as after a kill.
            raise errors.ChecksumMismatch
        self._unmark()

    def _drop_unchecked(self) -> None:
        """Go back to before the bytes that came with a checksum and were cut off before it could be compared."""
        mark = self._folder / _UNCHECKED
        if mark.exists():
            with open(self._folder / _PART, "rb+") as part:
                # A part with a second name is a stored video already, of which nothing may be cut off.
                if os.fstat(part.fileno()).st_nlink == 1:
                    part.truncate(int(mark.read_text()))
                    os.fsync(part.fileno())
            self._unmark()

    def _unmark(self) -> None:
        # Synced before the client hears of the bytes: a mark that came back with the power would drop them.
        (self._folder / _UNCHECKED).unlink()
        sync_folder(self._folder)


class ResumableVideos:
    """All uploads below one media folder; see `projectapi.protocols.ResumableUploads`.

    An upload that was left alone for `lifetime_seconds` is gone. Who wants one that another request holds waits for
    `lock_wait_seconds`, in which that one lets go if its client has fallen silent.
    """

    def __init__(
        self, folder: MediaFolder, places: UploadPlaces, *, lifetime_seconds: float, lock_wait_seconds: float = 3.0
    ) -> None:
        self._folder = folder
        self._lifetime_seconds = lifetime_seconds
        self._lock_wait_seconds = lock_wait_seconds
        self.receiving = places.taken

    def create(self, plan: UploadPlan) -> str:
        """See the protocol."""
        self._folder.check_upload(plan.length)
        upload_id = secrets.token_hex(16)
        folder = self._folder.made(UPLOADS) / upload_id
        with full_disk_reported():
            folder.mkdir()
            try:
                (folder / _PART).touch()
                _write_durably(folder / _PLAN, json.dumps(asdict(plan)))
                sync_folder(folder.parent)
            except BaseException:
                _remove(folder)
                raise
        return upload_id

    @contextmanager
    def open(self, upload_id: str) -> Iterator[ResumableVideo]:
        """See the protocol."""
        if not _ID.fullmatch(upload_id):
            raise errors.UploadNotFound
        folder = self._folder.root / UPLOADS / upload_id
        with upload_locked(folder, self._lock_wait_seconds):
            upload = ResumableVideo(folder, _plan_in(folder), self._lifetime_seconds)
            if upload.expires_at <= datetime.now(UTC):
                upload.discard()
                raise errors.UploadExpired
            yield upload

    def sweep(self, *, dry_run: bool = False) -> list[str]:
        """See the protocol; what a request holds right now is in use, however old it is."""
        oldest = time.time() - self._lifetime_seconds
        swept = []
        for folder in sorted((self._folder.root / UPLOADS).glob("*")):
            if not _ID.fullmatch(folder.name) or folder.is_symlink():
                continue
            with suppress(errors.UploadNotFound, errors.UploadLocked), upload_locked(folder, 0):
                if max(_changed_at(path) for path in (folder, folder / _PART)) > oldest:
                    continue
                swept.append(f"{UPLOADS}/{folder.name}")
                if not dry_run:
                    _remove(folder)
        return swept


def _plan_in(folder: Path) -> UploadPlan:
    try:
        found: dict[str, Any] = json.loads((folder / _PLAN).read_text())
    except FileNotFoundError as error:
        # Ended while we waited for the lock, or killed when it had hardly begun.
        raise errors.UploadNotFound from error
    return UploadPlan(**found)


def _changed_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _write_durably(path: Path, text: str) -> None:
    with full_disk_reported():
        with open(path, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        sync_folder(path.parent)


def _remove(folder: Path) -> None:
    # The plan first: without it the upload does not exist any more, whatever else is still there.
    (folder / _PLAN).unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
