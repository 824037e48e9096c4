"""Programs under measurement: started on a free port, and their CPU read to the microsecond."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from projectapi.devstack.processes import start_child, wait_or_kill, wait_until

ROOT = Path(__file__).parents[1]
HOST = "127.0.0.1"
START_SECONDS = 60.0
_SCHEDULER_CLOCK = 2


def free_port() -> int:
    """Return a TCP port of the loopback interface that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(frozen=True)
class Running:
    """A started program."""

    port: int
    process: subprocess.Popen[bytes]
    log: Path

    def cpu_seconds(self) -> float:
        """Return the CPU time, user and system, that the program and all that came from it have used so far."""
        return sum(_cpu_seconds(pid) for pid in (self.process.pid, *_descendants(self.process.pid)))

    def log_tail(self) -> str:
        """Return the last lines of the program's log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])


@contextmanager
def running(command: Sequence[str], port: int, log: Path, environment: dict[str, str]) -> Iterator[Running]:
    """Run a Python module (`command` follows ``python -m``) that listens on `port`; end it afterwards."""
    before = dict(os.environ)
    os.environ.update(environment)
    try:
        process = start_child([sys.executable, "-m", *command], log=log)
    finally:
        os.environ.clear()
        os.environ.update(before)
    try:
        if not wait_until(lambda: process.poll() is not None or _answers(port), START_SECONDS) or process.poll() is not None:
            raise RuntimeError(f"{command[0]} does not answer on port {port}: {_last_line(log)}")
        yield Running(port, process, log)
    finally:
        process.terminate()
        wait_or_kill(process, 10.0)


def _answers(port: int) -> bool:
    # gunicorn listens before its worker is there, so only an answer shows that all is well.
    try:
        with socket.create_connection((HOST, port), timeout=5.0) as connection:
            connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            return connection.recv(4) == b"HTTP"
    except OSError:
        return False


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "its log is empty"


def _cpu_seconds(pid: int) -> float:
    # The clock of another process (Linux: the id's complement and the clock's number in one integer). It counts nanoseconds
    # where /proc/PID/stat counts ticks of 10 ms.
    try:
        return time.clock_gettime(~pid << 3 | _SCHEDULER_CLOCK)
    except OSError:
        return 0.0


def _descendants(pid: int) -> Iterator[int]:
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = task.read_text().split()
        except OSError:
            continue
        for child in children:
            yield int(child)
            yield from _descendants(int(child))
