"""What whoever runs projectapi is told about the disk with the videos: at start, and by `/health/ready`."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from projectapi.errors import ProjectApiError
from projectapi.protocols import DiskState, Finding, MediaDisk, State

ADVICE = {
    DiskState.NEW: "",
    DiskState.KNOWN: "",
    DiskState.WIPED: (
        "The disk with the videos was wiped, or another one is mounted: MEDIA_DIR lacks the mark that was made on it. Projects "
        "and timelines are safe; videos that are gone must be uploaded again, and the same file is attached to its project as "
        "it was. `flask media check` lists them; `flask media sweep --accept-disk` accepts this disk as the new one."
    ),
    DiskState.ANOTHER: (
        "The disk with the videos is not the one that the database knows: MEDIA_DIR bears the mark of another. Mount the right "
        "one; let several servers of one database share one disk, and give each database a disk or folder of its own. Projects "
        "and timelines are safe, and nothing is deleted here. `flask media check` lists the missing videos; `flask media sweep "
        "--accept-disk` makes this disk the database's own, and no other's."
    ),
}

_VANISHING = (
    "This host (%s) deletes its disk at every restart, at least once a day: projects and timelines stay, videos do not, and "
    "must then be uploaded again. %s"
)
_HEROKU_ADVICE = "Heroku suits trying things out; for real work use a host with a persistent disk."
_RENDER_ADVICE = "Add a persistent disk to the service and set MEDIA_DIR to a folder on it."

_log = logging.getLogger(__name__)


def announce_disk(disk: MediaDisk, media_dir: Path, *, on_heroku: bool, on_render: bool) -> None:
    """Mark a new disk, and log what is to be known of it; with the database away, that this is not known. Does not raise."""
    if on_heroku:
        _log.warning(_VANISHING, "Heroku", _HEROKU_ADVICE)
    elif on_render and not is_mounted(media_dir):
        _log.warning(_VANISHING, "Render, without a disk at MEDIA_DIR", _RENDER_ADVICE)
    try:
        disk.mark_new()
        state = disk.state()
    except ProjectApiError as error:
        _log.warning("Whether the disk with the videos is the right one cannot be told now: %s", error.code)
        return
    if ADVICE[state]:
        _log.error("%s", ADVICE[state])


class SameDiskCheck:
    """Whether the disk with the videos is the one that the database knows; projects and new videos do not suffer else."""

    name = "videos"
    when_silent = Finding(State.UNKNOWN, {}, "See whether the disk at MEDIA_DIR can be read.")

    def __init__(self, disk: MediaDisk) -> None:
        self._disk = disk

    def look(self) -> Finding:
        """See `Check.look`."""
        try:
            # Left over from a start without the database.
            self._disk.mark_new()
            state = self._disk.state()
        except ProjectApiError:
            return self.when_silent
        healthy = state in (DiskState.NEW, DiskState.KNOWN)
        return Finding(State.HEALTHY if healthy else State.DEGRADED, {"disk": str(state)}, ADVICE[state])


def is_mounted(folder: Path) -> bool:
    """Tell whether a folder lies on a disk that was mounted, and not on the system's own."""
    return any(os.path.ismount(path) for path in (folder, *folder.parents) if path != Path(folder.anchor))
