"""Whether there is room for videos."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from projectapi.protocols import Finding, State

_ADVICE = "Make room under MEDIA_DIR (`flask db sweep`, `flask trash purge`), and see that it can be written to."


class DiskCheck:
    """Whether the media folder can take a video of the largest size; without that everything works but uploads."""

    name = "disk"
    when_silent = Finding(State.DEGRADED, {}, _ADVICE)

    def __init__(self, folder: Path, wanted_bytes: int) -> None:
        self._folder = folder
        self._wanted_bytes = wanted_bytes

    def look(self) -> Finding:
        """See `Check.look`."""
        # The folder is made by the first upload.
        folder = next(path for path in (self._folder, *self._folder.parents) if path.exists())
        free = shutil.disk_usage(folder).free
        writable = folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)
        facts = {"free_bytes": free, "writable": writable}
        if writable and free >= self._wanted_bytes:
            return Finding(State.HEALTHY, facts)
        return Finding(State.DEGRADED, facts, _ADVICE)
