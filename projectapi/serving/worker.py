"""gunicorn's threaded worker, with an end to its patience.

What gunicorn's own does not do: it gives a thread to a connection before a request has arrived on it, lets requests queue for a
thread without end, waits in its main loop for a client to close a connection, lets a thread wait for a body that nobody reads
and for a client that reads slowly, and drops at most 64 KiB of a body, so that a client which is still sending gets a reset in
place of the answer.
"""

from __future__ import annotations

import errno
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any

from gunicorn.workers.gthread import STOP_KEEPALIVE_LINGER, ThreadWorker

from projectapi.errors import RequestTimedOut
from projectapi.serving.connection import Connection
from projectapi.serving.outlet import Backlog, Outlet
from projectapi.serving.refusals import Refusals
from projectapi.serving.sending import SendingConnections

HEAD_SECONDS = 10.0
"""How long a client may take to send the head of a request."""
BODY_SECONDS = 20.0
"""How long a client may take after that to send a small body."""
QUEUE_SECONDS = 5.0
"""How long a request may wait for a thread: who is behind it has 30 seconds in all before the router gives up."""
DROPPED_BYTES_MAX = 64 << 20
"""How much of a refused body is read and dropped, so that the client gets to read why."""

_DROPPING_SECONDS = 120.0
_SILENT_SECONDS = 5.0
_CLOSING_MAX = 250

class BoundedWorker(ThreadWorker):  # type: ignore[misc]
    """Serves with a fixed number of threads, and refuses at once what would wait too long for one of them.

    The main loop, and only it, touches the collections of connections.
    """

    alive: bool
    max_requests: int

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.closing: deque[Connection] = deque()
        self.gathering: deque[Connection] = deque()
        """The connections with a whole head whose small body is on its way."""
        self.sending = SendingConnections(self._abandon)
        self._backlog = Backlog()
        self._queued: deque[tuple[Connection, Future[Any]]] = deque()
        self._here = threading.local()
        self._waiting_max = self.worker_connections
        self._refusals = Refusals()
        self._note_wait: Callable[[float], None] = lambda seconds: None
        self._sink = bytearray(1 << 18)
        # gunicorn stops in the middle of things; this one stops between requests, and only past twice the number regardless.
        self._recycle_at = self.max_requests
        self.max_requests = 2 * self._recycle_at

    def limit(self, *, waiting: int, refusals: Refusals, note_wait: Callable[[float], None]) -> None:
        """Let at most `waiting` requests wait for a thread; `note_wait` is told for how many seconds who got one did."""
        self._waiting_max, self._refusals, self._note_wait = waiting, refusals, note_wait

    @property
    def under_way(self) -> int:
        """The number of requests that a thread works on or that wait for one."""
        idle = (self.keepalived_conns, self.pending_conns, self.gathering, self.closing, self.sending)
        return int(self.nr_conns - sum(map(len, idle)))

    # How a request comes in.

    def accept(self, listener: Any) -> bool:
        """Take a new connection, if there is one, and return whether there was."""
        try:
            client, address = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return False
        self.nr_conns += 1
        outlet = Outlet(client, self._backlog)
        self._await_more(Connection(self.cfg, outlet, address, listener.getsockname(), self._close_in_peace))
        return True

    def on_pending_socket_readable(self, conn: Connection, client: socket.socket) -> None:
        """Read on in the head of a request, or in its body."""
        had_head = conn.has_head
        conn.read()
        if conn.has_head != had_head or conn.is_ready or conn.has_ended:
            self.poller.unregister(client)
            (self.gathering if had_head else self.pending_conns).remove(conn)
            self._proceed(conn)

    def on_client_socket_readable(self, conn: Connection, client: socket.socket) -> None:
        """Begin to read the next request on a connection that was kept."""
        self.poller.unregister(client)
        self.keepalived_conns.remove(conn)
        conn.read()
        self._proceed(conn)

    def _await_more(self, conn: Connection) -> None:
        if conn.has_head:
            conn.timeout = time.monotonic() + BODY_SECONDS
            self.gathering.append(conn)
        else:
            conn.timeout = time.monotonic() + (HEAD_SECONDS if self.alive else STOP_KEEPALIVE_LINGER)
            self.pending_conns.append(conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self.on_pending_socket_readable, conn))

    def _proceed(self, conn: Connection) -> None:
        if conn.is_ready:
            conn.data_ready = True
            self.enqueue_req(conn)
        elif conn.has_ended:
            self._abandon(conn)
        else:
            self._await_more(conn)

    def enqueue_req(self, conn: Connection) -> None:
        """Let a request wait for a thread, or refuse it when too many wait already."""
        under_way = self.under_way
        if under_way > self.cfg.threads + self._waiting_max:
            self._refusals.refuse_overload(conn, under_way - 1)
            self.nr_conns -= 1
            conn.close(graceful=True)
            return
        conn.queued_at = time.monotonic() if under_way > self.cfg.threads else 0.0
        future = self.tpool.submit(self.handle, conn)
        if conn.queued_at:
            self._queued.append((conn, future))
        future.add_done_callback(partial(self.method_queue.defer, self.finish_request, conn))

    def _refuse_overdue(self) -> None:
        """Refuse what has waited too long for a thread, whether or not one becomes free; `finish_request` closes it."""
        while self._queued:
            conn, future = self._queued[0]
            waits = not future.running() and not future.done()
            if waits and conn.queued_at + QUEUE_SECONDS > time.monotonic():
                break
            self._queued.popleft()
            if waits and future.cancel():
                self._refusals.refuse_overload(conn, self.under_way - 1)

    def handle(self, conn: Connection) -> Any:
        """Answer a request, in a thread."""
        self._here.conn = conn
        if conn.queued_at:
            self._note_wait(time.monotonic() - conn.queued_at)
        return super().handle(conn)

    def handle_request(self, req: Any, conn: Connection) -> Any:
        """Let the application answer; a client that stands still is one that has left."""
        try:
            return super().handle_request(req, conn)
        except (BlockingIOError, TimeoutError) as error:
            raise ConnectionResetError(errno.ECONNRESET, "The client stood still.") from error

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: Exception) -> None:
        """Answer what gunicorn itself refuses, as every error is answered."""
        self._refusals.explain(self._here.conn, exc)

    def _keepalive_after(self, conn: Connection, keepalive: bool) -> bool:
        """Tell whether the connection is kept; for the rest of a body that nobody reads, no thread waits."""
        return keepalive and not conn.owes_body and bool(super()._keepalive_after(conn, keepalive))

    def finish_request(self, conn: Connection, fs: Future[Any]) -> None:
        """Send on, await the next request or close, when a thread is done; of the next request a part may have come already."""
        if not fs.cancelled() and conn.sock.has_unsent:
            self.sending.add(conn, self.poller, then=partial(self.finish_request, conn, fs))
        elif not fs.cancelled() and fs.exception() is None and fs.result() is True and conn.take_back():
            conn.sock.setblocking(False)
            self._proceed(conn)
        else:
            super().finish_request(conn, fs)

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

    def _abandon(self, conn: Connection) -> None:
        self.nr_conns -= 1
        conn.close()

    def _close_now(self, conn: Connection) -> None:
        self.closing.remove(conn)
        self.poller.unregister(conn.sock)
        self._abandon(conn)

    def murder_pending(self) -> None:
        """Close the connections whose time is over: those without a whole request, and those that are being closed."""
        super().murder_pending()
        self._refuse_overdue()
        while self.gathering and self.gathering[0].timeout <= time.monotonic():
            conn = self.gathering.popleft()
            self.poller.unregister(conn.sock)
            self._refusals.refuse(conn, RequestTimedOut())
            self.nr_conns -= 1
            conn.close(graceful=True)
        while self.closing and self.closing[0].timeout <= time.monotonic():
            self._close_now(self.closing[0])
        self.sending.drop_overdue(self.poller)

    # How the worker ends.

    def notify(self) -> None:
        """Tell the parent process that this one lives, and stop when it has served its time and nothing is under way."""
        super().notify()
        if self.alive and self.nr >= self._recycle_at and not self.under_way and not self.sending:
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
