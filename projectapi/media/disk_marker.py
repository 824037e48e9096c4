"""The mark on the media disk: ``<root>/.projectapi``, with a random name for the disk and the name of its database."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from projectapi import errors
from projectapi.media.storage import sync_folder
from projectapi.protocols import DiskMarker, Mark

MARKER = ".projectapi"

_MARK = re.compile(r"disk ([0-9a-f]{32})\n(?:database (.+)\n)?")
_TEXT = (
    "disk {disk}\ndatabase {database}\n"
    "Made by projectapi, which knows by it that this is the disk with the videos of that database. Please leave it here.\n"
)


class MarkerFile(DiskMarker):
    """`DiskMarker` in one folder."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._path = root / MARKER

    def read(self) -> Mark | None:
        """See `DiskMarker.read`."""
        try:
            found = _MARK.match(self._path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise errors.Unavailable from error
        # A mark that cannot be understood is not ours.
        return Mark(found[1], found[2]) if found else None

    def make(self, mark: Mark) -> None:
        """See `DiskMarker.make`."""
        # The mark gets its name only when it is whole: of several that make it at once, the first one's stays.
        with self._written(mark) as temporary, suppress(FileExistsError):
            os.link(temporary, self._path)

    def replace(self, mark: Mark) -> None:
        """See `DiskMarker.replace`."""
        with self._written(mark) as temporary:
            os.replace(temporary, self._path)

    @contextmanager
    def _written(self, mark: Mark) -> Iterator[str]:
        """Give a file with the mark in it, which goes afterwards if it is still there; then the disk knows its names."""
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            descriptor, temporary = tempfile.mkstemp(prefix=MARKER, dir=self._root)
            try:
                with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                    file.write(_TEXT.format(disk=mark.disk, database=mark.database))
                    os.fchmod(file.fileno(), 0o644)
                    file.flush()
                    os.fsync(file.fileno())
                yield temporary
            finally:
                Path(temporary).unlink(missing_ok=True)
            sync_folder(self._root)
        except OSError as error:
            raise errors.Unavailable from error
