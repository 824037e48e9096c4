"""Equal work is done once, in the background: who asks waits a while for it, and it goes on without anybody waiting."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from functools import partial
from typing import Generic, TypeVar

from projectapi import errors

T = TypeVar("T")

_UNTOLD_MAX = 100


@dataclass(eq=False, slots=True)
class _Flight(Generic[T]):
    result: Future[T] = field(default_factory=Future)
    callers: int = 0


class SingleFlight(Generic[T]):
    """Runs at most one piece of work per key and at most `at_once` of all keys, each in a thread of its own.

    Besides the callers that started what runs, at most `waiting` others wait, for a free place or for the result of work that
    runs already: callers are threads that serve requests, and some must stay free for other requests.
    """

    def __init__(self, *, at_once: int, waiting: int) -> None:
        self._at_once = at_once
        self._others = threading.BoundedSemaphore(waiting)
        self._changed = threading.Condition()
        self._flights: dict[str, _Flight[T]] = {}
        self._untold: dict[str, _Flight[T]] = {}

    def do(self, key: str, work: Callable[[], T], timeout: float) -> T:
        """Return the result of `work`, or of the work that runs under this key already, within `timeout` seconds.

        Raises what the work raised; TimeoutError when it still runs, and it goes on; MediaBusy when it found no place in time
        or, at once, when enough callers are waiting. An error that came when nobody waited is raised to who asks next, lest
        work that fails late be begun again and again.
        """
        deadline = time.monotonic() + timeout
        with self._changed:
            flight = self._untold.pop(key, None) or self._start(key, work)
        if flight:
            return self._outcome(flight, deadline)
        if not self._others.acquire(blocking=False):
            raise errors.MediaBusy
        try:
            return self._outcome(self._join(key, work, deadline), deadline)
        finally:
            self._others.release()

    def _start(self, key: str, work: Callable[[], T]) -> _Flight[T] | None:
        if key in self._flights or len(self._flights) >= self._at_once:
            return None
        flight = _Flight[T](callers=1)
        # A daemon: what it leaves behind when the process ends must be what a sweep takes away.
        threading.Thread(target=self._run, args=(key, work, flight), name="background-work", daemon=True).start()
        self._flights[key] = flight
        return flight

    def _join(self, key: str, work: Callable[[], T], deadline: float) -> _Flight[T]:
        with self._changed:
            self._changed.wait_for(
                lambda: key in self._flights or len(self._flights) < self._at_once, max(0, deadline - time.monotonic())
            )
            running = self._flights.get(key)
            if running:
                running.callers += 1
            flight = running or self._start(key, work)
        if flight is None:
            raise errors.MediaBusy
        return flight

    def _outcome(self, flight: _Flight[T], deadline: float) -> T:
        try:
            wait([flight.result], max(0, deadline - time.monotonic()))
        finally:
            with self._changed:
                flight.callers -= 1
                landed = flight.result.done()
        if not landed:
            raise TimeoutError
        return flight.result.result()

    def _run(self, key: str, work: Callable[[], T], flight: _Flight[T]) -> None:
        try:
            settle = partial(flight.result.set_result, work())
        except BaseException as error:
            settle = partial(flight.result.set_exception, error)
        # In one step, so that a caller who gives up just now either gets the outcome or leaves it to who asks next.
        with self._changed:
            del self._flights[key]
            settle()
            if flight.callers == 0 and flight.result.exception():
                self._untold[key] = flight
            if len(self._untold) > _UNTOLD_MAX:
                del self._untold[next(iter(self._untold))]
            self._changed.notify_all()
