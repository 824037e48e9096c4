"""The bytes of a resumable upload, all there, on their way to becoming a project's video."""

from __future__ import annotations

import hashlib
import os
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from projectapi.media.incoming import full_disk_reported


class WholeUpload:
    """A file that gets a second name when it is stored: until the project's record names it, the upload keeps the first.

    `sha256` is known when all bytes came in one request; else the file is read once more for it.
    """

    def __init__(self, path: Path, sha256: str | None, begun_at: datetime) -> None:
        self.path = path
        self.begun_at = begun_at
        self._sha256 = sha256

    @property
    def bytes(self) -> int:
        """The length of the file."""
        return self.path.stat().st_size

    @property
    def sha256(self) -> str:
        """The checksum of the file, in hexadecimal."""
        if self._sha256 is None:
            with open(self.path, "rb") as file:
                self._sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        return self._sha256

    def sync(self) -> None:
        """Wait until the bytes are on the disk. Raises DiskFull."""
        with open(self.path, "rb") as file, full_disk_reported():
            os.fsync(file.fileno())

    def move_to(self, target: Path) -> None:
        """Give the file the name `target` as well; on disks where a file has one name only, it is moved."""
        # A sweep goes by age, and the last bytes may have come long ago.
        os.utime(self.path)
        with full_disk_reported():
            try:
                os.link(self.path, target)
            except OSError:
                # Every file system has an error of its own for links that it does not know; any other trouble shows again here.
                os.replace(self.path, target)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Leave the file where it is: the upload looks after it."""
