"""What the driver's own monitoring knows of MongoDB: whether somebody takes writes, since when nobody does, who was heard last.

The monitors ask every half second, whether anybody works or not, and so they are the probe of the circuit (`DatabaseCircuit`):
no request has to find out for the others that MongoDB is gone, or that it is back.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from pymongo import MongoClient
from pymongo.monitoring import (
    ServerHeartbeatFailedEvent,
    ServerHeartbeatListener,
    ServerHeartbeatStartedEvent,
    ServerHeartbeatSucceededEvent,
)

log = logging.getLogger("projectapi.mongo")


class ServerWatch(ServerHeartbeatListener):
    """Listens to the heartbeats of one client, which must be made with it among its `event_listeners` and given to `follow`.

    All it keeps are moments, each written by one assignment: the threads of the monitors and of requests need no lock.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._client: MongoClient[dict[str, Any]] | None = None
        self._heard_at: float | None = None
        self._first_failed_at: float | None = None
        self._suspected_at: float | None = None
        self._failures = 0
        self._said_away_at: float | None = None
        self._tell: Callable[[], object] = lambda: None

    def when_news_come(self, tell: Callable[[], object]) -> None:
        """Have `tell` called after each heartbeat, in the thread of a monitor."""
        self._tell = tell

    def follow(self, client: MongoClient[dict[str, Any]]) -> None:
        """Watch this client's servers."""
        self._client = client

    @property
    def has_news(self) -> bool:
        """Tell whether any server was asked yet: without its first operation a client does not look for one."""
        return self._heard_at is not None or self._first_failed_at is not None

    def away_for(self) -> float | None:
        """Return for how many seconds nobody has taken writes; None while somebody does, and before the first news."""
        if self._finds_writable() and not self._is_suspected():
            return None
        since = self._first_failed_at if self._heard_at is None else self._heard_at
        return None if since is None else max(0.0, self._monotonic() - since)

    def heard_within(self, seconds: float) -> bool:
        """Tell whether a server that takes writes gave a sign of life during the last `seconds`."""
        return self._heard_at is not None and self._monotonic() - self._heard_at < seconds

    def suspect(self) -> None:
        """Take the server for gone until it is heard again: an operation got no answer, and the heartbeat is late.

        The driver waits for two seconds more before it says so.
        """
        self._suspected_at = self._monotonic()

    def started(self, event: ServerHeartbeatStartedEvent) -> None:
        """Take no note of a question that has no answer yet."""

    def succeeded(self, event: ServerHeartbeatSucceededEvent) -> None:
        """Take note of a sign of life."""
        if event.reply.is_writable:
            self._heard(self._monotonic())
        self._tell()

    def _heard(self, now: float) -> None:
        self._heard_at = now
        self._failures = 0
        if self._said_away_at is not None:
            log.warning("MongoDB is back, %.1f seconds after it was missed.", now - self._said_away_at)
            self._said_away_at = None

    def failed(self, event: ServerHeartbeatFailedEvent) -> None:
        """Take note of a server that could not be reached; say so once when it was the last that takes writes."""
        now = self._monotonic()
        if self._first_failed_at is None:
            self._first_failed_at = now
        self._failures += 1
        # A single one happens while a client is closed, or where a connection broke that is made again at once.
        if self._failures > 1 and self._said_away_at is None and not self._finds_writable():
            self._said_away_at = now
            log.warning(
                "MongoDB cannot be reached (%s): reads are answered from the cache as far as it knows them, everything else "
                "with 503. It is asked again every half second.",
                type(event.reply).__name__,
            )
        self._tell()

    def _finds_writable(self) -> bool:
        if self._client is None:
            return False
        # Not has_writable_server(): it says yes to every server that is connected to directly.
        servers = self._client.topology_description.server_descriptions().values()
        return any(server.is_writable for server in servers)

    def _is_suspected(self) -> bool:
        suspected_at = self._suspected_at
        return suspected_at is not None and (self._heard_at is None or self._heard_at < suspected_at)
