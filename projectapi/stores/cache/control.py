"""The control document: whether, on which server and under which prefix Redis may be trusted at all.

It lies in MongoDB, where an acknowledged change is seen by everybody, and is the reason why the cache keeps its promise while
Redis is away, paused, cut off from some workers or back with old data. Its epoch only ever grows, and is part of every key.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

from projectapi.errors import DatabaseUnavailable
from projectapi.infra import metrics
from projectapi.infra.database_circuit import within

log = logging.getLogger("projectapi.cache")

_CLOCK_MARGIN = 1.1
"""Monotonic clocks of different machines run at the same rate within a few per cent."""

_REFRESH_FROM = 0.6
"""Share of the trusted time after which one request renews it, before it runs out for all of them at once."""

_START_PAUSE_SECONDS = 1.0

_LOOK_SECONDS = 1.0
"""How long a request that can do without Redis waits for the document; what must know it waits longer, through an election."""


@dataclass(frozen=True, slots=True)
class ControlState:
    """One state of the control document.

    `server` names the Redis process that holds the entries of this epoch; `copies` the set of long-lived copies in use.
    """

    epoch: int
    on: bool
    server: str
    copies: int


class ControlStore(Protocol):
    """Keeps the one control document. Both methods raise DatabaseUnavailable within a deadline of their own."""

    def read(self) -> ControlState | None:
        """Return the newest state that a majority has acknowledged, None before there is one."""

    def compare_and_swap(self, old: ControlState | None, new: ControlState) -> bool:
        """Replace the state of `old`'s epoch (None: no document) by `new`, durably; return False when it has changed."""


class Clock(Protocol):
    """The clocks of one worker; injected, so that tests can stop and turn them."""

    def monotonic(self) -> float:
        """Return seconds that never go backwards."""

    def time(self) -> float:
        """Return seconds since 1970."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class _Knowledge(NamedTuple):
    """A state, the moment before the last read that showed it, and the moment after the first one; replaced as a whole."""

    state: ControlState
    verified_at: float
    first_known_at: float


class Control:
    """What one worker knows of the control document, and since when.

    `identify` returns the name of the Redis server that answers now, None when none does.
    """

    def __init__(self, store: ControlStore, clock: Clock, *, trust_seconds: float, identify: Callable[[], str | None]) -> None:
        self._store = store
        self._clock = clock
        self._trust_seconds = trust_seconds
        self._identify = identify
        self._lock = threading.Lock()
        self._knowledge: _Knowledge | None = None
        self._refresh_due_at = 0.0
        self._next_start_at = 0.0

    @property
    def known(self) -> ControlState | None:
        """Return the newest state that this worker has seen, however long ago."""
        return self._knowledge.state if self._knowledge else None

    def assumed(self) -> ControlState | None:
        """Return the state to ask Redis under, however old, if it is on; its reply counts only if `confirms` agrees then."""
        known = self.known
        return known if known is not None and known.on else self.trusted()

    def trusted(self) -> ControlState | None:
        """Return the state if Redis may be used now, else None; reads the document when it was read too long ago."""
        state = self._verified()
        if state is None or state.on:
            return state
        return self._start(state)

    def confirms(self, state: ControlState) -> bool:
        """Tell, after a reply of Redis has arrived, whether `state` was still in force when it was given.

        The clock is read here and not before the call: a worker that was paused in between must not believe the reply.
        """
        return self._verified() is state

    def observe(self) -> ControlState:
        """Read the document now and return the newest state known. Raises DatabaseUnavailable."""
        before = self._clock.monotonic()
        state = self._store.read()
        if state is None:
            self._store.compare_and_swap(None, self._successor(None, on=False, server=""))
            return self.observe()
        return self._learn(state, before)

    def switch(self, state: ControlState, *, on: bool, server: str | None = None) -> bool:
        """Begin a new epoch after `state`; return False when somebody else did so first. Raises DatabaseUnavailable."""
        return self._store.compare_and_swap(state, self._successor(state, on=on, server=server))

    def forget_everything(self) -> None:
        """Begin a new epoch that knows neither entries nor copies of the time before. Raises DatabaseUnavailable."""
        swapped = False
        while not swapped:
            state = self.observe()
            successor = self._successor(state, on=state.on, server=None)
            swapped = self._store.compare_and_swap(state, replace(successor, copies=successor.epoch))
        self._clock.sleep(self.seconds_until_alone(self.observe()))

    def adopt(self, state: ControlState, server: str) -> ControlState | None:
        """Begin a new epoch on the Redis server that was found, at most once a second; return the new state if it is on."""
        if not self._may_start(state):
            return None
        try:
            with within(_LOOK_SECONDS):
                self.switch(state, on=True, server=server)
                fresh = self.observe()
        except DatabaseUnavailable:
            return None
        return fresh if fresh.on else None

    def seconds_until_alone(self, state: ControlState) -> float:
        """Return how long to wait until no worker can still trust an epoch before that of `state`."""
        needed = self._trust_seconds * _CLOCK_MARGIN
        knowledge = self._knowledge
        if knowledge is None or knowledge.state is not state:
            # A newer epoch is known by now; when this one was first known is forgotten, so the time counts from here.
            return needed
        return max(0.0, knowledge.first_known_at + needed - self._clock.monotonic())

    def _verified(self) -> ControlState | None:
        knowledge, now = self._knowledge, self._clock.monotonic()
        if knowledge is not None and now - knowledge.verified_at < self._trust_seconds * _REFRESH_FROM:
            return knowledge.state
        if self._claims_refresh(now):
            try:
                with within(_LOOK_SECONDS):
                    self.observe()
            except DatabaseUnavailable:
                # With the database away not every read has to find that out for itself.
                self._refresh_due_at = self._clock.monotonic() + self._trust_seconds
        knowledge = self._knowledge
        if knowledge is None or self._clock.monotonic() - knowledge.verified_at >= self._trust_seconds:
            return None
        return knowledge.state

    def _claims_refresh(self, now: float) -> bool:
        with self._lock:
            if now < self._refresh_due_at:
                return False
            knowledge = self._knowledge
            if knowledge is not None and now - knowledge.verified_at < self._trust_seconds:
                # In good time one request renews it for all; when it has run out, nobody can wait for another's read.
                self._refresh_due_at = knowledge.verified_at + self._trust_seconds
            return True

    def _learn(self, state: ControlState, before: float) -> ControlState:
        after = self._clock.monotonic()
        with self._lock:
            known = self._knowledge
            # Another thread's read may have overtaken this one: never go back to an older epoch.
            if known is None or state.epoch > known.state.epoch:
                known = self._knowledge = _Knowledge(state, before, after)
                _tell_of_epoch(state)
            elif state.epoch == known.state.epoch:
                known = self._knowledge = known._replace(verified_at=max(known.verified_at, before))
            return known.state

    def _start(self, state: ControlState) -> ControlState | None:
        server = self._identify()
        return None if server is None else self.adopt(state, server)

    def _may_start(self, state: ControlState) -> bool:
        # Flapping costs cold caches only; once a second is still enough. The very first start need not wait.
        now = self._clock.monotonic()
        with self._lock:
            known_for = now - self._knowledge.first_known_at if self._knowledge else 0.0
            if now < self._next_start_at or (known_for < _START_PAUSE_SECONDS and state.server):
                return False
            self._next_start_at = now + _START_PAUSE_SECONDS
            return True

    def _successor(self, state: ControlState | None, *, on: bool, server: str | None) -> ControlState:
        # The time in milliseconds keeps an epoch from coming back even when the document was lost or restored from a backup.
        now = int(self._clock.time() * 1000)
        if state is None:
            return ControlState(epoch=now, on=on, server="", copies=now)
        epoch = max(state.epoch + 1, now)
        # What is saved while the cache is off is in no copy: those of the time before must not be shown for it.
        copies = state.copies if on else epoch
        return replace(state, epoch=epoch, on=on, server=state.server if server is None else server, copies=copies)


def _tell_of_epoch(state: ControlState) -> None:
    mode = "on" if state.on else "off"
    metrics.note_epoch(state.epoch, is_on=state.on)
    fields = {"event": "epoch", "epoch": state.epoch, "mode": mode, "server": state.server}
    log.info("epoch %d: the cache is %s", state.epoch, mode, extra={"fields": fields})
