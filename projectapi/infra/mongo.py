"""The one pooled MongoClient of a worker process, made by Flask-PyMongo with every time-out explicit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from flask_pymongo import PyMongo

if TYPE_CHECKING:
    from flask import Flask
    from pymongo import MongoClient

Document = dict[str, Any]


def connect(app: Flask, uri: str, *, max_pool_size: int, min_pool_size: int) -> MongoClient[Document]:
    """Return the process' MongoClient, which connects at first use and so after gunicorn's fork.

    Options inside `uri` win over ours. Flask-PyMongo replaces ``app.json``; the caller sets its own provider afterwards.
    """
    options = {
        "maxPoolSize": max_pool_size,
        "minPoolSize": min_pool_size,
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
        "tz_aware": True,
    }
    # PyMongo lets keyword arguments override the URI; here the operator's URI has the last word.
    named = {name.lower() for name, _ in parse_qsl(urlsplit(uri).query, keep_blank_values=True)}
    if "maxpoolsize" in named:
        named.add("minpoolsize")
    options = {name: value for name, value in options.items() if name.lower() not in named}
    pymongo = PyMongo()
    pymongo.init_app(app, uri=uri, **options)
    if pymongo.cx is None:
        raise RuntimeError("Flask-PyMongo made no client")
    return pymongo.cx
