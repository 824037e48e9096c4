"""So many requests of one client in so much time, counted in Redis for all workers together."""

from __future__ import annotations

import ipaddress
from typing import Any

from flask import Flask, Response, request
from flask_limiter import Limiter, RateLimitExceeded

from projectapi.api.errors import render
from projectapi.errors import TooManyRequests

_EXEMPT = {"health", "metrics"}


def init_app(app: Flask, limits: str, redis_pool: Any) -> None:
    """Hold each client of `app` to `limits`, such as ``600/minute;20/second``, over all addresses together.

    They are counted in the Redis behind `redis_pool`. Without it, or while it is away, every worker counts for itself, so that
    no request waits or fails for want of a count. Whether a worker is well may be asked without end.
    """
    limiter = Limiter(
        client_address,
        application_limits=[limits],
        storage_uri="memory://" if redis_pool is None else "redis://",
        storage_options={} if redis_pool is None else {"connection_pool": redis_pool},
        in_memory_fallback_enabled=redis_pool is not None,
        swallow_errors=True,
        key_prefix="projectapi",
        # Unknown addresses count, too.
        request_identifier=lambda: request.endpoint or "unknown",
    )
    limiter.init_app(app)
    limiter.request_filter(lambda: request.path.split("/")[1] in _EXEMPT)
    app.register_error_handler(RateLimitExceeded, _render)


def client_address() -> str:
    """Return whom a request counts for: its address, and of an IPv6 address the network, since a client has all of one."""
    try:
        address = ipaddress.ip_address(request.remote_addr or "")
    except ValueError:
        return request.remote_addr or "unknown"
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    # A server that listens on IPv6 sees every IPv4 client in one and the same network.
    return str(address.ipv4_mapped or ipaddress.ip_network(f"{address}/64", strict=False))


def _render(exceeded: RateLimitExceeded) -> Response:
    # The whole window, and not what is left of it: to ask for that would cost another question to Redis.
    seconds = exceeded.limit.limit.get_expiry() if exceeded.limit else 1
    return render(TooManyRequests(headers={"Retry-After": str(seconds)}))
