"""What the log tells of the pool of connections to MongoDB, from the driver's own monitoring events."""

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

log = logging.getLogger("projectapi.database.pool")

_FIELDS = {"fields": {"event": "pool"}}


class PoolEvents(ConnectionPoolListener):
    """Logs what happens to the pool: DEBUG, but for a pool that was emptied and for a request that got no connection."""

    def pool_created(self, event: PoolCreatedEvent) -> None:
        """Log a new pool."""
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
        log.debug("connection %d is being opened", event.connection_id, extra=_FIELDS)

    def connection_ready(self, event: ConnectionReadyEvent) -> None:
        """Log a connection that can be used."""
        log.debug("connection %d is ready", event.connection_id, extra=_FIELDS)

    def connection_closed(self, event: ConnectionClosedEvent) -> None:
        """Log a connection that is gone, and why."""
        log.debug("connection %d closed: %s", event.connection_id, event.reason, extra=_FIELDS)

    def connection_check_out_started(self, event: ConnectionCheckOutStartedEvent) -> None:
        """Do nothing: what becomes of it follows."""

    def connection_check_out_failed(self, event: ConnectionCheckOutFailedEvent) -> None:
        """Log that an operation got no connection, and why."""
        fields = {"event": "pool", "reason": event.reason}
        log.warning("no connection to be had from the pool: %s", event.reason, extra={"fields": fields})

    def connection_checked_out(self, event: ConnectionCheckedOutEvent) -> None:
        """Do nothing: the command follows."""

    def connection_checked_in(self, event: ConnectionCheckedInEvent) -> None:
        """Do nothing: the command was told of."""
