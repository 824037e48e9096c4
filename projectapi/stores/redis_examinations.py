"""What `flask doctor` looks at in Redis."""

from __future__ import annotations

import redis

from projectapi.infra.redis_client import TIMEOUT_SECONDS, RedisUnavailable
from projectapi.infra.redis_server import memory_of, ping_seconds
from projectapi.protocols import Diagnosis, fail, ok, warn

_NEAR_SECONDS = 0.005


class RedisReachable:
    """Whether Redis answers, and how fast."""

    name = "redis"
    needs = ""

    def __init__(self, client: redis.Redis | None) -> None:
        self._client = client

    def examine(self) -> Diagnosis:
        """See `Examination.examine`."""
        if self._client is None:
            return warn("there is none: every read asks MongoDB", "Set REDIS_URL to have projects opened from a cache.")
        try:
            seconds = ping_seconds(self._client)
        except RedisUnavailable as error:
            advice = f"See that it runs and that REDIS_URL names it; it must answer within {TIMEOUT_SECONDS:g} s."
            return fail(f"Redis {error}", advice)
        found = f"answers in {seconds * 1000:.1f} ms"
        if seconds > _NEAR_SECONDS:
            return warn(found, "Put it next to the application, in the same region: every read asks it.")
        return ok(found)


class RedisEviction:
    """What Redis does when its memory is full: a cache must forget, not refuse."""

    name = "redis eviction"
    needs = "redis"

    def __init__(self, client: redis.Redis) -> None:
        self._client = client

    def examine(self) -> Diagnosis:
        """See `Examination.examine`."""
        try:
            memory = memory_of(self._client)
        except RedisUnavailable:
            return fail("Redis stopped answering", "See its log and its memory.")
        if memory.policy is None:
            return ok("this server does not tell its policy; allkeys-lru is right")
        if memory.policy == "noeviction":
            return warn(
                "noeviction: a full Redis refuses to cache anything more",
                "Set maxmemory-policy to allkeys-lru (Heroku: `heroku redis:maxmemory --policy allkeys-lru`).",
            )
        return ok(f"{memory.policy}, {_limit(memory.limit_bytes)}")


def _limit(limit_bytes: int | None) -> str:
    return f"{limit_bytes / 2**20:.0f} MiB" if limit_bytes else "no limit of its own"
