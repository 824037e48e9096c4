"""The one way to run a tool on an untrusted file: a child process that can do little, for a short time.

A file's name and claims say nothing about it: an ``.mp4`` that is really a playlist makes ffmpeg open other people's files
and URLs. So the tool never learns a path. It finds the untrusted file as open descriptor `FIRST_INPUT` (``-fd 3 -i fd:``),
may use no other protocol and only the containers in `CONTAINERS`, works in an empty scratch folder with an empty environment,
and is killed, with everything that it started, when its time is over or when this process ends.
"""

from __future__ import annotations

import json
import logging
import os
import re
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from projectapi import errors
from projectapi.media.sandbox_child import FIRST_INPUT

__all__ = ["CONTAINERS", "FIRST_INPUT", "Limits", "Sandbox", "SandboxError", "SandboxTimeout"]

CONTAINERS = "mov,mp4,matroska,webm,avi,ogg"
"""ffmpeg's names of the containers that it may recognise, whatever the content claims to be."""

_CHILD = str(Path(__file__).with_name("sandbox_child.py"))
_READ_SIZE = 65536
_WATCH_SECONDS = 0.25
_POLL_SECONDS = 0.002
_STDOUT_MAX = 262_144
_STDERR_MAX = 8_192
_NO_ROOM = re.compile(rb"No space left on device|Disk quota exceeded")

_log = logging.getLogger(__name__)


class SandboxError(Exception):
    """The tool failed, crashed or broke a limit; what it complained about is in the log at debug level and nowhere else.

    `status` is its exit status, or the negative number of the signal that killed it; 0 when we ended it.
    """

    def __init__(self, status: int = 0) -> None:
        super().__init__(f"exit status {status}")
        self.status = status


class SandboxTimeout(SandboxError):
    """The tool did not end in time and was killed with everything that it started."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one run may use: seconds on the clock and on all processors together, bytes of address space and of one output."""

    seconds: float
    cpu_seconds: int
    memory_bytes: int
    output_bytes: int


class Sandbox:
    """Runs tools, at most `slots` at once in this process; more wait up to `wait_seconds` for a place."""

    def __init__(self, *, slots: int, wait_seconds: float) -> None:
        self._slots = threading.BoundedSemaphore(slots)
        self._wait_seconds = wait_seconds

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold one of the places for runs. Raises MediaBusy when none gets free in time."""
        if not self._slots.acquire(timeout=self._wait_seconds):
            raise errors.MediaBusy
        try:
            yield
        finally:
            self._slots.release()

    def run(
        self,
        command: Sequence[str],
        *,
        source: Path,
        opened: int = 1,
        scratch: Path,
        limits: Limits,
        watch: Callable[[bytes], None] = lambda printed: None,
    ) -> bytes:
        """Run `command` (its program as an absolute path) in `scratch` and return what it printed, at most 256 KiB.

        `source` is open `opened` times, from descriptor `FIRST_INPUT` on. The caller holds a `place`. Raises SandboxTimeout,
        SandboxError for every other failure, DiskFull when the tool met one, and FileNotFoundError without `source`.

        `watch` gets what the tool prints as it comes, and nothing every quarter of a second; what it raises ends the tool.
        """
        source.stat()
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-B", _CHILD, _order(command, source, opened, limits)],
            cwd=scratch,
            env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "TMPDIR": str(scratch), "MALLOC_ARENA_MAX": "2"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            output, complaints = _listen(process, time.monotonic() + limits.seconds, watch)
        finally:
            _end(process)
        _log.debug("%s ended with %s: %s", Path(command[0]).name, process.returncode, complaints)
        if process.returncode != 0:
            if _NO_ROOM.search(complaints):
                raise errors.DiskFull
            raise SandboxError(process.returncode)
        return output


def _order(command: Sequence[str], source: Path, opened: int, limits: Limits) -> str:
    return json.dumps(
        {
            "parent": os.getpid(),
            "input": str(source.absolute()),
            "inputs": opened,
            "cpu_seconds": limits.cpu_seconds,
            "memory_bytes": limits.memory_bytes,
            "output_bytes": limits.output_bytes,
            "command": list(command),
        }
    )


def _listen(
    process: subprocess.Popen[bytes], deadline: float, watch: Callable[[bytes], None]
) -> tuple[bytes, bytes]:
    """Read both outputs until they end and the process with them; return the beginning of the first, the end of the second.

    A tool complains of the file that it reads first, as long as it likes, and last of what made it end.
    """
    assert process.stdout and process.stderr
    printed, complaints = bytearray(), bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        selector.register(process.stderr, selectors.EVENT_READ)
        while selector.get_map():
            watch(b"")
            for key, _ in selector.select(min(_time_left(deadline), _WATCH_SECONDS)):
                data = os.read(key.fd, _READ_SIZE)
                if not data:
                    selector.unregister(key.fileobj)
                if key.fileobj is process.stdout:
                    watch(data)
                    printed += data[: _STDOUT_MAX - len(printed)]
                else:
                    complaints += data
                    del complaints[:-_STDERR_MAX]
    while not _has_ended(process):
        time.sleep(min(_POLL_SECONDS, _time_left(deadline)))
    return bytes(printed), bytes(complaints)


def _time_left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise SandboxTimeout
    return left


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Tell whether the process has ended, and leave its number in use, so that its group can still be named by it."""
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _end(process: subprocess.Popen[bytes]) -> None:
    """Make sure that nothing of the run is left: not the process, not what it started, not our ends of its pipes."""
    # Also when the process itself has ended well: what it left behind in its group ends with it.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for stream in (process.stdout, process.stderr):
        if stream:
            stream.close()
