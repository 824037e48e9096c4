"""What `flask doctor` looks at in the media room: the disk, and the tool that cuts."""

from __future__ import annotations

import tempfile
from pathlib import Path

from projectapi.errors import ProjectApiError
from projectapi.media.cutting import trial_command
from projectapi.media.disk_check import DiskCheck
from projectapi.media.sandbox import Limits, Sandbox, SandboxError, SandboxTimeout
from projectapi.protocols import Diagnosis, DiskState, MediaDisk, State, fail, ok, warn

_LIMITS = Limits(seconds=3.0, cpu_seconds=6, memory_bytes=2 * 2**30, output_bytes=2**20)


class Disk:
    """Whether there is room for videos, on a disk that lasts."""

    name = "disk"
    needs = ""

    def __init__(self, check: DiskCheck, *, vanishes: bool) -> None:
        self._check = check
        self._vanishes = vanishes

    def examine(self) -> Diagnosis:
        """See `Examination.examine`."""
        finding = self._check.look()
        found = f"{int(finding.facts['free_bytes'] or 0) / 2**30:.1f} GiB free under MEDIA_DIR"
        if not finding.facts["writable"]:
            return fail(f"{found}, but it cannot be written to", "See the owner and the rights of the folder.")
        if finding.state is not State.HEALTHY:
            return warn(f"{found}: too little for a video of MAX_UPLOAD_BYTES", finding.advice)
        if self._vanishes:
            return warn(
                f"{found}, which are wiped at each restart: videos do not last",
                "Mount a persistent disk and set MEDIA_DIR to a folder on it (Render: Disks; Heroku has none).",
            )
        return ok(found)


class Videos:
    """Whether the disk is the one that the database knows."""

    name = "videos"
    needs = "mongodb"

    def __init__(self, disk: MediaDisk) -> None:
        self._disk = disk

    def examine(self) -> Diagnosis:
        """See `Examination.examine`."""
        try:
            state = self._disk.state()
        except ProjectApiError:
            return warn("MongoDB did not say which disk is the right one", "See what this command says about MongoDB.")
        if state in (DiskState.WIPED, DiskState.ANOTHER):
            return fail("the disk under MEDIA_DIR was wiped, or is another", "Run `flask media check`.")
        return ok("on the disk that the database knows" if state is DiskState.KNOWN else "on a new disk")


class Ffmpeg:
    """Whether ffmpeg is there and can encode in the sandbox."""

    name = "ffmpeg"
    needs = ""

    def examine(self) -> Diagnosis:
        """See `Examination.examine`."""
        reinstall = "Run `pip install -r requirements.txt` again; until then no video can be cut."
        try:
            command = trial_command()
        except RuntimeError:
            return fail("there is no ffmpeg program", reinstall)
        sandbox = Sandbox(slots=1, wait_seconds=0.0)
        try:
            with tempfile.TemporaryDirectory() as scratch, sandbox.place():
                sandbox.run(command, source=Path(__file__), scratch=Path(scratch), limits=_LIMITS)
        except SandboxTimeout:
            return warn(f"encoding a moment of black took more than {_LIMITS.seconds:g} s", "See what keeps the CPU busy.")
        except (SandboxError, ProjectApiError, OSError):
            return fail("ffmpeg does not run in the sandbox", f"See the host's limits on memory and processes. {reinstall}")
        return ok("runs in the sandbox, and encodes")
