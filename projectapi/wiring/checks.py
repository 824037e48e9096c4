"""What is looked at to tell whether all is well: by hosts, at `/health/ready`, and by people, with `flask doctor`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import redis
from pymongo import MongoClient
from pymongo.database import Database

from projectapi.backup.examinations import BackupDirectory
from projectapi.infra.database_circuit import DatabaseCircuit
from projectapi.media.disk_check import DiskCheck
from projectapi.media.disk_notice import SameDiskCheck, is_mounted
from projectapi.media.examinations import Disk, Ffmpeg, Videos
from projectapi.protocols import Backend, Check, Examination, MediaDisk
from projectapi.stores.cache import CacheEngine
from projectapi.stores.database_examinations import (
    Clock,
    DatabaseAddress,
    DatabaseReachable,
    Pool,
    Promises,
    Rights,
)
from projectapi.stores.database_schema import MongoDatabaseSchema
from projectapi.stores.health_checks import CacheCheck, DatabaseCheck, NoCacheCheck, SchemaCheck
from projectapi.stores.redis_examinations import RedisEviction, RedisReachable
from projectapi.stores.schema_examinations import Indexes, SchemaVersion, Validators

if TYPE_CHECKING:
    from config import Config


def health_checks(
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
        _disk_check(config),
        SameDiskCheck(disk),
        SchemaCheck(schema),
    )


def examinations(
    config: Config, client: MongoClient[dict[str, Any]], redis_client: redis.Redis | None, backend: Backend
) -> Sequence[Examination]:
    """Return what `flask doctor` looks at, in this order; further examinations go here."""
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
        Disk(_disk_check(config), vanishes=vanishes),
        Videos(backend.media_disk),
        BackupDirectory(config.backup_dir),
        Ffmpeg(),
    )


def _disk_check(config: Config) -> DiskCheck:
    return DiskCheck(config.media_dir, config.max_upload_bytes + config.disk_reserve_bytes)
