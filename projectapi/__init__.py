"""projectapi: the backend of a browser video editor that loses nothing."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

import redis
from flask import Flask
from pymongo import MongoClient

from projectapi import api, cli, devstack
from projectapi.infra.cache_setup import connect_cache
from projectapi.infra.database_circuit import DatabaseCircuit
from projectapi.infra.database_events import CommandEvents, ServerEvents
from projectapi.infra.logs import set_up_logging
from projectapi.infra.mongo import connect
from projectapi.infra.pool_events import PoolEvents
from projectapi.infra.server_watch import ServerWatch
from projectapi.infra.telemetry import report_errors, trace
from projectapi.project import FRESH_START
from projectapi.protocols import Recogniser
from projectapi.wiring.backend import Clients, assemble_backend
from projectapi.wiring.checks import examinations

if TYPE_CHECKING:
    from config import Config

__version__ = "1.0.0"

log = logging.getLogger("projectapi")

Client = MongoClient[dict[str, Any]]


def create_app(
    config: Config,
    *,
    mongo_client: Client | None = None,
    redis_client: redis.Redis | None = None,
    recogniser: Recogniser | None = None,
) -> Flask:
    """Put the parts together and return the application; nothing is connected before its first use.

    `mongo_client` and `redis_client` take the places of the clients that are otherwise made from the settings; with
    `mongo_client` alone there is no cache; `recogniser` that of the one that the settings choose.
    """
    own_client = mongo_client is None
    set_up_logging(config.log_level, config.log_form)
    if devstack.is_serving():
        log.info(FRESH_START)
    app = Flask(__name__, static_folder=None)
    app.config.update(SECRET_KEY=config.secret_key, PROJECTAPI=config)
    _report_to_others(app, config)

    # The servers: those of the settings, or their stand-ins, or what the caller brought along.
    redis_url, watch = None, ServerWatch()
    if mongo_client is None:
        servers = devstack.provide_for(config)
        mongo_client = _connected(app, config, servers.mongodb_uri, watch)
        redis_url = servers.redis_url if redis_client is None else None
    if redis_source := redis_client or redis_url:
        redis_client = connect_cache(app, redis_source, default_timeout_seconds=config.cache_ttl_seconds)
    clients = Clients(mongodb=mongo_client, circuit=DatabaseCircuit(watch), redis=redis_client, redis_url=redis_url)

    # The parts, and the doors to them.
    backend = app.extensions["projectapi"] = assemble_backend(config, clients, recogniser, version=__version__)
    _open_the_api(app, config, redis_client)
    cli.init_app(app, examinations(config, mongo_client, redis_client, backend))
    if own_client and config.mongodb_uri is None and devstack.is_serving():
        # A database of our own making: nobody else sets it up for plain `flask run`.
        backend.schema.set_up()
    elif own_client and cli.is_development_server():
        # With gunicorn the workers do that, each for itself.
        threading.Thread(target=backend.prepare, name="prepare", daemon=True).start()
        threading.Thread(target=backend.announce_disk, name="announce-disk", daemon=True).start()
    return app


def _connected(app: Flask, config: Config, mongodb_uri: str, watch: ServerWatch) -> Client:
    pool = {"max_pool_size": config.mongodb_max_pool_size, "min_pool_size": config.mongodb_min_pool_size}
    listeners = [watch, CommandEvents(slow_milliseconds=config.slow_database_operation_ms), PoolEvents(), ServerEvents()]
    client = connect(app, mongodb_uri, **pool, listeners=listeners)
    watch.follow(client)
    return client


def _report_to_others(app: Flask, config: Config) -> None:
    if config.sentry_dsn:
        report_errors(config.sentry_dsn, release=__version__, environment=config.app_env)
    if config.otlp_endpoint:
        trace(app, config.otlp_endpoint, release=__version__)


def _open_the_api(app: Flask, config: Config, redis_client: redis.Redis | None) -> None:
    api.init_app(
        app,
        max_body_bytes=config.max_body_bytes,
        cors_origins=config.cors_origins,
        rate_limits_per_client=config.rate_limits,
        redis_pool=redis_client.connection_pool if redis_client else None,
        trusted_proxies=config.trusted_proxies,
        strict_transport=config.app_env == "production",
        access_log=config.access_log,
        database_seconds=config.database_deadline_seconds,
    )
