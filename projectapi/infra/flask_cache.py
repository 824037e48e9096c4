"""Flask-Caching's Redis backend as projectapi uses it: our client, and JSON or raw bytes in place of pickle.

Select it with ``CACHE_TYPE = "projectapi.infra.flask_cache.ByteCache"``. It holds configuration and life cycle; the cached
answers themselves go through the protocol in stores/cache, which uses `ByteCache.client`.
"""

from __future__ import annotations

import json
from typing import Any

import redis
from flask import Flask
from flask_caching.backends.rediscache import RedisCache

from projectapi.infra import redis_client


class ByteSerializer:
    """Keeps bytes as they are and everything else as JSON: who can write to Redis must not be able to run code here."""

    def dumps(self, value: Any) -> bytes:
        """Return `value` as bytes. Raises TypeError for what is neither bytes nor JSON."""
        return b"b" + value if isinstance(value, bytes) else b"j" + json.dumps(value, allow_nan=False).encode()

    def loads(self, value: bytes | None) -> Any:
        """Return what `dumps` was given; None for nothing and for what somebody else stored."""
        if not value or value[:1] not in (b"b", b"j"):
            return None
        if value[:1] == b"b":
            return value[1:]
        try:
            return json.loads(value[1:])
        except ValueError:
            return None


class ByteCache(RedisCache):
    """The backend: made by Flask-Caching from the application's settings."""

    serializer = ByteSerializer()  # type: ignore[assignment]

    @property
    def client(self) -> redis.Redis:
        """Return the client that this backend and the cache protocol share."""
        client: redis.Redis = self._write_client
        return client

    @classmethod
    def factory(cls, app: Flask, config: dict[str, Any], args: list[Any], kwargs: dict[str, Any]) -> ByteCache:
        """Build the backend: with the client object in ``CACHE_REDIS_HOST`` if there is one, else for ``CACHE_REDIS_URL``."""
        host = config.get("CACHE_REDIS_HOST")
        kwargs["host"] = host if host and not isinstance(host, str) else redis_client.connect(config["CACHE_REDIS_URL"])
        kwargs["key_prefix"] = config.get("CACHE_KEY_PREFIX")
        return cls(*args, **kwargs)
