"""The control document in MongoDB: collection ``cache_control``, one document."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pymongo
from pymongo import ReadPreference, WriteConcern
from pymongo.collection import Collection
from pymongo.read_concern import ReadConcern

from projectapi.database_budget import spending
from projectapi.errors import Conflict, ProjectApiError
from projectapi.infra.database_circuit import DatabaseCircuit
from projectapi.infra.driver_errors import translated
from projectapi.stores.cache.control import ControlState

CONTROL_COLLECTION = "cache_control"
_ID = "main"


class MongoControlStore:
    """Reads and swaps the document on the primary, with majority concerns and a deadline of its own in seconds.

    The document also says whether a backup is being restored; `heard` is told that at each read, with the moment before it.
    """

    def __init__(
        self,
        collection: Collection[dict[str, Any]],
        *,
        deadline_seconds: float = 2.5,
        circuit: DatabaseCircuit | None = None,
        heard: Callable[[float, bool], None] = lambda _asked_at, _is_restoring: None,
    ) -> None:
        self._deadline_seconds = deadline_seconds
        self._circuit = circuit or DatabaseCircuit()
        self._heard = heard
        self._collection = collection.with_options(
            read_preference=ReadPreference.PRIMARY,
            read_concern=ReadConcern("majority"),
            write_concern=WriteConcern(w="majority", j=True),
        )

    def read(self) -> ControlState | None:
        """Return the newest state that a majority has acknowledged, None before there is one. Raises DatabaseUnavailable."""
        asked_at = time.monotonic()
        with self._in_time():
            found = self._collection.find_one({"_id": _ID})
        if found is None:
            return None
        self._heard(asked_at, "restoring" in found)
        return ControlState(int(found["epoch"]), found["mode"] == "on", found["server"], int(found["copies"]))

    def compare_and_swap(self, old: ControlState | None, new: ControlState) -> bool:
        """Replace the state of `old`'s epoch (None: no document) by `new`; return False when it is another one by now.

        Raises DatabaseUnavailable, after which the swap may have been done.
        """
        fields = _fields(new)
        try:
            with self._in_time():
                if old is None:
                    self._collection.insert_one({"_id": _ID, **fields})
                    return True
                return self._collection.update_one({"_id": _ID, "epoch": old.epoch}, {"$set": fields}).matched_count == 1
        except Conflict:
            return False

    def begin_restoring(self, restorer: str) -> None:
        """Note that a backup is being restored, by whom, in a new document if there is none. Raises DatabaseUnavailable."""
        first = ControlState(epoch=int(time.time() * 1000), on=False, server="", copies=0)
        update = {"$set": {"restoring": restorer}, "$setOnInsert": _fields(first)}
        with self._in_time():
            self._collection.update_one({"_id": _ID}, update, upsert=True)

    def end_restoring(self, restorer: str) -> None:
        """Take the note away unless another restoring was begun after this one's. Raises DatabaseUnavailable."""
        with self._in_time():
            self._collection.update_one({"_id": _ID, "restoring": restorer}, {"$unset": {"restoring": ""}})

    @contextmanager
    def _in_time(self) -> Iterator[None]:
        with spending() as left:
            seconds = self._circuit.seconds_for(min(self._deadline_seconds, left))
            try:
                # The driver repeats reads and single writes by itself as long as the time lasts.
                with translated(), pymongo.timeout(seconds):
                    yield
            except ProjectApiError as error:
                self._circuit.failed(error.__cause__)
                raise
            self._circuit.succeeded()


def _fields(state: ControlState) -> dict[str, Any]:
    return {"epoch": state.epoch, "mode": "on" if state.on else "off", "server": state.server, "copies": state.copies}
