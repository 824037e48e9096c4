"""How an answer leaves: sent by its thread while the client takes it quickly, and the rest by the worker's main loop.

So a client that reads slowly, or a player that is paused, holds no thread: only what it has not read yet, in memory up to a
bound, or as an open file of which the kernel sends the next piece.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import threading
import time
from collections import deque
from typing import Any

from projectapi.serving.pace import deadline_after

PATIENCE_SECONDS = 0.25
"""How long a thread waits for a client to take an answer."""
WAITING_BYTES_MAX = 64 << 20
"""How much of all answers of a worker may wait in memory; who comes on top is waited for by a thread."""

_HEAD_AND_BODY = 2
_PUSH_BYTES = 1 << 20


class Backlog:
    """Counts the bytes of answers that wait in memory for their clients, of all connections of a worker."""

    def __init__(self, most: int = WAITING_BYTES_MAX) -> None:
        self._left = most
        self._lock = threading.Lock()

    def take(self, count: int) -> bool:
        """Count these bytes if there is room for them, and return whether there is."""
        with self._lock:
            if count > self._left:
                return False
            self._left -= count
            return True

    def give_back(self, count: int) -> None:
        """Make room again."""
        with self._lock:
            self._left += count


class _Bytes:
    """A part of an answer that is in memory."""

    def __init__(self, data: memoryview) -> None:
        self._data = data

    @property
    def left(self) -> int:
        return len(self._data)

    in_memory = left

    def send(self, client: socket.socket) -> int:
        sent = client.send(self._data[:_PUSH_BYTES])
        self._data = self._data[sent:]
        return sent

    def keep(self) -> None:
        # Only the rest is counted, so only the rest may stay in memory.
        self._data = memoryview(bytes(self._data))

    def close(self) -> None: ...


class _FilePart:
    """A part of an answer that is in a file."""

    in_memory = 0

    def __init__(self, descriptor: int, offset: int, count: int) -> None:
        self._descriptor = descriptor
        self._is_own = False
        self._offset = offset
        self.left = count

    def send(self, client: socket.socket) -> int:
        sent = os.sendfile(client.fileno(), self._descriptor, self._offset, min(self.left, _PUSH_BYTES))
        if sent == 0:
            raise ConnectionResetError(errno.ECONNRESET, "A file ended before the answer that was to be made of it.")
        self._offset += sent
        self.left -= sent
        return sent

    def keep(self) -> None:
        # Whoever opened the file closes it when the request is over.
        self._descriptor, self._is_own = os.dup(self._descriptor), True

    def close(self) -> None:
        if self._is_own:
            os.close(self._descriptor)


class Outlet(socket.socket):
    """A client's socket that keeps what the client does not take soon, for whoever calls `push` when it takes more."""

    def __init__(self, client: socket.socket, backlog: Backlog) -> None:
        super().__init__(fileno=client.detach())
        self.sent_bytes = 0
        """How many bytes of the answer at hand have gone, into the kernel's buffer at least; whoever begins one sets it."""
        self._backlog = backlog
        self._counted = 0
        self._unsent: deque[_Bytes | _FilePart] = deque()

    @property
    def has_unsent(self) -> bool:
        """Tell whether something of the answer is kept."""
        return bool(self._unsent)

    def sendall(self, data: Any, flags: int = 0, /) -> None:
        """Send or keep `data`. Raises TimeoutError when it cannot be kept and the client takes too little of it."""
        sent = 0 if self._unsent else self._send_now(data)
        if sent < len(data):
            self._leave(_Bytes(memoryview(data).cast("B")[sent:]))

    def _send_now(self, data: Any) -> int:
        # The kernel takes nearly every answer whole: one call, without looking first whether it will.
        try:
            sent = self.send(data, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return 0
        self.sent_bytes += sent
        return sent

    def sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> int:
        """Send or keep `count` bytes, or all, of an open file from `offset` on and return the count; else as `sendall`."""
        size = os.fstat(file.fileno()).st_size - offset if count is None else count
        self._leave(_FilePart(file.fileno(), offset, size))
        return size

    def push(self) -> bool:
        """Send some of what is kept, as far as the client takes it now, and return whether that was all. Raises OSError."""
        before = self.gettimeout()
        self.setblocking(False)
        most = self.sent_bytes + _PUSH_BYTES
        try:
            while self._unsent and self.sent_bytes < most:
                if self._unsent[0].left:
                    self.sent_bytes += self._unsent[0].send(self)
                else:
                    self._unsent.popleft().close()
        except BlockingIOError:
            return False
        finally:
            self.settimeout(before)
        if not self._unsent:
            self._forget()
        return not self._unsent

    def close(self) -> None:
        """Close, and forget what is kept."""
        self._forget()
        super().close()

    def _leave(self, part: _Bytes | _FilePart) -> None:
        try:
            self._send_or_keep(part)
        except BaseException:
            # Nobody may send on: behind the number of a file that was not kept another one may be open soon.
            self._forget()
            raise

    def _send_or_keep(self, part: _Bytes | _FilePart) -> None:
        is_first = not self._unsent
        self._unsent.append(part)
        if self._is_empty_before(time.monotonic() + (PATIENCE_SECONDS if is_first else 0)):
            return
        # Of an answer that is made while it is sent, no more is made than its client takes.
        if len(self._unsent) <= _HEAD_AND_BODY and self._backlog.take(part.in_memory):
            self._counted += part.in_memory
            part.keep()
        else:
            self._wait_for_client()

    def _is_empty_before(self, deadline: float) -> bool:
        while not self.push():
            if (left := deadline - time.monotonic()) <= 0:
                return False
            self._await_room(left)
        return True

    def _wait_for_client(self) -> None:
        began = time.monotonic()
        while not self.push():
            left = deadline_after(began, self.sent_bytes) - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self._await_room(left)

    def _await_room(self, seconds: float) -> None:
        room = select.poll()
        room.register(self, select.POLLOUT)
        room.poll(seconds * 1000)

    def _forget(self) -> None:
        while self._unsent:
            self._unsent.popleft().close()
        self._backlog.give_back(self._counted)
        self._counted = 0
