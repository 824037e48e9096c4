"""One client's connection to a worker."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from gunicorn.workers.gthread import TConn

STALLED_SECONDS = 30
"""How long a thread waits for the next bytes of a body, or for a client to take anything more of an answer."""

_HEAD_BYTES_MAX = 1 << 16
_READ_BYTES = 1 << 14
_HEAD_END = b"\r\n\r\n"


class Connection(TConn):  # type: ignore[misc]
    """A connection that gathers the head of a request without a thread, and lets `let_go` close it in peace."""

    def __init__(
        self, cfg: Any, client: socket.socket, address: Any, server: Any, let_go: Callable[[Connection], None]
    ) -> None:
        super().__init__(cfg, client, address, server)
        self.head = bytearray()
        self.has_head = False
        self.has_ended = False
        self.queued_at = 0.0
        self.dropped_bytes = 0
        self.close_at = 0.0
        self._let_go = let_go
        # Not `settimeout`: Python would count the whole of a large answer to a slow client, and the kernel counts standstill.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", STALLED_SECONDS, 0))
        if hasattr(socket, "TCP_USER_TIMEOUT") and client.family != socket.AF_UNIX:
            # Python's own `sendfile` waits past a SO_SNDTIMEO.
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, STALLED_SECONDS * 1000)

    def read_head(self) -> None:
        """Take what has arrived, without waiting; then `has_head` tells whether a thread has something to do with it."""
        try:
            arrived = self.sock.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            arrived = b""
        self.has_ended = not arrived
        searched = max(0, len(self.head) - len(_HEAD_END) + 1)
        self.head += arrived
        # The parser knows what to say to a head that is too long.
        self.has_head = _HEAD_END in self.head[searched:] or len(self.head) > _HEAD_BYTES_MAX

    def init(self) -> None:
        """Prepare for the parser, which finds the head as if it came from the socket; called for each request."""
        super().init()
        self.parser.unreader.unread(bytes(self.head))
        self.head.clear()
        self.has_head = False

    def send_at_once(self, message: bytes) -> None:
        """Send a short message as far as the socket takes it without waiting."""
        with suppress(OSError):
            self.sock.send(message, socket.MSG_DONTWAIT)

    def close(self, graceful: bool = False) -> None:
        """Close now, or, `graceful`, as soon as the client has stopped sending."""
        if graceful:
            self._let_go(self)
        else:
            super().close()
