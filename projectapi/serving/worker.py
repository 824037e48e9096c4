"""gunicorn's threaded worker, with an end to its patience.

What gunicorn's own does not do: it gives a thread to a connection before a request has arrived on it, lets requests queue for a
thread without end, waits in its main loop for a client to close a connection, and drops at most 64 KiB of a body that nobody
read, so that a client which is still sending gets a reset in place of the answer.
"""

from __future__ import annotations

import errno
import selectors
import socket
import time
from collections import deque
from collections.abc import Collection
from contextlib import suppress
from functools import partial
from typing import Any

from gunicorn.http.errors import (
    ExpectationFailed,
    LimitRequestHeaders,
    LimitRequestLine,
    ParseException,
    UnsupportedTransferCoding,
)
from gunicorn.workers.gthread import STOP_KEEPALIVE_LINGER, ThreadWorker

from projectapi.errors import BadRequest, Overloaded, ProjectApiError
from projectapi.serving.connection import Connection
from projectapi.serving.refusals import refusal

HEAD_SECONDS = 10.0
"""How long a client may take to send the head of a request."""
QUEUE_SECONDS = 10.0
"""How long a request may wait for a thread: who is behind it has 30 seconds in all before the router gives up."""
DROPPED_BYTES_MAX = 64 << 20
"""How much of a refused body is read and dropped, so that the client gets to read why."""

_DROPPING_SECONDS = 120.0
_SILENT_SECONDS = 5.0
_CLOSING_MAX = 250
_SAY_AGAIN_SECONDS = 10.0

_STATUS = {LimitRequestLine: 414, ExpectationFailed: 417, LimitRequestHeaders: 431, UnsupportedTransferCoding: 501}


class BoundedWorker(ThreadWorker):  # type: ignore[misc]
    """Serves with a fixed number of threads, and refuses at once what would wait too long for one of them.

    The main loop, and only it, touches the collections of connections.
    """

    alive: bool
    max_requests: int

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.closing: deque[Connection] = deque()
        self._waiting_max = self.worker_connections
        self._origins: Collection[str] = ()
        self._sink = bytearray(1 << 18)
        self._say_refused_at = 0.0
        # gunicorn stops in the middle of things; this one stops between requests, and only past twice the number regardless.
        self._recycle_at = self.max_requests
        self.max_requests = 2 * self._recycle_at

    def limit(self, *, waiting: int, origins: Collection[str]) -> None:
        """Let at most `waiting` requests wait for a thread; pages of `origins` may read what the others are told."""
        self._waiting_max = waiting
        self._origins = frozenset(origins)

    @property
    def under_way(self) -> int:
        """The number of requests that a thread works on or that wait for one."""
        return int(self.nr_conns - len(self.keepalived_conns) - len(self.pending_conns) - len(self.closing))

    # How a request comes in.

    def accept(self, listener: Any) -> bool:
        """Take a new connection, if there is one, and return whether there was."""
        try:
            client, address = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return False
        self.nr_conns += 1
        self._await_head(Connection(self.cfg, client, address, listener.getsockname(), self._close_in_peace))
        return True

    def on_pending_socket_readable(self, conn: Connection, client: socket.socket) -> None:
        """Read on in the head of a request."""
        conn.read_head()
        if conn.has_head or conn.has_ended:
            self.poller.unregister(client)
            self.pending_conns.remove(conn)
            self._proceed(conn)

    def on_client_socket_readable(self, conn: Connection, client: socket.socket) -> None:
        """Begin to read the next request on a connection that was kept."""
        self.poller.unregister(client)
        self.keepalived_conns.remove(conn)
        conn.read_head()
        if conn.has_head or conn.has_ended:
            self._proceed(conn)
        else:
            self._await_head(conn)

    def _await_head(self, conn: Connection) -> None:
        conn.timeout = time.monotonic() + (HEAD_SECONDS if self.alive else STOP_KEEPALIVE_LINGER)
        self.pending_conns.append(conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self.on_pending_socket_readable, conn))

    def _proceed(self, conn: Connection) -> None:
        if conn.has_head:
            conn.data_ready = True
            self.enqueue_req(conn)
        else:
            self.nr_conns -= 1
            conn.close()

    def enqueue_req(self, conn: Connection) -> None:
        """Let a request wait for a thread, or refuse it when too many wait already."""
        if self.under_way > self.cfg.threads + self._waiting_max:
            self._say_refused()
            conn.send_at_once(refusal(Overloaded(), bytes(conn.head), self._origins))
            self.nr_conns -= 1
            conn.close(graceful=True)
            return
        conn.queued_at = time.monotonic()
        super().enqueue_req(conn)

    def _say_refused(self) -> None:
        now = time.monotonic()
        if now >= self._say_refused_at:
            self.log.warning("Requests are refused: %d are under way and may wait.", self.under_way - 1)
            self._say_refused_at = now + _SAY_AGAIN_SECONDS

    def handle(self, conn: Connection) -> Any:
        """Answer a request, in a thread; what waited for it too long is refused, so that the line gets shorter."""
        if time.monotonic() - conn.queued_at > QUEUE_SECONDS:
            conn.send_at_once(refusal(Overloaded(), bytes(conn.head), self._origins))
            return False
        return super().handle(conn)

    def handle_request(self, req: Any, conn: Connection) -> Any:
        """Let the application answer; a client that stands still is one that has left."""
        try:
            return super().handle_request(req, conn)
        except (BlockingIOError, TimeoutError) as error:
            raise ConnectionResetError(errno.ECONNRESET, "The client stood still.") from error

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: Exception) -> None:
        """Answer what gunicorn itself refuses, as every error is answered."""
        error: ProjectApiError = ProjectApiError()
        if isinstance(exc, ParseException):
            error = BadRequest()
            self.log.info("A request was refused: %s", type(exc).__name__)
        else:
            self.log.error("A request could not be answered.", exc_info=exc)
        status = _STATUS.get(type(exc), error.status)
        with suppress(OSError):
            client.send(refusal(error, b"", self._origins, status), socket.MSG_DONTWAIT)

    # How a connection ends.

    def _close_in_peace(self, conn: Connection) -> None:
        """Say that nothing more comes, and drop what the client still sends until it has read that (RFC 9112, section 9.6)."""
        try:
            conn.sock.setblocking(False)
            conn.sock.shutdown(socket.SHUT_WR)
            self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._drop_input, conn))
        except (OSError, ValueError):
            conn.close()
            return
        if len(self.closing) >= _CLOSING_MAX:
            self._close_now(self.closing[0])
        self.nr_conns += 1
        conn.close_at = time.monotonic() + _DROPPING_SECONDS
        self._keep_closing(conn)

    def _keep_closing(self, conn: Connection) -> None:
        patience = _SILENT_SECONDS if self.alive else STOP_KEEPALIVE_LINGER
        conn.timeout = min(time.monotonic() + patience, conn.close_at)
        self.closing.append(conn)

    def _drop_input(self, conn: Connection, client: socket.socket) -> None:
        if client.fileno() < 0:
            # It made room for another one in the same round of events.
            return
        try:
            dropped = client.recv_into(self._sink)
        except BlockingIOError:
            return
        except OSError:
            dropped = 0
        conn.dropped_bytes += dropped
        if not dropped or conn.dropped_bytes > DROPPED_BYTES_MAX:
            self._close_now(conn)
        else:
            self.closing.remove(conn)
            self._keep_closing(conn)

    def _close_now(self, conn: Connection) -> None:
        self.closing.remove(conn)
        self.poller.unregister(conn.sock)
        self.nr_conns -= 1
        conn.close()

    def murder_pending(self) -> None:
        """Close the connections whose time is over: those without a whole head, and those that are being closed."""
        super().murder_pending()
        while self.closing and self.closing[0].timeout <= time.monotonic():
            self._close_now(self.closing[0])

    # How the worker ends.

    def notify(self) -> None:
        """Tell the parent process that this one lives, and stop when it has served its time and nothing is under way."""
        super().notify()
        if self.alive and self.nr >= self._recycle_at and not self.under_way:
            self.log.info("Making room for a new worker after %d requests.", self.nr)
            self.alive = False

    def set_accept_enabled(self, enabled: bool) -> None:
        """Begin or cease to accept; who stops takes those who are connected already, and lets nobody else wait in vain."""
        stops = not enabled and not self.alive
        if stops:
            for listener in self.sockets:
                while self.nr_conns < self.worker_connections and self.accept(listener):
                    pass
        super().set_accept_enabled(enabled)
        if stops:
            for listener in self.sockets:
                listener.close()

    def _cap_keepalive(self, deadline: float) -> None:
        super()._cap_keepalive(deadline)
        for conn in (*self.pending_conns, *self.closing):
            conn.timeout = min(conn.timeout, deadline)
