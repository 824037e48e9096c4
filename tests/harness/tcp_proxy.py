"""A TCP proxy on the loopback interface that can fail in the ways in which networks do."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from enum import Enum, auto
from types import TracebackType

HOST = "127.0.0.1"
_CHUNK_BYTES = 1 << 16


class Mode(Enum):
    """What the proxy does with connections, also with those that are open already."""

    PASS = auto()
    DROP = auto()
    """Close them."""
    BLACKHOLE = auto()
    """Accept them, swallow what comes and never answer."""
    DELAY = auto()
    """Pass everything on, each piece `delay_seconds` later."""


class TcpProxy:
    """Listens on a `port` of its own and connects to `target_port`; set its mode with `switch`, end it with `close`."""

    def __init__(self, target_port: int, *, delay_seconds: float = 0.0) -> None:
        self._target_port = target_port
        self._delay_seconds = delay_seconds
        self._mode = Mode.DELAY if delay_seconds else Mode.PASS
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server((HOST, 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self._start(self._accept)

    def __enter__(self) -> TcpProxy:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def switch(self, mode: Mode, *, delay_seconds: float | None = None) -> None:
        """Behave in another way from now on."""
        before, self._mode = self._mode, mode
        if delay_seconds is not None:
            self._delay_seconds = delay_seconds
        if Mode.BLACKHOLE in (before, mode) or mode is Mode.DROP:
            # Half a message may have been swallowed: such a connection can never be used again. And a hole opened under a
            # connection hides both directions, whatever is on its way.
            self._break_connections(shut=mode is not Mode.BLACKHOLE)

    def close(self) -> None:
        """Stop listening, break all connections and wait for the threads."""
        self._mode = Mode.DROP
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._break_connections(shut=True)
        for thread in self._threads:
            thread.join(10)

    def _break_connections(self, *, shut: bool) -> None:
        if not shut:
            return
        with self._lock:
            connections = list(self._open)
        for connection in connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _start(self, run: object, *arguments: object) -> None:
        thread = threading.Thread(target=run, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()
