"""Single flight: of all threads of a worker that miss the same key, one goes for it and the others wait a little."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol


class Event(Protocol):
    """What is needed of threading.Event."""

    def set(self) -> None:
        """Wake everybody who waits."""

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until set, at most `timeout` seconds."""


class Flights:
    """The keys that some thread of this worker is filling now."""

    def __init__(self, make_event: Callable[[], Event] = threading.Event) -> None:
        self._make_event = make_event
        self._lock = threading.Lock()
        self._flights: dict[str, Event] = {}

    @contextmanager
    def lead(self, name: str) -> Iterator[Event | None]:
        """Yield None to the one thread that may go ahead, and to all others the event that tells when it is back."""
        with self._lock:
            flight = self._flights.get(name)
            if flight is None:
                mine = self._flights[name] = self._make_event()
        if flight is not None:
            yield flight
            return
        try:
            yield None
        finally:
            with self._lock:
                del self._flights[name]
            mine.set()
