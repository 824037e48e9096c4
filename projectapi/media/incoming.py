"""A video on its way in: bytes go straight to a part file on the media disk, hashed and counted as they pass."""

from __future__ import annotations

import errno
import hashlib
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from projectapi import errors

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_UNITS = (("GB", 2**30), ("MB", 2**20), ("KB", 2**10))


def size_in_words(size: int) -> str:
    """Return a number of bytes as people write it, in binary units: 2147483648 is ``2GB``."""
    for unit, factor in _UNITS:
        if size >= factor:
            return f"{size / factor:.4g}{unit}"
    return f"{size} bytes"


def video_too_large(limit: int) -> errors.VideoTooLarge:
    """Return the error that names the real limit, in bytes, of this server."""
    return errors.VideoTooLarge(f"File size too large. Maximum size is {size_in_words(limit)}.")


@contextmanager
def full_disk_reported() -> Iterator[None]:
    """Turn "no space left", "quota exceeded" and "file too large for this disk" into DiskFull; others pass."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise errors.DiskFull from error
        raise


class ArrivedVideo(Protocol):
    """A whole file that is not yet in its place; leaving its ``with`` block deletes it if it is nobody's any more."""

    @property
    def begun_at(self) -> datetime: ...
    @property
    def path(self) -> Path: ...
    @property
    def bytes(self) -> int: ...
    @property
    def sha256(self) -> str: ...
    def sync(self) -> None: ...
    def move_to(self, target: Path, /) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class IncomingVideo(io.RawIOBase):
    """A part file that is written once, front to back, and is deleted unless it is kept.

    It is what a multipart parser or a copying loop needs of a binary file. Leaving its ``with`` block, closing it or losing
    it deletes the part; `MediaFolder.keep` gives it a name that stays. Bytes may be read back after ``seek``; writing goes on
    only at the end, because the checksum covers bytes in the order of their arrival.
    """

    def __init__(self, path: Path, max_bytes: int) -> None:
        super().__init__()
        self.begun_at = datetime.now(UTC)
        self.path = path
        self.bytes = 0
        self._max_bytes = max_bytes
        self._hash = hashlib.sha256()
        self._kept = False
        self._file: io.FileIO | None = None
        with full_disk_reported():
            self._file = io.FileIO(path, "x+")

    @property
    def sha256(self) -> str:
        """The checksum of what was written so far, in hexadecimal."""
        return self._hash.hexdigest()

    def write(self, data: bytes | bytearray | memoryview, /) -> int:  # type: ignore[override]
        """Append `data` whole and return its length in bytes. Raises VideoTooLarge and DiskFull; then the part is gone."""
        try:
            return self._append(memoryview(data).cast("B"))
        except BaseException:
            self.close()
            raise

    def _append(self, data: memoryview) -> int:
        file = self._opened()
        if file.tell() != self.bytes:
            raise io.UnsupportedOperation("an incoming video is written at its end only")
        if self.bytes + len(data) > self._max_bytes:
            raise video_too_large(self._max_bytes)
        rest = data
        with full_disk_reported():
            while rest:
                rest = rest[file.write(rest) :]
        self._hash.update(data)
        self.bytes += len(data)
        return len(data)

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]
        """Fill `buffer` from the current position and return the number of bytes."""
        return self._opened().readinto(buffer) or 0

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Move to a position in bytes, which is returned."""
        return self._opened().seek(offset, whence)

    def tell(self) -> int:
        """Return the position in bytes."""
        return self._opened().tell()

    def fileno(self) -> int:
        """Return the part file's descriptor."""
        return self._opened().fileno()

    def readable(self) -> bool:
        """Tell that the bytes can be read back."""
        return True

    def writable(self) -> bool:
        """Tell that bytes can be written."""
        return True

    def seekable(self) -> bool:
        """Tell that the position can be moved."""
        return True

    def sync(self) -> None:
        """Wait until the bytes are on the disk. Raises DiskFull: some file systems find out only now."""
        with full_disk_reported():
            os.fsync(self.fileno())

    def move_to(self, target: Path) -> None:
        """Rename the synced part to `target` on the same file system; from now on it is not deleted any more."""
        with full_disk_reported():
            os.replace(self.path, target)
        self.path = target
        self._kept = True

    def close(self) -> None:
        """Close the file and delete it unless it was kept. Closing twice does no harm."""
        if not self.closed and self._file is not None:
            self._file.close()
            if not self._kept:
                with suppress(FileNotFoundError):
                    os.unlink(self.path)
        super().close()

    def _opened(self) -> io.FileIO:
        if self.closed or self._file is None:
            raise ValueError("this incoming video was closed")
        return self._file

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
