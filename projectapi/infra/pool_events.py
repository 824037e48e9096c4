"""What log and metrics tell of the pool of connections to MongoDB, from the driver's own monitoring events."""

from __future__ import annotations

import logging

from pymongo.monitoring import (
    ConnectionCheckedInEvent,
    ConnectionCheckedOutEvent,
    ConnectionCheckOutFailedEvent,
    ConnectionCheckOutStartedEvent,
    ConnectionClosedEvent,
    ConnectionCreatedEvent,
    ConnectionPoolListener,
    ConnectionReadyEvent,
    PoolClearedEvent,
    PoolClosedEvent,
    PoolCreatedEvent,
    PoolReadyEvent,
)

from projectapi.infra import metrics

log = logging.getLogger("projectapi.database.pool")

_FIELDS = {"fields": {"event": "pool"}}


class PoolEvents(ConnectionPoolListener):
    """Counts connections, and logs what happens to the pool.

    At DEBUG, but for a pool that was emptied and for a request that got no connection.
    """

    def pool_created(self, event: PoolCreatedEvent) -> None:
        """Log a new pool, and note how many connections it may have."""
        # One a server; a standalone or the primary is the one that is used.
        metrics.POOL_MAX.set(event.options.get("maxPoolSize", 100) if event.options else 100)
        log.debug("pool made", extra=_FIELDS)

    def pool_ready(self, event: PoolReadyEvent) -> None:
        """Log a pool that may be used (again)."""
        log.debug("pool ready", extra=_FIELDS)

    def pool_cleared(self, event: PoolClearedEvent) -> None:
        """Log that all connections were dropped, since one of them broke."""
        log.info("pool cleared: a connection broke, so none of the others is trusted", extra=_FIELDS)

    def pool_closed(self, event: PoolClosedEvent) -> None:
        """Log a pool that is gone."""
        log.debug("pool closed", extra=_FIELDS)

    def connection_created(self, event: ConnectionCreatedEvent) -> None:
        """Log a connection that is being opened."""
        metrics.CONNECTIONS.inc()
        log.debug("connection %d is being opened", event.connection_id, extra=_FIELDS)

    def connection_ready(self, event: ConnectionReadyEvent) -> None:
        """Log a connection that can be used."""
        log.debug("connection %d is ready", event.connection_id, extra=_FIELDS)

    def connection_closed(self, event: ConnectionClosedEvent) -> None:
        """Log a connection that is gone, and why."""
        metrics.CONNECTIONS.dec()
        log.debug("connection %d closed: %s", event.connection_id, event.reason, extra=_FIELDS)

    def connection_check_out_started(self, event: ConnectionCheckOutStartedEvent) -> None:
        """Count an operation that wants a connection."""
        metrics.WAITING.inc()

    def connection_check_out_failed(self, event: ConnectionCheckOutFailedEvent) -> None:
        """Log that an operation got no connection, and why."""
        metrics.WAITING.dec()
        metrics.CHECK_OUT_FAILURES.labels(event.reason).inc()
        fields = {"event": "pool", "reason": event.reason}
        log.warning("no connection to be had from the pool: %s", event.reason, extra={"fields": fields})

    def connection_checked_out(self, event: ConnectionCheckedOutEvent) -> None:
        """Count a connection that is in use."""
        metrics.WAITING.dec()
        metrics.IN_USE.inc()

    def connection_checked_in(self, event: ConnectionCheckedInEvent) -> None:
        """Count a connection that is free again."""
        metrics.IN_USE.dec()
