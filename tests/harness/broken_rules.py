"""The application with one rule of the cache taken out, to see that a check which finds nothing would find something.

`BROKEN_RULE` in the environment names the rule; it must not be set anywhere else.
"""

from __future__ import annotations

import os
from typing import Any

from config import Config
from projectapi import create_app
from projectapi.infra import redis_client
from projectapi.infra.redis_client import Connection, RedisUnavailable
from projectapi.stores.cache.shared import SharedCache


def _nobody_invalidates() -> None:
    def nothing(*_: Any, **__: Any) -> None:
        return None

    SharedCache.begin = SharedCache.end = nothing  # type: ignore[method-assign,assignment]


def _a_settlement_that_failed_counts_as_done() -> None:
    end = SharedCache.end

    def careless(*arguments: Any, **options: Any) -> None:
        try:
            end(*arguments, **options)
        except RedisUnavailable:
            return

    SharedCache.end = careless  # type: ignore[method-assign]


def _any_redis_is_believed() -> None:
    def the_same(connection: Connection) -> str:
        return "redis"

    redis_client.RedisLink.__init__.__kwdefaults__["identify"] = the_same


RULES = {
    "nobody invalidates": _nobody_invalidates,
    "a settlement that failed counts as done": _a_settlement_that_failed_counts_as_done,
    "any Redis is believed": _any_redis_is_believed,
}

RULES[os.environ["BROKEN_RULE"]]()
app = create_app(Config.from_env())
