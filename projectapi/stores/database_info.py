"""What the database says of itself: the collection `metadata`, one document.

It has the newest shape that was written to the database, and the note that a backup is being restored into it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from pymongo.collection import Collection

from projectapi.errors import DatabaseTooNew, RestoreUnderWay
from projectapi.infra.database_circuit import DatabaseCircuit
from projectapi.infra.retry import Retry
from projectapi.stores.documents import Document

METADATA = "metadata"
_ID = "main"
_RESTORING = "restoring"
_RESTORER = "restorer"

_CHECK_SECONDS = 1.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class DatabaseNotes:
    """What a database says of itself.

    `schema_version` is that of the newest program that set it up, None before any did. `restoring` is the name of the archive
    whose restoring was begun and not finished, `restorer` who began with it; both are None when none was.
    """

    schema_version: int | None
    restoring: str | None
    restorer: str | None


class DatabaseInfo:
    """Reads and raises the database's own schema version, and keeps the note that a backup is being restored into it."""

    def __init__(self, collection: Collection[Document], retry: Retry, latest: int) -> None:
        self._collection = collection
        self._retry = retry
        self._latest = latest

    def read(self) -> DatabaseNotes:
        """Return what is noted, by one small read."""
        found = self._retry.read(lambda: self._collection.find_one({"_id": _ID})) or {}
        return DatabaseNotes(found.get("schemaVersion"), found.get(_RESTORING), found.get(_RESTORER))

    def refuse_newer(self) -> None:
        """Raise DatabaseTooNew when this program is older than the database, and RestoreUnderWay."""
        found = self.read()
        if found.restoring is not None:
            raise RestoreUnderWay
        if found.schema_version is not None and found.schema_version > self._latest:
            raise DatabaseTooNew.found(found.schema_version, self._latest)

    def begin_restoring(self, archive: str, restorer: str) -> None:
        """Note that this archive is being restored, by whom, into the database, which is not whole until `end_restoring`."""
        update = {"$set": {_RESTORING: archive, _RESTORER: restorer}}
        self._retry.repeat(lambda: self._collection.update_one({"_id": _ID}, update, upsert=True))

    def end_restoring(self, restorer: str) -> bool:
        """Note that the database is whole, and return True, unless another restoring was begun after this one's."""
        update = {"$unset": {_RESTORING: "", _RESTORER: ""}}
        self._retry.repeat(lambda: self._collection.update_one({"_id": _ID, _RESTORER: restorer}, update))
        return self.read().restorer is None

    def raise_to_latest(self) -> None:
        """Note that this program writes to the database from now on, so that older ones leave it alone."""
        update = {"$max": {"schemaVersion": self._latest}}
        self._retry.repeat(lambda: self._collection.update_one({"_id": _ID}, update, upsert=True))


class CheckedRetry(Retry):
    """A `Retry` that, before its operations, makes sure that this program may work on the database as it is now.

    The check waits for the first use so that a process starts while the database is away. Passed, it holds for a second: a
    restore that begins under running processes waits that long. Whoever reads for another reason whether one is under way,
    as the cache does each second, may say so by `heard` and spares a check.
    """

    def __init__(
        self,
        check: Callable[[], None],
        *,
        deadline_seconds: float,
        circuit: DatabaseCircuit | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(deadline_seconds=deadline_seconds, circuit=circuit)
        self._check = check
        self._monotonic = monotonic
        self._passed_at = -math.inf

    def read(self, operation: Callable[[], T]) -> T:
        """See `Retry.read`. Raises DatabaseTooNew and RestoreUnderWay."""
        self._check_first()
        return super().read(operation)

    def write(self, operation: Callable[[], T], landed: Callable[[], T | None]) -> T:
        """See `Retry.write`. Raises DatabaseTooNew and RestoreUnderWay."""
        self._check_first()
        return super().write(operation, landed)

    def heard(self, asked_at: float, is_restoring: bool) -> None:
        """Take note of what a read that began at `asked_at` (monotonic, in seconds) saw; after a restore only a check helps."""
        if is_restoring:
            self._passed_at = -math.inf
        elif self._passed_at > -math.inf:
            self._passed_at = max(self._passed_at, asked_at)

    def _check_first(self) -> None:
        now = self._monotonic()
        if now - self._passed_at >= _CHECK_SECONDS:
            self._passed_at = -math.inf
            self._check()
            self._passed_at = now
