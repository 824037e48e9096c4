"""How slowly a client may send a body, and take an answer."""

from __future__ import annotations

import time
from typing import Any

from gunicorn.http.unreader import SocketUnreader

from projectapi.errors import RequestTimedOut

GRACE_SECONDS = 20.0
"""How long a client is waited for, however few bytes come or go."""
BYTES_PER_SECOND_MIN = 1024
"""How many bytes must have come, or gone, for each second of waiting, after that time."""


def deadline_after(began: float, moved_bytes: int) -> float:
    """Return until when a client is waited for that has moved so many bytes since `began`; both are monotonic seconds."""
    return began + max(GRACE_SECONDS, moved_bytes / BYTES_PER_SECOND_MIN)


class PacedUnreader(SocketUnreader):  # type: ignore[misc]
    """Reads from a client as gunicorn does, and gives up one that sends a body drop by drop.

    Only the time in which the client was waited for counts, and it counts from the head of each request.
    """

    def __init__(self, client: Any) -> None:
        super().__init__(client)
        self._received = 0
        self._waited_seconds = 0.0

    def begin(self, arrived: bytes) -> None:
        """Begin with a new request, of which this much has arrived."""
        self.unread(arrived)
        self._received = 0
        self._waited_seconds = 0.0

    def chunk(self, size_hint: int | None = None) -> bytes:
        """Return the next bytes. Raises RequestTimedOut, and TimeoutError where somebody set a time on the socket."""
        began = time.monotonic()
        try:
            data: bytes = super().chunk(size_hint)
        except BlockingIOError as error:
            # The system's word for the end of SO_RCVTIMEO.
            raise RequestTimedOut from error
        finally:
            # A wait in vain counts too: uploads look up every other second, and then wait on.
            self._waited_seconds += time.monotonic() - began
        self._received += len(data)
        if self._waited_seconds > deadline_after(0, self._received):
            raise RequestTimedOut
        return data
