"""A circuit breaker that costs nothing while all is well and lets one caller a second try while it is not.

`pybreaker` holds its lock around the protected call, so that the threads of a worker would wait for each other on every cache
hit; `purgatory` has a fixed message bus in the way and lets every waiting thread through at once when it half opens. Both
miss the one property that matters here: one time-out per second and worker, whatever the number of threads.
"""

from __future__ import annotations

import threading
from collections.abc import Callable


class CircuitBreaker:
    """Opens at the first failure; then, once per `pause_seconds`, exactly one caller may try whether things are well again."""

    def __init__(self, *, pause_seconds: float, monotonic: Callable[[], float]) -> None:
        self._pause_seconds = pause_seconds
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._open_until: float | None = None

    @property
    def is_open(self) -> bool:
        """Tell whether the last call failed."""
        return self._open_until is not None

    def allows(self) -> bool:
        """Tell whether the caller may go ahead; while open, saying yes uses up the try of this pause."""
        if not self.is_open:
            return True
        with self._lock:
            now, open_until = self._monotonic(), self._open_until
            if open_until is not None:
                if now < open_until:
                    return False
                self._open_until = now + self._pause_seconds
        return True

    def failed(self) -> bool:
        """Open, or stay open for another pause; tell whether this call opened it."""
        with self._lock:
            was_closed = self._open_until is None
            self._open_until = self._monotonic() + self._pause_seconds
            return was_closed

    def succeeded(self) -> bool:
        """Close; tell whether this call did."""
        if self._open_until is None:
            return False
        with self._lock:
            was_open = self._open_until is not None
            self._open_until = None
            return was_open
