"""One client's connection to a worker."""

from __future__ import annotations

import re
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from gunicorn.http.body import ChunkedReader
from gunicorn.workers.gthread import TConn

from projectapi.serving.outlet import Outlet
from projectapi.serving.pace import PacedUnreader

STALLED_SECONDS = 30
"""How long a client may stand still: send nothing of a body that a thread waits for, or take nothing of an answer."""

GATHERED_BODY_BYTES_MAX = 1 << 16
"""How large a body may be that is gathered before a thread is given to its request; a thousand clients may send one each."""

_HEAD_BYTES_MAX = 1 << 16
_READ_BYTES = 1 << 14
_HEAD_END = b"\r\n\r\n"
_WITHOUT_BODY = (b"GET ", b"HEAD ", b"OPTIONS ")
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,7})[ \t]*\r\n", re.IGNORECASE)
# Whoever expects it sends no body before it, and only the parser says it.
_CONTINUE = re.compile(rb"\r\nexpect:", re.IGNORECASE)


class Connection(TConn):  # type: ignore[misc]
    """A connection that gathers the beginning of a request without a thread, and lets `let_go` close it in peace.

    That is the head, and the body if it is small.
    """

    def __init__(
        self, cfg: Any, client: Outlet, address: Any, server: Any, let_go: Callable[[Connection], None]
    ) -> None:
        super().__init__(cfg, client, address, server)
        self.has_head = False
        self.has_ended = False
        self.queued_at = 0.0
        self.dropped_bytes = 0
        self.close_at = 0.0
        self._let_go = let_go
        self._arrived = bytearray()
        self._wanted_bytes = 0
        self._request = b""
        # Not `settimeout`: gunicorn sets the socket to blocking again for each request.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", STALLED_SECONDS, 0))
        if hasattr(socket, "TCP_USER_TIMEOUT") and client.family != socket.AF_UNIX:
            # Ends also what nobody here waits for: an answer that lies in the kernel's buffer.
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, STALLED_SECONDS * 1000)

    @property
    def is_ready(self) -> bool:
        """Tell whether a thread has something to do with what has arrived."""
        return self.has_head and (self.has_ended or len(self._arrived) >= self._wanted_bytes)

    @property
    def head(self) -> bytes:
        """The head of the request that arrives or is being answered, as far as it has come."""
        head, end, _ = (bytes(self._arrived) or self._request).partition(_HEAD_END)
        return head + end

    def read(self) -> None:
        """Take what has arrived, without waiting."""
        try:
            arrived = self.sock.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            arrived = b""
        self.has_ended = not arrived
        self._take(arrived)

    def take_back(self) -> bool:
        """Take back what the parser has read of the next request, and return whether there is anything."""
        self._take(self.parser.unreader.take_buffered())
        return bool(self._arrived)

    def _take(self, data: bytes) -> None:
        searched = max(0, len(self._arrived) - len(_HEAD_END) + 1)
        self._arrived += data
        if self.has_head:
            return
        end = self._arrived.find(_HEAD_END, searched)
        # The parser knows what to say to a head that is too long.
        self.has_head = end >= 0 or len(self._arrived) > _HEAD_BYTES_MAX
        self._wanted_bytes = end + len(_HEAD_END) + self._gathered_body_bytes(end) if end >= 0 else 0

    def _gathered_body_bytes(self, head_end: int) -> int:
        if self._arrived.startswith(_WITHOUT_BODY):
            return 0
        head = self._arrived[: head_end + 2]
        length = _LENGTH.search(head)
        if length is None or int(length[1]) > GATHERED_BODY_BYTES_MAX or _CONTINUE.search(head):
            return 0
        return int(length[1])

    def init(self) -> None:
        """Prepare for the parser, which finds the request as if it came from the socket; called for each request."""
        if not self.initialized:
            super().init()
            self.parser.unreader = PacedUnreader(self.sock)
        self.sock.sent_bytes = 0
        self._request = bytes(self._arrived)
        self.parser.unreader.begin(self._request)
        self._arrived.clear()
        self.has_head = False

    @property
    def owes_body(self) -> bool:
        """Tell whether a part of the body that nobody has read is still to come."""
        reader = self.parser.mesg.body.reader
        if isinstance(reader, ChunkedReader):
            return reader.parser is not None
        return bool(reader.length > self.parser.unreader.buf.getbuffer().nbytes)

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
