"""Answers that go on without a thread."""

from __future__ import annotations

import selectors
import time
from collections.abc import Callable
from dataclasses import dataclass

from projectapi.serving.connection import Connection
from projectapi.serving.pace import deadline_after


@dataclass(slots=True)
class _Progress:
    began: float
    sent_before: int
    then: Callable[[], None]


class SendingConnections:
    """The connections whose clients have not taken their answers yet; only the main loop touches them.

    One on which too little moves for long (`serving.pace`), or which breaks, is given to `give_up`.
    """

    def __init__(self, give_up: Callable[[Connection], None]) -> None:
        self._give_up = give_up
        self._progress: dict[Connection, _Progress] = {}

    def __len__(self) -> int:
        return len(self._progress)

    def add(self, conn: Connection, poller: selectors.BaseSelector, then: Callable[[], None]) -> None:
        """Send on as `poller` says that the client takes more, and call `then` after the last byte."""
        conn.sock.setblocking(False)
        self._progress[conn] = _Progress(time.monotonic(), conn.sock.sent_bytes, then)
        poller.register(conn.sock, selectors.EVENT_WRITE, lambda _: self._send_on(conn, poller))

    def drop_overdue(self, poller: selectors.BaseSelector) -> None:
        """Give up those whose clients have taken too little for too long."""
        now = time.monotonic()
        for conn, progress in list(self._progress.items()):
            if now > deadline_after(progress.began, conn.sock.sent_bytes - progress.sent_before):
                self._leave(conn, poller)
                self._give_up(conn)

    def _send_on(self, conn: Connection, poller: selectors.BaseSelector) -> None:
        try:
            is_sent = conn.sock.push()
        except OSError:
            self._leave(conn, poller)
            self._give_up(conn)
            return
        if is_sent:
            self._leave(conn, poller).then()

    def _leave(self, conn: Connection, poller: selectors.BaseSelector) -> _Progress:
        poller.unregister(conn.sock)
        return self._progress.pop(conn)
