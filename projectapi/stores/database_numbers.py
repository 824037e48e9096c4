"""What the metrics tell of the database: how large it is, how much of that is history, and how jobs stand."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from itertools import product
from typing import NamedTuple, TypeVar

from pymongo.database import Database

from projectapi.errors import ProjectApiError
from projectapi.infra.database_circuit import DatabaseCircuit
from projectapi.infra.retry import Retry
from projectapi.protocols import JobKind, JobState
from projectapi.stores.collections import JOBS, TIMELINE_STATES
from projectapi.stores.documents import Document

T = TypeVar("T")

log = logging.getLogger("projectapi.database")

_DEADLINE_SECONDS = 1.0


class DatabaseSizes(NamedTuple):
    """Uncompressed bytes of documents and indexes, which is what Atlas limits, and how many versions of timelines there are."""

    database_bytes: int
    history_bytes: int
    history_versions: int


class JobsTally(NamedTuple):
    """How many jobs there are, and how many seconds of work those took that are over."""

    number: int = 0
    seconds: float = 0.0


class DatabaseNumbers:
    """Looks numbers up in the database; a page waits a second for them, and does without them while MongoDB is away."""

    def __init__(self, database: Database[Document], circuit: DatabaseCircuit) -> None:
        self._database = database
        self._retry = Retry(deadline_seconds=_DEADLINE_SECONDS, attempts=1, circuit=circuit)

    def sizes(self) -> DatabaseSizes | None:
        """Return how large things are, None when the server does not say."""
        return self._looked_up(self._sizes)

    def jobs(self) -> Mapping[tuple[str, str], JobsTally] | None:
        """Return the jobs of the last day by kind and state, whichever process did them; None when the server does not say."""
        return self._looked_up(self._jobs)

    def _looked_up(self, look_up: Callable[[], T]) -> T | None:
        try:
            return self._retry.read(look_up)
        except (ProjectApiError, NotImplementedError, KeyError) as error:
            # A number less on a page is worth no more than a line. What stands in for a server may not know the command at all.
            log.info("numbers of the database could not be looked up: %s", type(error).__name__)
            return None

    def _sizes(self) -> DatabaseSizes:
        database, history = self._database.command("dbStats"), self._database.command("collStats", TIMELINE_STATES)
        return DatabaseSizes(
            int(database["dataSize"] + database["indexSize"]),
            int(history["size"] + history["totalIndexSize"]),
            int(history["count"]),
        )

    def _jobs(self) -> dict[tuple[str, str], JobsTally]:
        took = {"$subtract": [{"$ifNull": ["$finishedAt", "$startedAt"]}, {"$ifNull": ["$startedAt", "$finishedAt"]}]}
        known = {"kind": "$kind", "state": "$state"}
        groups = self._database[JOBS].aggregate(
            [{"$group": {"_id": known, "number": {"$sum": 1}, "milliseconds": {"$sum": took}}}]
        )
        tallies = {(kind.value, state.value): JobsTally() for kind, state in product(JobKind, JobState)}
        for group in groups:
            tally = JobsTally(group["number"], group["milliseconds"] / 1000)
            tallies[group["_id"]["kind"], group["_id"]["state"]] = tally
        return tallies
