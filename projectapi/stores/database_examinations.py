"""What `flask doctor` looks at in MongoDB itself: the way there, the clock, the user's rights, the promises of its writes."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import pymongo
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import OperationFailure, PyMongoError

from projectapi.infra.connection_string import read_connection_string
from projectapi.infra.mongo import weakened_promises
from projectapi.infra.server_trouble import database_trouble
from projectapi.protocols import Diagnosis, fail, ok, warn
from projectapi.stores.documents import Document

MONGODB = "mongodb"
"""The examination that all others need which ask the server."""

LOOK_SECONDS = 3.0
_PINGS = 5
_NEAR_SECONDS = 0.05
_CLOCK_SECONDS = 5.0

_TO_RUN = frozenset({"find", "insert", "update", "remove"})
_TO_SET_UP = frozenset({"createCollection", "createIndex"})
_TO_CHANGE_VALIDATORS = "collMod"
_TOO_MIGHTY = frozenset({"root", "atlasAdmin", "readWriteAnyDatabase", "dbAdminAnyDatabase", "userAdminAnyDatabase", "dbOwner"})


def silence(error: PyMongoError) -> Diagnosis:
    """Return what an operation that failed says about the way to MongoDB."""
    what, advice = database_trouble(error)
    return fail(f"MongoDB {what}", advice)


class DatabaseAddress:
    """Whether the connection string, which is never shown, leads to MongoDB safely."""

    name = "connection"
    needs = ""

    def __init__(self, uri: str | None, *, in_production: bool) -> None:
        self._uri = uri
        self._in_production = in_production

    def examine(self) -> Diagnosis:
        """See `Examination.examine`."""
        if self._uri is None:
            return ok("MONGODB_URI is not set: the embedded stand-in of development")
        found = read_connection_string(self._uri)
        kind = "mongodb+srv" if found.is_srv else "mongodb"
        said = f"{kind}, {'with' if found.has_user else 'without'} a user, {'TLS' if found.uses_tls else 'no TLS'}"
        if found.uses_tls and not found.checks_certificates:
            return warn(f"{said}, certificates unchecked", "Take the options that allow wrong certificates out of MONGODB_URI.")
        if not (found.uses_tls or found.is_local):
            return fail(said, "Append tls=true to MONGODB_URI: passwords and projects cross the internet unencrypted.")
        if self._in_production and not found.has_user:
            return warn(said, "Give MongoDB users and passwords: whoever reaches it may read and delete everything.")
        return ok(said)


class DatabaseReachable:
    """Whether MongoDB answers, and how fast."""

    name = MONGODB
    needs = ""

    def __init__(self, client: MongoClient[Document]) -> None:
        self._client = client

    def examine(self) -> Diagnosis:
        """See `Examination.examine`."""
        try:
            with pymongo.timeout(LOOK_SECONDS):
                hello = self._client.admin.command("hello")
                times = [self._ping() for _ in range(_PINGS)]
        except PyMongoError as error:
            return silence(error)
        median = statistics.median(times)
        found = f"answers in {median * 1000:.1f} ms (median of {_PINGS}, slowest {max(times) * 1000:.1f} ms)"
        if not (hello.get("setName") or hello.get("msg") == "isdbgrid"):
            advice = "Make it a replica set, of one member if need be: on a lone server no write is repeated."
            return warn(f"{found}, but is no replica set", advice)
        if median > _NEAR_SECONDS:
            return warn(found, "Put application and database in one region: a save asks it several times.")
        return ok(found)

    def _ping(self) -> float:
        started = time.perf_counter()
        self._client.admin.command("ping")
        return time.perf_counter() - started


class Clock:
    """Whether this machine and MongoDB agree on the time: history, trash and repeated requests are judged by it."""

    name = "clock"
    needs = MONGODB

    def __init__(self, client: MongoClient[Document]) -> None:
        self._client = client

    def examine(self) -> Diagnosis:
        """See `Examination.examine`."""
        try:
            with pymongo.timeout(LOOK_SECONDS):
                before = time.time()
                theirs = self._client.admin.command("hello")["localTime"]
                after = time.time()
        except PyMongoError as error:
            return silence(error)
        # Right in the middle of the round trip, as NTP (RFC 5905) has it.
        apart = _seconds_since_epoch(theirs) - (before + after) / 2
        found = f"{abs(apart):.1f} s {'behind' if apart > 0 else 'ahead of'} MongoDB's"
        if abs(apart) > _CLOCK_SECONDS:
            return warn(found, "Have this machine's clock set by NTP: ages and expiry times are wrong by as much.")
        return ok(found)


def _seconds_since_epoch(moment: datetime) -> float:
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


class Rights:
    """Whether the database user may do what projectapi does, and not much more."""

    name = "rights"
    needs = MONGODB

    def __init__(self, database: Database[Document]) -> None:
        self._database = database

    def examine(self) -> Diagnosis:
        """See `Examination.examine`."""
        try:
            with pymongo.timeout(LOOK_SECONDS):
                status = self._database.command("connectionStatus", showPrivileges=True)
        except OperationFailure:
            return ok("this server does not tell them; `flask db init` shows whether they suffice")
        except PyMongoError as error:
            return silence(error)
        told = status["authInfo"]
        if not told.get("authenticatedUsers"):
            return ok("this server knows no users: everybody may do everything")
        roles = {role["role"] for role in told.get("authenticatedUserRoles", ())}
        return judged(allowed_actions(told.get("authenticatedUserPrivileges", ()), self._database.name), roles)


def allowed_actions(privileges: Iterable[Mapping[str, Any]], database: str) -> set[str]:
    """Return what a user may do with every collection of a database; `privileges` are those of `connectionStatus`."""
    actions: set[str] = set()
    for privilege in privileges:
        resource = privilege["resource"]
        everywhere = resource.get("anyResource") or resource.get("db") in ("", database)
        if everywhere and not resource.get("collection"):
            actions |= set(privilege["actions"])
    return actions


def judged(actions: set[str], roles: set[str]) -> Diagnosis:
    """Return what it means that a user may do `actions` with the database and has `roles`."""
    give = "Give the user in MONGODB_URI the role readWrite on MONGODB_DATABASE."
    if missing := _TO_RUN - actions:
        return fail(f"the user may not {', '.join(sorted(missing))}", give)
    if missing := _TO_SET_UP - actions:
        return warn(f"the user may not {', '.join(sorted(missing))}: `flask db init` cannot set the database up", give)
    if mighty := _TOO_MIGHTY & roles:
        advice = "The role readWrite on MONGODB_DATABASE is enough: give the user that one."
        return warn(f"the user is {', '.join(sorted(mighty))}", advice)
    if _TO_CHANGE_VALIDATORS not in actions:
        return ok("enough to run; not to change validators (collMod), which only upgrades need")
    return ok("enough to run and to set up")


class Promises:
    """Whether writes are acknowledged as they are promised to be."""

    name = "write concern"
    needs = ""

    def __init__(self, client: MongoClient[Document]) -> None:
        self._client = client

    def examine(self) -> Diagnosis:
        """See `Examination.examine`."""
        if weakened := weakened_promises(self._client):
            return warn(f"not kept: {'; '.join(weakened)}", "Take the options of these names out of MONGODB_URI.")
        return ok("majority, journaled, repeated after a failover")


class Pool:
    """Whether the connections of all worker processes fit below MongoDB's limit, and the threads below the pool's."""

    name = "connections"
    needs = ""

    _ATLAS_FREE = 500
    """Connections that Atlas' free tier takes."""

    _MONITORS = 2
    """Connections by which the driver watches a server, besides the pool."""

    def __init__(self, client: MongoClient[Document], *, processes: int, threads: int) -> None:
        self._client = client
        self._processes = processes
        self._threads = threads

    def examine(self) -> Diagnosis:
        """See `Examination.examine`."""
        size = self._client.options.pool_options.max_pool_size
        if not size:
            return warn("no limit per process (maxPoolSize=0)", "Take maxPoolSize=0 out of MONGODB_URI.")
        most = self._processes * (size + self._MONITORS)
        found = f"at most {most} from this host ({self._processes} processes x ({size} + {self._MONITORS}))"
        if most > self._ATLAS_FREE:
            advice = "Lower MONGODB_MAX_POOL_SIZE or WEB_CONCURRENCY, or take a larger tier."
            return warn(f"{found}; Atlas' free tier takes {self._ATLAS_FREE}", advice)
        if self._threads > size:
            advice = "Raise MONGODB_MAX_POOL_SIZE to WEB_THREADS at least."
            return warn(f"{found}; {self._threads} threads share {size}", advice)
        return ok(f"{found}; {self._ATLAS_FREE // most} such hosts fit Atlas' free tier")
