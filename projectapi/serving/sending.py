"""Answers that go on without a thread."""

from __future__ import annotations

import selectors
import time
from collections.abc import Callable

from projectapi.serving.connection import Connection
from projectapi.serving.pace import deadline_after


class SendingConnections:
    """The connections whose clients have not taken their answers yet; only the main loop touches them.

    One on which too little moves for long (`serving.pace`), or which breaks, is given to `give_up`.
    """

    def __init__(self, give_up: Callable[[Connection], None]) -> None:
        self._give_up = give_up
        self._since: dict[Connection, float] = {}

    def __len__(self) -> int:
        return len(self._since)

    def add(self, conn: Connection, poller: selectors.BaseSelector, then: Callable[[], None]) -> None:
        """Send on as `poller` says that the client takes more, and call `then` after the last byte."""
        conn.sock.setblocking(False)
        self._since[conn] = time.monotonic()
        poller.register(conn.sock, selectors.EVENT_WRITE, lambda _: self._send_on(conn, poller, then))

    def drop_overdue(self, poller: selectors.BaseSelector) -> None:
        """Give up those whose clients have taken too little for too long."""
        now = time.monotonic()
        for conn, since in list(self._since.items()):
            # All that has gone counts: until a large part of the kernel's buffer is empty nothing more goes.
            if now > deadline_after(since, conn.sock.sent_bytes):
                self._leave(conn, poller)
                self._give_up(conn)

    def _send_on(self, conn: Connection, poller: selectors.BaseSelector, then: Callable[[], None]) -> None:
        try:
            is_sent = conn.sock.push()
        except OSError:
            self._leave(conn, poller)
            self._give_up(conn)
            return
        if is_sent:
            self._leave(conn, poller)
            then()

    def _leave(self, conn: Connection, poller: selectors.BaseSelector) -> None:
        poller.unregister(conn.sock)
        del self._since[conn]
