"""How long an operation may wait for MongoDB: as long as it takes while somebody answers, not at all once it is surely gone.

An election or a restart lasts seconds, and what waits through it succeeds; an outage lasts minutes, and whoever waits then
waits in vain and holds a thread. Nobody knows which it is, so there is a patience, counted from the moment at which MongoDB was
last heard: until it is used up operations wait, after it they fail at once. A read that has something to fall back to is given
less of it, by `within`. MongoDB's return closes the circuit by itself, as the driver's monitors notice it (`ServerWatch`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

from pymongo.errors import ConfigurationError

from projectapi.errors import DatabaseUnavailable
from projectapi.infra import metrics
from projectapi.infra.circuit_breaker import CircuitBreaker
from projectapi.infra.driver_errors import means_no_server, timed_out
from projectapi.infra.server_watch import ServerWatch

PATIENCE_SECONDS = 5.0
"""A planned election takes less, and so does a restart of one server."""

_PROBE_SECONDS = 1.0
_LATE_HEARTBEAT_SECONDS = 0.9
"""The monitors hear from a living server every 0.5 s: one missed heartbeat, and some delay."""

_LEAST_SECONDS = 0.1


class _Hurry(NamedTuple):
    seconds: float
    ends_at: float


_hurry: ContextVar[_Hurry | None] = ContextVar("hurry", default=None)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Let the operations of the block wait, all together, `seconds` at most for a MongoDB that does not answer.

    It may only shorten the block around it. A server that is heard and merely slow is given the usual time (`Retry`).
    """
    around, ends_at = _hurry.get(), time.monotonic() + seconds
    token = _hurry.set(_Hurry(seconds, ends_at) if around is None else min(around, _Hurry(seconds, ends_at), key=_end))
    try:
        yield
    finally:
        _hurry.reset(token)


def _end(hurry: _Hurry) -> float:
    return hurry.ends_at


class DatabaseCircuit:
    """Lets operations through to MongoDB, or refuses them at once; one for all that a process does with one client.

    Without a watch, and before a watch has its first news (the hosts behind ``mongodb+srv://`` cannot be looked up, say), the
    operations themselves are the only probe: after one that found no server, one a second is let through for a second.
    """

    def __init__(
        self,
        watch: ServerWatch | None = None,
        *,
        patience_seconds: float = PATIENCE_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._watch = watch or ServerWatch()
        self._patience_seconds = patience_seconds
        self._breaker = CircuitBreaker(pause_seconds=_PROBE_SECONDS, monotonic=monotonic)
        # While MongoDB is away nobody may ask for anything: the metrics learn of it from the heartbeats.
        self._watch.when_news_come(self._show)

    @property
    def is_open(self) -> bool:
        """Tell whether an operation that can wait for an election would be refused now."""
        away = self._watch.away_for()
        return self._is_known_only_by_failures if away is None else away >= self._patience_seconds

    @property
    def hears_server(self) -> bool:
        """Tell whether MongoDB gave a sign of life just now, so that an operation that takes long is merely slow."""
        return self._watch.heard_within(_LATE_HEARTBEAT_SECONDS)

    @property
    def _is_known_only_by_failures(self) -> bool:
        return self._breaker.is_open and not self._watch.has_news

    def seconds_for(self, wanted: float) -> float:
        """Return how long an operation that wants `wanted` seconds may take. Raises DatabaseUnavailable: not at all."""
        hurry, patience = _hurry.get(), self._patience_seconds
        if hurry is not None:
            wanted = min(wanted, max(_LEAST_SECONDS, hurry.ends_at - time.monotonic()))
            patience = min(patience, hurry.seconds)
        if (away := self._watch.away_for()) is not None:
            wanted = min(wanted, patience - away)
        elif self._is_known_only_by_failures:
            wanted = min(wanted, _PROBE_SECONDS) if self._breaker.allows() else 0.0
        if wanted <= 0:
            metrics.TROUBLED.labels("refused").inc()
            raise DatabaseUnavailable
        return wanted

    def failed(self, error: BaseException | None) -> None:
        """Learn from the driver's error that ended an operation."""
        if timed_out(error) and not self.hears_server:
            self._watch.suspect()
        # While DNS is away the hosts of a mongodb+srv:// address cannot be looked up.
        if means_no_server(error) or isinstance(error, ConfigurationError):
            self._breaker.failed()
        self._show()

    def succeeded(self) -> None:
        """Learn that an operation was carried out."""
        if self._breaker.succeeded():
            self._show()

    def _show(self) -> None:
        metrics.DATABASE_CIRCUIT.set(self.is_open)
