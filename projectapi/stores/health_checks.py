"""How MongoDB, the database's shape and Redis are: quick looks that say nothing of the inside."""

from __future__ import annotations

import pymongo
from pymongo.database import Database

from projectapi.errors import DatabaseUnavailable, ProjectApiError
from projectapi.infra.database_circuit import DatabaseCircuit, within
from projectapi.infra.driver_errors import translated
from projectapi.protocols import Cache, DatabaseSchema, Finding, State
from projectapi.stores.documents import Document

LOOK_SECONDS = 0.7
"""How long a look at MongoDB takes at the most."""

_SET_UP = "Run `flask db init`."


class DatabaseCheck:
    """Whether MongoDB answers."""

    name = "mongodb"

    def __init__(self, database: Database[Document], circuit: DatabaseCircuit) -> None:
        self._database = database
        self._circuit = circuit

    @property
    def when_silent(self) -> Finding:
        """See `Check.when_silent`."""
        advice = "See whether MongoDB runs, whether its network access list lets this host in, and its connection limit."
        return Finding(State.UNHEALTHY, {"circuit": self._circuit_state()}, advice)

    def look(self) -> Finding:
        """See `Check.look`."""
        try:
            with translated(), pymongo.timeout(self._circuit.seconds_for(LOOK_SECONDS)):
                self._database.command("ping")
        except ProjectApiError as error:
            self._circuit.failed(error.__cause__)
            return self._slow() if self._circuit.hears_server else self.when_silent
        self._circuit.succeeded()
        return Finding(State.HEALTHY, {"circuit": self._circuit_state()})

    def _slow(self) -> Finding:
        # Heartbeats come through: one slow answer is no reason to take this process out of service.
        return Finding(State.DEGRADED, {"circuit": self._circuit_state()}, "MongoDB is slow: see its load and its limits.")

    def _circuit_state(self) -> str:
        return "open" if self._circuit.is_open else "closed"


class SchemaCheck:
    """Whether the database was set up, and by a version of projectapi that this one gets along with."""

    name = "schema"
    when_silent = Finding(State.UNKNOWN)

    def __init__(self, schema: DatabaseSchema) -> None:
        self._schema = schema

    def look(self) -> Finding:
        """See `Check.look`."""
        try:
            with within(LOOK_SECONDS):
                found = self._schema.versions()
        except DatabaseUnavailable:
            return self.when_silent
        facts = {"set_up": found.database is not None, "database_version": found.database, "code_version": found.code}
        if found.restoring:
            return Finding(State.UNHEALTHY, {**facts, "restoring": True}, "Wait for `flask backup restore`, or run it again.")
        if found.database is None:
            return Finding(State.DEGRADED, facts, _SET_UP)
        if found.database > found.code:
            return Finding(State.UNHEALTHY, facts, "Install the newer version of projectapi that set this database up.")
        if found.database < found.code:
            return Finding(State.DEGRADED, facts, _SET_UP)
        return Finding(State.HEALTHY, facts)


class CacheCheck:
    """Whether Redis answers; without it everything works, only slower."""

    name = "redis"
    when_silent = Finding(
        State.DEGRADED, {"configured": True}, "See whether Redis runs; until it does, every read asks MongoDB."
    )

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    def look(self) -> Finding:
        """See `Check.look`."""
        answers, status = self._cache.reaches_server(), self._cache.status()
        facts = {"configured": True, "circuit": "open" if status.circuit_open else "closed", "cache": status.mode}
        return Finding(State.HEALTHY, facts) if answers else Finding(State.DEGRADED, facts, self.when_silent.advice)


class NoCacheCheck:
    """There is no cache, and none is asked for."""

    name = "redis"
    when_silent = Finding(
        State.HEALTHY, {"configured": False}, "Set REDIS_URL to have projects opened from a cache, also while MongoDB is away."
    )

    def look(self) -> Finding:
        """See `Check.look`."""
        return self.when_silent
