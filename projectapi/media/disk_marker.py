"""The mark on the media disk: ``<root>/.projectapi``, a file with a random name for the disk, which nothing ever changes."""

from __future__ import annotations

import os
import re
import tempfile
import uuid
from contextlib import suppress
from pathlib import Path

from projectapi import errors
from projectapi.media.storage import sync_folder
from projectapi.protocols import DiskMarker

MARKER = ".projectapi"

_NAME = re.compile(r"disk ([0-9a-f]{32})\n")
_TEXT = "disk {name}\nMade by projectapi, which knows by it that this is the disk with its videos. Please leave it here.\n"


class MarkerFile(DiskMarker):
    """`DiskMarker` in one folder."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._path = root / MARKER

    def read(self) -> str | None:
        """See `DiskMarker.read`."""
        try:
            found = _NAME.match(self._path.read_text(encoding="ascii"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise errors.Unavailable from error
        # A mark that cannot be understood is not ours.
        return found[1] if found else None

    def make(self) -> str:
        """See `DiskMarker.make`."""
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            self._link_whole_file()
            sync_folder(self._root)
        except OSError as error:
            raise errors.Unavailable from error
        name = self.read()
        if name is None:
            raise errors.Unavailable
        return name

    def _link_whole_file(self) -> None:
        """Give the mark its name only when it is whole: of several that make it at once, the first one's stays."""
        descriptor, temporary = tempfile.mkstemp(prefix=MARKER, dir=self._root)
        try:
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(_TEXT.format(name=uuid.uuid4().hex))
                os.fchmod(file.fileno(), 0o644)
                file.flush()
                os.fsync(file.fileno())
            with suppress(FileExistsError):
                os.link(temporary, self._path)
        finally:
            os.unlink(temporary)
