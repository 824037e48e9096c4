"""Flask-Caching's part: configuration and life cycle of the Redis client that the cache works with."""

from __future__ import annotations

from typing import cast

import redis
from flask import Flask
from flask_caching import Cache

from projectapi.infra.flask_cache import ByteCache


def connect_cache(app: Flask, url: str | redis.Redis, *, default_timeout_seconds: float) -> redis.Redis:
    """Set Flask-Caching up for `app` and return its client; `url` may be a client, which then is the one."""
    cache = Cache(
        app,
        config={
            "CACHE_TYPE": "projectapi.infra.flask_cache.ByteCache",
            "CACHE_DEFAULT_TIMEOUT": round(default_timeout_seconds),
            "CACHE_REDIS_URL": url if isinstance(url, str) else "",
            "CACHE_REDIS_HOST": None if isinstance(url, str) else url,
            "CACHE_KEY_PREFIX": "projectapi:",
        },
    )
    return cast(ByteCache, cache.cache).client
