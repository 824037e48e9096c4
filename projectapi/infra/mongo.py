"""The one pooled MongoClient of a worker process: Flask-PyMongo's, with every time-out explicit."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from flask_pymongo import PyMongo
from flask_pymongo.wrappers import MongoClient as FlaskMongoClient
from pymongo import ReadPreference

from projectapi.infra.connection_string import options_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flask import Flask
    from pymongo import MongoClient
    from pymongo.monitoring import _EventListener

Document = dict[str, Any]

_OPTIONS: dict[str, Any] = {
    "appname": "projectapi",
    "w": "majority",
    "journal": True,
    "retryWrites": True,
    "retryReads": True,
    "serverSelectionTimeoutMS": 2_000,
    "connectTimeoutMS": 2_000,
    "socketTimeoutMS": 20_000,
    "waitQueueTimeoutMS": 2_000,
    # The shortest that the driver allows: a server that comes back is used again within a second.
    "heartbeatFrequencyMS": 500,
}

log = logging.getLogger("projectapi.mongo")


def connect(
    app: Flask, uri: str, *, max_pool_size: int, min_pool_size: int, listeners: Sequence[_EventListener] = ()
) -> MongoClient[Document]:
    """Return the process' MongoClient, which connects at first use and so after gunicorn's fork.

    The hosts behind a ``mongodb+srv://`` address, too, are looked up at first use. Options inside `uri` win over ours; those
    that weaken what projectapi promises are named in the log. `listeners` hear the driver's monitoring events. The client is in
    ``app.extensions["pymongo"].cx``.
    """
    options = {"maxPoolSize": max_pool_size, "minPoolSize": min_pool_size, **_OPTIONS}
    # PyMongo lets keyword arguments override the URI; here the operator's URI has the last word.
    named = set(options_of(uri))
    if "maxpoolsize" in named:
        named.add("minpoolsize")
    options = {name: value for name, value in options.items() if name.lower() not in named}
    # Not PyMongo.init_app: it looks mongodb+srv:// addresses up at once, and a worker could not start while DNS is away.
    pymongo = PyMongo()
    pymongo.cx = client = FlaskMongoClient(uri, connect=False, tz_aware=True, event_listeners=listeners, **options)
    app.extensions["pymongo"] = pymongo
    if weakened := weakened_promises(client):
        log.warning("Options in the MongoDB connection string (%s) weaken what projectapi promises.", "; ".join(weakened))
    return client


def weakened_promises(client: MongoClient[Document]) -> list[str]:
    """Return the promises that the options in force do not keep, each behind the name of its option."""
    concern = client.write_concern.document
    kept = {
        "w: a save is acknowledged by a majority": concern.get("w") == "majority",
        "journal: a save is on disk when it is acknowledged": concern.get("j") is True,
        "retryWrites: a write is repeated after a failover": client.options.retry_writes,
        "readPreference: a read sees every save before it": client.read_preference == ReadPreference.PRIMARY,
    }
    return [promise for promise, holds in kept.items() if not holds]
