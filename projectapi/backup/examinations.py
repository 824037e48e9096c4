"""What `flask doctor` looks at for backups."""

from __future__ import annotations

import os
from pathlib import Path

from projectapi.protocols import Diagnosis, ok, warn


class BackupDirectory:
    """Whether archives can be written into the folder for them, which the first backup makes."""

    name = "backups"
    needs = ""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def examine(self) -> Diagnosis:
        """See `Examination.examine`."""
        # Unlike Path.exists, this one does not raise for what lies in a folder that one may not look into.
        existing = next(path for path in (self._folder, *self._folder.parents) if os.path.exists(path))
        if not os.access(existing, os.W_OK | os.X_OK, effective_ids=True):
            return warn("BACKUP_DIR cannot be written to", "Set it to a folder of this user, on another disk than the data.")
        return ok("BACKUP_DIR can be written to")
