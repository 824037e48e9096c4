"""What a Redis server says of itself to who runs projectapi."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import redis
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError

from projectapi.infra.redis_client import RedisUnavailable


@dataclass(frozen=True, slots=True)
class RedisMemory:
    """What a server does when its memory is full; None for what it does not tell."""

    policy: str | None
    limit_bytes: int | None


def ping_seconds(client: redis.Redis) -> float:
    """Return how long one round trip takes. Raises RedisUnavailable."""
    try:
        # The first opens the connection.
        client.ping()
        started = time.perf_counter()
        client.ping()
    except AuthenticationError as error:
        raise RedisUnavailable("refuses the user or the password in REDIS_URL") from error
    except (RedisError, OSError) as error:
        raise RedisUnavailable("does not answer") from error
    return time.perf_counter() - started


def memory_of(client: redis.Redis) -> RedisMemory:
    """Return what the server says of its memory, which hosted ones may keep to themselves. Raises RedisUnavailable."""
    try:
        # Not CONFIG GET: hosted servers refuse it.
        found: dict[str, Any] = client.info("memory")
    except NoPermissionError:
        found = {}
    except (RedisError, OSError) as error:
        raise RedisUnavailable("does not answer") from error
    return RedisMemory(found.get("maxmemory_policy"), found.get("maxmemory"))
