"""One request at a time for each upload: the kernel lets go of the lock when the process that held it ends, however it ends."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from projectapi import errors

WANTED = "wanted"
"""The file by which a request that waits says so to the one that has the upload."""

_POLL_SECONDS = 0.05


@contextmanager
def upload_locked(folder: Path, wait_seconds: float) -> Iterator[None]:
    """Hold the lock of an upload's folder. Raises UploadNotFound, UploadLocked."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise errors.UploadNotFound from error
    try:
        _take(descriptor, folder / WANTED, wait_seconds)
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int, wanted: Path, wait_seconds: float) -> None:
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() >= deadline:
                raise errors.UploadLocked from error
            # On a full disk nobody is asked to make way, and that is all.
            with suppress(OSError):
                wanted.touch()
            time.sleep(_POLL_SECONDS)
        else:
            wanted.unlink(missing_ok=True)
            return
