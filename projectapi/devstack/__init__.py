"""Embedded stand-ins for MongoDB and Redis: what `make run`, `flask run` and gunicorn use in development.

One process owns the data folder and the servers that run on it, and ends them when it ends. How others find them:

* Its children (the reloader's child, gunicorn's workers) inherit `MONGODB_URI` and `REDIS_URL`: `_announce` puts them into
  the environment, and it alone does. Whoever reads the settings there meets ordinary servers and starts none.
* A `flask` command in another terminal joins them by way of the folder's `devstack.json`.

The owner may be killed with all its servers at any moment: acknowledged writes are journaled, locks vanish with their
process, and the next start first ends what is left of the last.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import click

from projectapi.devstack.processes import DevstackError
from projectapi.devstack.stand_ins import StandIns, current, provide, stop

__all__ = ["DevstackError", "Servers", "Settings", "StandIns", "current", "is_serving", "provide", "provide_for", "stop"]


class Settings(Protocol):
    """The settings that say which servers there are."""

    @property
    def app_env(self) -> str: ...
    @property
    def mongodb_uri(self) -> str | None: ...
    @property
    def redis_url(self) -> str | None: ...
    @property
    def instance_dir(self) -> Path: ...


@dataclass(frozen=True)
class Servers:
    """The servers to use, whoever runs them; without `redis_url` there is no cache."""

    mongodb_uri: str
    redis_url: str | None


def provide_for(settings: Settings) -> Servers:
    """Return the servers that `settings` name, with stand-ins in place of missing ones except in production.

    Raises DevstackError when stand-ins are needed and cannot be had.
    """
    mongodb_uri, redis_url = settings.mongodb_uri, settings.redis_url
    if settings.app_env != "production" and not (mongodb_uri and redis_url):
        stand_ins = provide(settings.instance_dir, mongodb=not mongodb_uri, redis=not redis_url, join=not is_serving())
        mongodb_uri, redis_url = mongodb_uri or stand_ins.mongodb_uri, redis_url or stand_ins.redis_url
    if mongodb_uri is None:
        raise DevstackError("MONGODB_URI is not set, and in production nothing stands in for MongoDB.")
    return Servers(mongodb_uri, redis_url)


def is_serving() -> bool:
    """Tell whether this process is a server and not a `flask` command: a command may join the stand-ins of another process."""
    context = click.get_current_context(silent=True)
    return context is None or context.info_name == "run"
