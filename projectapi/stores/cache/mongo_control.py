"""The control document in MongoDB: collection ``cache_control``, one document."""

from __future__ import annotations

from typing import Any

import pymongo
from pymongo import ReadPreference, WriteConcern
from pymongo.collection import Collection
from pymongo.read_concern import ReadConcern

from projectapi.errors import Conflict
from projectapi.infra.driver_errors import translated
from projectapi.stores.cache.control import ControlState

CONTROL_COLLECTION = "cache_control"
_ID = "main"


class MongoControlStore:
    """Reads and swaps the document on the primary, with majority concerns and a deadline of its own in seconds."""

    def __init__(self, collection: Collection[dict[str, Any]], *, deadline_seconds: float = 1.0) -> None:
        self._deadline_seconds = deadline_seconds
        self._collection = collection.with_options(
            read_preference=ReadPreference.PRIMARY,
            read_concern=ReadConcern("majority"),
            write_concern=WriteConcern(w="majority", j=True),
        )

    def read(self) -> ControlState | None:
        """Return the newest state that a majority has acknowledged, None before there is one. Raises DatabaseUnavailable."""
        with translated(), pymongo.timeout(self._deadline_seconds):
            found = self._collection.find_one({"_id": _ID})
        if found is None:
            return None
        return ControlState(int(found["epoch"]), found["mode"] == "on", found["server"], int(found["copies"]))

    def compare_and_swap(self, old: ControlState | None, new: ControlState) -> bool:
        """Replace the state of `old`'s epoch (None: no document) by `new`; return False when it is another one by now.

        Raises DatabaseUnavailable, after which the swap may have been done.
        """
        fields = {"epoch": new.epoch, "mode": "on" if new.on else "off", "server": new.server, "copies": new.copies}
        try:
            with translated(), pymongo.timeout(self._deadline_seconds):
                if old is None:
                    self._collection.insert_one({"_id": _ID, **fields})
                    return True
                return self._collection.update_one({"_id": _ID, "epoch": old.epoch}, {"$set": fields}).matched_count == 1
        except Conflict:
            return False
