"""The folder of the stand-ins' data: which process owns it, and which servers run on it."""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from projectapi.devstack.processes import DevstackError

_LOCK = "devstack.lock"


@dataclass(frozen=True)
class ServerRecord:
    """A running server, as written down for other processes and for the next start."""

    name: str
    variable: str
    uri: str
    pid: int
    program: str
    folder: str


@dataclass(frozen=True)
class StackRecord:
    """What runs on a folder: the owner's process id and the servers; `ready` when all of them answer."""

    pid: int
    ready: bool
    servers: tuple[ServerRecord, ...]


class DataFolder:
    """The folder `path`: at most one process owns it, as long as it lives; `devstack.json` in it says what runs there."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._state = path / "devstack.json"
        self._lock: IO[bytes] | None = None

    def acquire(self) -> bool:
        """Become the folder's owner unless another process is; raise DevstackError when it cannot be written to."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock = (self.path / _LOCK).open("ab")
        except OSError as error:
            raise DevstackError(f"The data folder {self.path} cannot be written to ({error.strerror}).") from error
        try:
            # A lock of the process (POSIX), not of the open file (flock): gunicorn's workers are forks of the owner, and
            # would keep the folder locked for a while after the owner was killed.
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            return False
        lock.truncate(0)
        lock.write(str(os.getpid()).encode())
        lock.flush()
        self._lock = lock
        return True

    def holder(self) -> int | None:
        """Return the id of the process that owns the folder; not for the owner itself, whose lock this would undo."""
        try:
            return int((self.path / _LOCK).read_bytes())
        except (OSError, ValueError):
            return None

    def release(self) -> None:
        """Give the folder up and forget what ran there."""
        self._state.unlink(missing_ok=True)
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def read(self) -> StackRecord | None:
        """Return what was last written down, or None when there is nothing or nothing that makes sense."""
        try:
            record = json.loads(self._state.read_bytes())
            servers = tuple(ServerRecord(**server) for server in record["servers"])
            return StackRecord(pid=int(record["pid"]), ready=record["ready"] is True, servers=servers)
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, *, ready: bool, servers: tuple[ServerRecord, ...]) -> None:
        """Write down that this process runs `servers`, so that a reader sees either all of it or nothing."""
        record = StackRecord(pid=os.getpid(), ready=ready, servers=servers)
        draft = self._state.with_suffix(".draft")
        draft.write_text(json.dumps(asdict(record), indent=2) + "\n", encoding="utf-8")
        draft.replace(self._state)
