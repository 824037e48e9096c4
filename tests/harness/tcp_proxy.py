"""A TCP proxy on the loopback interface that can fail in the ways in which networks do."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from enum import Enum, auto
from types import TracebackType

HOST = "127.0.0.1"
_CHUNK_BYTES = 1 << 16
_JOIN_SECONDS = 10.0


class Mode(Enum):
    """What the proxy does with its connections, also with those that are open already."""

    PASS = auto()
    DROP = auto()
    """Close them."""
    BLACKHOLE = auto()
    """Accept them, swallow what comes and never answer."""
    DELAY = auto()
    """Pass every piece on `delay_seconds` later."""


class TcpProxy:
    """Listens on its own `port` and passes everything on to `target_port`, until it is told to `switch`."""

    def __init__(self, target_port: int, mode: Mode = Mode.PASS, *, delay_seconds: float = 0.0) -> None:
        self._target = (HOST, target_port)
        self._mode = mode
        self.delay_seconds = delay_seconds
        self._lock = threading.Lock()
        self._sockets: set[socket.socket] = set()
        self._threads: set[threading.Thread] = set()
        self._listener = socket.create_server((HOST, 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self._start(self._accept)

    def __enter__(self) -> TcpProxy:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def switch(self, mode: Mode) -> None:
        """Behave in another way from now on."""
        before, self._mode = self._mode, mode
        # Half a message may have gone into the hole: a connection that was open then can never be used again.
        if mode is Mode.DROP or before is Mode.BLACKHOLE:
            self._break_connections()

    def close(self) -> None:
        """Stop listening, break all connections and wait until everything is given back."""
        self._mode = Mode.DROP
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._break_connections()
        with self._lock:
            threads = list(self._threads)
        for thread in threads:
            thread.join(_JOIN_SECONDS)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            self._start(lambda near=near: self._serve(near))

    def _serve(self, near: socket.socket) -> None:
        with near:
            if self._mode is Mode.DROP:
                return
            try:
                far = socket.create_connection(self._target)
            except OSError:
                return
            with far:
                self._connect(near, far)

    def _connect(self, near: socket.socket, far: socket.socket) -> None:
        with self._lock:
            self._sockets |= {near, far}
        back = self._start(lambda: self._pump(far, near))
        self._pump(near, far)
        back.join()
        with self._lock:
            self._sockets -= {near, far}

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while piece := source.recv(_CHUNK_BYTES):
                if self._mode is Mode.DELAY:
                    time.sleep(self.delay_seconds)
                if self._mode is not Mode.BLACKHOLE:
                    sink.sendall(piece)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _break_connections(self) -> None:
        with self._lock:
            for connection in self._sockets:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def _start(self, run: Callable[[], None]) -> threading.Thread:
        def and_leave() -> None:
            try:
                run()
            finally:
                with self._lock:
                    self._threads.discard(threading.current_thread())

        thread = threading.Thread(target=and_leave, daemon=True, name="tcp-proxy")
        with self._lock:
            self._threads.add(thread)
        thread.start()
        return thread
