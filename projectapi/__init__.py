"""projectapi: the backend of a browser video editor that loses nothing."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from flask import Flask
from pymongo import MongoClient

from projectapi import api, devstack
from projectapi.cli.db import db
from projectapi.cli.dev import dev_command
from projectapi.infra.logs import set_up_logging
from projectapi.infra.mongo import connect
from projectapi.infra.retry import Retry
from projectapi.media import MediaRoom
from projectapi.project import FRESH_START
from projectapi.protocols import Backend
from projectapi.schemas import answers
from projectapi.schemas.timeline_schema import mongodb_schema
from projectapi.stores import collections
from projectapi.stores.answers import StoreAnswers
from projectapi.stores.mongo_idempotency import MongoIdempotencyStore
from projectapi.stores.mongo_projects import MongoProjectStore
from projectapi.stores.mongo_timelines import MongoTimelineStore
from projectapi.stores.project_documents import ProjectDocuments
from projectapi.stores.revision_documents import RevisionDocuments
from projectapi.stores.timeline_writer import TimelineWriter

if TYPE_CHECKING:
    from config import Config

__version__ = "1.0.0"

log = logging.getLogger("projectapi")


def create_app(config: Config, *, mongo_client: MongoClient[dict[str, Any]] | None = None) -> Flask:
    """Put the parts together and return the application; nothing is connected before its first use.

    `mongo_client` takes the place of the pooled client that is otherwise made from the settings.
    """
    set_up_logging(config.log_level)
    app = Flask(__name__, static_folder=None)
    app.config.update(SECRET_KEY=config.secret_key, PROJECTAPI=config)

    # Data: one pooled client, one way to it, two stores over it.
    client = mongo_client or _connect(app, config)
    database = client[config.mongodb_database]
    retry = Retry(deadline_seconds=config.database_deadline_seconds)
    project_documents = ProjectDocuments(database[collections.PROJECTS], retry)
    project_store = MongoProjectStore(project_documents, retry)
    revision_documents = RevisionDocuments(database[collections.TIMELINE_STATES], retry)
    writer = TimelineWriter(project_documents, revision_documents, retry)
    timeline_store = MongoTimelineStore(project_documents, revision_documents, writer)

    app.extensions["projectapi"] = Backend(
        answers=StoreAnswers(project_store, timeline_store, answers),
        projects=project_store,
        timelines=timeline_store,
        idempotency=MongoIdempotencyStore(database[collections.IDEMPOTENCY_KEYS], retry),
        videos=MediaRoom(config.media_dir, max_upload_bytes=config.max_upload_bytes),
        set_up_database=lambda: collections.set_up(database, mongodb_schema()),
        close=client.close,
        version=__version__,
        ownership_enforced=config.ownership == "enforced",
        max_upload_bytes=config.max_upload_bytes,
    )

    api.init_app(app, max_body_bytes=config.max_body_bytes, cors_origins=config.cors_origins)
    app.cli.add_command(db)
    app.cli.add_command(dev_command)
    log.info(FRESH_START)
    return app


def _connect(app: Flask, config: Config) -> MongoClient[dict[str, Any]]:
    servers = devstack.provide_for(config)
    return connect(
        app,
        servers.mongodb_uri,
        max_pool_size=config.mongodb_max_pool_size,
        min_pool_size=config.mongodb_min_pool_size,
    )
