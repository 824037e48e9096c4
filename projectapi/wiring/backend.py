"""The backend: every part that a handler or a command may ask for, each with the parts that it needs."""

from __future__ import annotations

import logging
import secrets
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import redis
from pymongo import MongoClient
from pymongo.database import Database

from projectapi.backup import BackupFolder
from projectapi.errors import ProjectApiError
from projectapi.infra.database_circuit import DatabaseCircuit
from projectapi.infra.metrics_page import PrometheusMetrics
from projectapi.infra.redis_client import RedisLink
from projectapi.infra.retry import Retry
from projectapi.jobs import JobsRoom, open_jobs
from projectapi.media import MediaRoom
from projectapi.media.disk_marker import MarkerFile
from projectapi.media.disk_notice import announce_disk
from projectapi.media.looking import Looks
from projectapi.project import SCHEMA_VERSION
from projectapi.protocols import Backend, DatabaseSchema, MediaDisk, Recogniser
from projectapi.schemas import answers
from projectapi.schemas.timeline_schema import mongodb_schema
from projectapi.speech import open_recogniser
from projectapi.stores.announced import Announce, Announced, Owners, unannounced
from projectapi.stores.assembly import Stores, behind_cache, mongo_stores
from projectapi.stores.backup_source import MongoBackupSource, missing_revisions
from projectapi.stores.backup_target import MongoBackupTarget
from projectapi.stores.cache import CONTROL_COLLECTION, CacheEngine, CacheSettings, MongoControlStore
from projectapi.stores.database_info import METADATA, CheckedRetry, DatabaseInfo
from projectapi.stores.database_numbers import DatabaseNumbers
from projectapi.stores.database_schema import MongoDatabaseSchema
from projectapi.stores.housekeeping import MongoHousekeeping
from projectapi.stores.media_disk import MongoMediaAudit, MongoMediaDisk
from projectapi.timeline.retention import RetentionPolicy
from projectapi.wiring.checks import health_checks

if TYPE_CHECKING:
    from config import Config

log = logging.getLogger("projectapi")

Document = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Clients:
    """What reaches the servers; without `redis` there is no cache.

    `circuit` decides how long anybody waits for MongoDB. By `redis_url` worker processes find the same Redis; None where it is
    not to be found by others, as when the caller of `create_app` brought the client along.
    """

    mongodb: MongoClient[Document]
    circuit: DatabaseCircuit
    redis: redis.Redis | None
    redis_url: str | None


def assemble_backend(config: Config, clients: Clients, recogniser: Recogniser | None, *, version: str) -> Backend:
    """Return the backend that works with these clients; `recogniser` takes the place of the one that the settings choose."""
    database, seconds, circuit = clients.mongodb[config.mongodb_database], config.database_deadline_seconds, clients.circuit
    unchecked_retry = Retry(deadline_seconds=seconds, circuit=circuit)
    info = DatabaseInfo(database[METADATA], unchecked_retry, SCHEMA_VERSION)
    retry = CheckedRetry(info.refuse_newer, deadline_seconds=seconds, circuit=circuit)
    control = MongoControlStore(database[CONTROL_COLLECTION], circuit=circuit, heard=retry.heard)
    engine = _cache_engine(config, clients.redis, control, version) if clients.redis is not None else None
    stores, announce = _stores(database, retry, engine)
    schema = MongoDatabaseSchema(database, unchecked_retry, mongodb_schema(), announce=announce)
    videos = _media_room(config)
    listener = recogniser or open_recogniser(config.speech, config.whisper_model_dir, videos.folder.work_folder)
    jobs = _jobs(config, stores, videos, listener, clients.redis_url)
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
        backups=_backups(config, clients.mongodb, unchecked_retry, videos, version),
        retention=_retention(config),
        schema=schema,
        checks=health_checks(config, database, circuit, engine, disk, schema),
        prepare=partial(_prepare, schema, engine),
        close=partial(_close, clients),
        metrics=_metrics(config, DatabaseNumbers(database, circuit)),
        metrics_token=_metrics_token(config),
        version=version,
        ownership_enforced=config.ownership == "enforced",
        max_upload_bytes=config.max_upload_bytes,
        x_accel_prefix=config.x_accel_prefix,
    )


def _stores(database: Database[Document], retry: Retry, engine: CacheEngine | None) -> tuple[Stores, Announce]:
    """Return the stores, and how writes that go around them are announced to the cache."""
    stores = mongo_stores(database, retry, answers)
    if engine is None:
        log.info("REDIS_URL is not set: there is no cache, and every read asks MongoDB.")
        return stores, unannounced
    owners = Owners(stores.projects)
    return behind_cache(stores, engine, owners, answers), Announced(engine, owners).write


def _cache_engine(config: Config, client: redis.Redis, control: MongoControlStore, version: str) -> CacheEngine:
    kinds = dict.fromkeys(CacheSettings().ttl_seconds, config.cache_ttl_seconds) | dict(config.cache_ttls)
    copy_seconds = CacheSettings().copy_seconds if config.stale_if_error else 0.0
    settings = CacheSettings(ttl_seconds=kinds, copy_seconds=copy_seconds, representation=version)
    return CacheEngine(RedisLink(client, layout=settings.layout), control, settings)


def _media_room(config: Config) -> MediaRoom:
    return MediaRoom(
        config.media_dir,
        max_upload_bytes=config.max_upload_bytes,
        reserve_bytes=config.disk_reserve_bytes,
        uploads_at_once=config.uploads_at_once,
        upload_lifetime_seconds=config.upload_lifetime_hours * 3600.0,
    )


def _jobs(
    config: Config, stores: Stores, videos: MediaRoom, recogniser: Recogniser | None, redis_url: str | None
) -> JobsRoom:
    return open_jobs(
        stores.jobs,
        videos,
        stores.transcripts,
        recogniser,
        media_dir=config.media_dir,
        redis_url=redis_url,
        at_once=config.jobs_at_once,
        waiting=max(1, config.web_threads // 2),
    )


def _backups(
    config: Config, client: MongoClient[Document], unchecked_retry: Retry, videos: MediaRoom, version: str
) -> BackupFolder:
    # Unchecked: a database whose restoring was cut off is to be restored.
    def info(name: str) -> DatabaseInfo:
        return DatabaseInfo(client[name][METADATA], unchecked_retry, SCHEMA_VERSION)

    name = config.mongodb_database
    return BackupFolder(
        config.backup_dir,
        database=name,
        version=version,
        source=MongoBackupSource(client[name], unchecked_retry, info(name)),
        target_of=lambda other: MongoBackupTarget(client[other], unchecked_retry, info(other), mongodb_schema()),
        disk_of=lambda other: MongoMediaDisk(client[other], unchecked_retry, MarkerFile(config.media_dir)),
        missing_revisions=missing_revisions,
        videos=videos,
    )


def _retention(config: Config) -> RetentionPolicy:
    hours, days = config.history_keep_all_hours, config.history_keep_hourly_days
    return RetentionPolicy(keep_all=timedelta(hours=hours), hourly=timedelta(days=days))


def _metrics(config: Config, numbers: DatabaseNumbers) -> PrometheusMetrics:
    return PrometheusMetrics(
        media_dir=config.media_dir,
        sizes=numbers.sizes,
        jobs=numbers.jobs,
        database_limit_bytes=config.database_limit_bytes,
    )


def _metrics_token(config: Config) -> str | None:
    # A token that nobody knows keeps everybody out.
    return config.metrics_token or (secrets.token_hex() if config.app_env == "production" else None)


def _prepare(schema: DatabaseSchema, engine: CacheEngine | None) -> None:
    """Have the servers looked for before the first request comes; the log says when MongoDB is away. Does not raise."""
    if engine is not None:
        engine.prepare()
    with suppress(ProjectApiError):
        schema.versions()


def _announce_disk(config: Config, disk: MediaDisk) -> None:
    announce_disk(disk, config.media_dir, on_heroku=bool(config.dyno), on_render=bool(config.render))


def _close(clients: Clients) -> None:
    clients.mongodb.close()
    if clients.redis is not None:
        clients.redis.connection_pool.disconnect()
