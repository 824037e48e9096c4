"""projectapi: the backend of a browser video editor that loses nothing."""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import redis
from flask import Flask
from pymongo import MongoClient
from pymongo.database import Database

from projectapi import api, cli, devstack
from projectapi.backup import BackupFolder
from projectapi.errors import ProjectApiError
from projectapi.infra.cache_setup import connect_cache
from projectapi.infra.database_circuit import DatabaseCircuit
from projectapi.infra.database_events import CommandEvents, ServerEvents
from projectapi.infra.logs import set_up_logging
from projectapi.infra.metrics_page import PrometheusMetrics
from projectapi.infra.mongo import connect
from projectapi.infra.pool_events import PoolEvents
from projectapi.infra.redis_client import RedisLink
from projectapi.infra.retry import Retry
from projectapi.infra.server_watch import ServerWatch
from projectapi.infra.telemetry import report_errors, trace
from projectapi.jobs import Count, JobsRoom, open_jobs
from projectapi.media import MediaRoom
from projectapi.media.disk_check import DiskCheck
from projectapi.media.disk_marker import MarkerFile
from projectapi.media.disk_notice import SameDiskCheck, announce_disk, is_mounted
from projectapi.media.examinations import Disk, Ffmpeg, Videos
from projectapi.media.looking import Looks
from projectapi.project import FRESH_START, SCHEMA_VERSION
from projectapi.protocols import Backend, Check, DatabaseSchema, Examination, MediaDisk, Recogniser
from projectapi.schemas import answers
from projectapi.schemas.timeline_schema import mongodb_schema
from projectapi.speech import open_recogniser
from projectapi.stores.announced import Announced, Owners
from projectapi.stores.assembly import Stores, behind_cache, mongo_stores
from projectapi.stores.backup_source import MongoBackupSource, missing_revisions
from projectapi.stores.backup_target import MongoBackupTarget
from projectapi.stores.cache import CONTROL_COLLECTION, CacheEngine, CacheSettings, MongoControlStore
from projectapi.stores.database_examinations import (
    Clock,
    DatabaseAddress,
    DatabaseReachable,
    Pool,
    Promises,
    Rights,
)
from projectapi.stores.database_info import METADATA, CheckedRetry, DatabaseInfo
from projectapi.stores.database_schema import MongoDatabaseSchema
from projectapi.stores.database_size import bytes_of
from projectapi.stores.health_checks import CacheCheck, DatabaseCheck, NoCacheCheck, SchemaCheck
from projectapi.stores.history_sweep import Announce, unannounced
from projectapi.stores.housekeeping import MongoHousekeeping
from projectapi.stores.media_disk import MongoMediaAudit, MongoMediaDisk
from projectapi.stores.redis_examinations import RedisEviction, RedisReachable
from projectapi.stores.schema_examinations import Indexes, SchemaVersion, Validators
from projectapi.timeline.retention import RetentionPolicy

if TYPE_CHECKING:
    from config import Config

__version__ = "1.0.0"

log = logging.getLogger("projectapi")

Client = MongoClient[dict[str, Any]]
Background = tuple[str | redis.Redis | None, Recogniser | None]
"""What jobs need besides the stores: the Redis by which worker processes are found, and who listens."""


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
    redis_url: str | redis.Redis | None = redis_client
    watch = ServerWatch()
    if mongo_client is None:
        servers = devstack.provide_for(config)
        mongo_client = _connected(app, config, servers.mongodb_uri, watch)
        redis_url = redis_url or servers.redis_url

    # The parts, and the doors to them.
    circuit = DatabaseCircuit(watch)
    if redis_url:
        redis_client = connect_cache(app, redis_url, default_timeout_seconds=config.cache_ttl_seconds)
    backend = app.extensions["projectapi"] = _backend(config, mongo_client, circuit, redis_client, (redis_url, recogniser))
    _open_the_api(app, config, redis_client)
    cli.init_app(app, _examinations(config, mongo_client, redis_client, backend))
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


def _backend(
    config: Config, client: Client, circuit: DatabaseCircuit, redis_client: redis.Redis | None, background: Background
) -> Backend:
    database, seconds = client[config.mongodb_database], config.database_deadline_seconds
    engine = _cache_engine(config, redis_client, database, circuit) if redis_client else None
    schema = MongoDatabaseSchema(database, Retry(deadline_seconds=seconds, circuit=circuit), mongodb_schema())
    retry = CheckedRetry(schema.refuse_newer, deadline_seconds=seconds, circuit=circuit)
    stores, announce = _stores(database, retry, engine)
    videos = _media_room(config)
    metrics = _metrics(config, database)
    jobs = _jobs(config, stores, videos, background, metrics.count_job)
    disk = MongoMediaDisk(database, retry, MarkerFile(config.media_dir))
    return Backend(
        answers=stores.answers,
        projects=stores.projects,
        timelines=stores.timelines,
        transcripts=stores.transcripts,
        imports=stores.imports,
        idempotency=stores.idempotency,
        videos=videos,
        looks=Looks(videos.folder, videos.path_of),
        media_disk=disk,
        media_audit=MongoMediaAudit(database, retry, videos),
        announce_disk=partial(_announce_disk, config, disk),
        uploads=videos.resumable,
        jobs=jobs.desk,
        worker=jobs.worker,
        cache=engine,
        housekeeping=MongoHousekeeping(database, retry, videos, videos.resumable, announce, disk),
        backups=_backups(config, client, Retry(deadline_seconds=seconds, circuit=circuit), videos),
        retention=_retention(config),
        schema=schema,
        checks=_checks(config, database, circuit, engine, disk, schema),
        prepare=partial(_prepare, schema, engine),
        close=partial(_close, client, redis_client),
        metrics=metrics,
        metrics_token=_metrics_token(config),
        version=__version__,
        ownership_enforced=config.ownership == "enforced",
        max_upload_bytes=config.max_upload_bytes,
        x_accel_prefix=config.x_accel_prefix,
    )


def _stores(database: Database[dict[str, Any]], retry: Retry, engine: CacheEngine | None) -> tuple[Stores, Announce]:
    """Return the stores, and how writes that go around them are announced to the cache."""
    stores = mongo_stores(database, retry, answers)
    if engine is None:
        log.info("REDIS_URL is not set: there is no cache, and every read asks MongoDB.")
        return stores, unannounced
    owners = Owners(stores.projects)
    return behind_cache(stores, engine, owners, answers), Announced(engine, owners).write


def _checks(
    config: Config,
    database: Database[dict[str, Any]],
    circuit: DatabaseCircuit,
    engine: CacheEngine | None,
    disk: MediaDisk,
    schema: MongoDatabaseSchema,
) -> Sequence[Check]:
    """Return what `/health/ready` looks at, in this order; further checks go here."""
    return (
        DatabaseCheck(database, circuit),
        NoCacheCheck() if engine is None else CacheCheck(engine),
        DiskCheck(config.media_dir, config.max_upload_bytes),
        SameDiskCheck(disk),
        SchemaCheck(schema),
    )


def _examinations(
    config: Config, client: Client, redis_client: redis.Redis | None, backend: Backend
) -> tuple[Examination, ...]:
    """Return what `flask doctor` looks at, in this order."""
    schema = backend.schema
    vanishes = config.dyno is not None or (config.render is not None and not is_mounted(config.media_dir))
    return (
        DatabaseAddress(config.mongodb_uri, in_production=config.app_env == "production"),
        Promises(client),
        Pool(client, processes=config.web_concurrency, threads=config.web_threads),
        DatabaseReachable(client),
        Clock(client),
        Rights(client[config.mongodb_database]),
        Indexes(schema),
        Validators(schema),
        SchemaVersion(schema),
        RedisReachable(redis_client),
        *([RedisEviction(redis_client)] if redis_client is not None else []),
        Disk(DiskCheck(config.media_dir, config.max_upload_bytes), vanishes=vanishes),
        Videos(backend.media_disk),
        Ffmpeg(),
    )


def _close(client: MongoClient[dict[str, Any]], redis_client: redis.Redis | None) -> None:
    client.close()
    if redis_client is not None:
        redis_client.connection_pool.disconnect()


def _prepare(schema: DatabaseSchema, engine: CacheEngine | None) -> None:
    """Have the servers looked for before the first request comes; the log says when MongoDB is away. Does not raise."""
    if engine is not None:
        engine.prepare()
    with suppress(ProjectApiError):
        schema.versions()


def _announce_disk(config: Config, disk: MediaDisk) -> None:
    announce_disk(disk, config.media_dir, on_heroku=bool(config.dyno), on_render=bool(config.render))


def _metrics(config: Config, database: Database[dict[str, Any]]) -> PrometheusMetrics:
    return PrometheusMetrics(
        media_dir=config.media_dir,
        database_bytes=partial(bytes_of, database),
        database_limit_bytes=config.database_limit_bytes,
    )


def _metrics_token(config: Config) -> str | None:
    # A token that nobody knows keeps everybody out.
    return config.metrics_token or (secrets.token_hex() if config.app_env == "production" else None)


def _media_room(config: Config) -> MediaRoom:
    return MediaRoom(
        config.media_dir,
        max_upload_bytes=config.max_upload_bytes,
        uploads_at_once=config.uploads_at_once,
        upload_lifetime_seconds=config.upload_lifetime_hours * 3600.0,
    )


def _jobs(config: Config, stores: Stores, videos: MediaRoom, background: Background, count: Count) -> JobsRoom:
    redis_url, recogniser = background
    return open_jobs(
        stores.jobs,
        videos,
        stores.transcripts,
        recogniser or open_recogniser(config.speech, config.whisper_model_dir, videos.folder.work_folder),
        media_dir=config.media_dir,
        # Other processes cannot find the Redis of a client that was brought along.
        redis_url=redis_url if isinstance(redis_url, str) else None,
        at_once=config.jobs_at_once,
        waiting=max(1, config.web_threads // 2),
        count=count,
    )


def _backups(config: Config, client: MongoClient[dict[str, Any]], retry: Retry, videos: MediaRoom) -> BackupFolder:
    # Not a checked one: a database whose restoring was cut off is to be restored.
    def info(name: str) -> DatabaseInfo:
        return DatabaseInfo(client[name][METADATA], retry, SCHEMA_VERSION)

    name = config.mongodb_database
    return BackupFolder(
        config.backup_dir,
        database=name,
        version=__version__,
        source=MongoBackupSource(client[name], retry, info(name)),
        target_of=lambda other: MongoBackupTarget(client[other], retry, info(other), mongodb_schema()),
        missing_revisions=missing_revisions,
        videos=videos,
    )


def _retention(config: Config) -> RetentionPolicy:
    hours, days = config.history_keep_all_hours, config.history_keep_hourly_days
    return RetentionPolicy(keep_all=timedelta(hours=hours), hourly=timedelta(days=days))


def _cache_engine(
    config: Config, client: redis.Redis, database: Database[dict[str, Any]], circuit: DatabaseCircuit
) -> CacheEngine:
    kinds = dict.fromkeys(CacheSettings().ttl_seconds, config.cache_ttl_seconds) | dict(config.cache_ttls)
    copy_seconds = CacheSettings().copy_seconds if config.stale_if_error else 0.0
    settings = CacheSettings(ttl_seconds=kinds, copy_seconds=copy_seconds, representation=__version__)
    control = MongoControlStore(database[CONTROL_COLLECTION], circuit=circuit)
    return CacheEngine(RedisLink(client, layout=settings.layout), control, settings)
