"""How large the database is, as hosts of MongoDB count it against a limit."""

from __future__ import annotations

import logging

import pymongo
from pymongo.database import Database
from pymongo.errors import PyMongoError

from projectapi.stores.documents import Document

log = logging.getLogger("projectapi.database")

_DEADLINE_SECONDS = 1.0


def bytes_of(database: Database[Document]) -> int | None:
    """Return the uncompressed bytes of documents and indexes, which is what Atlas limits; None when the server says nothing."""
    try:
        with pymongo.timeout(_DEADLINE_SECONDS):
            found = database.command("dbStats")
        return int(found["dataSize"] + found["indexSize"])
    except (PyMongoError, NotImplementedError, KeyError) as error:
        # A number less on a page is worth no more than a line. What stands in for a server may not know the command at all.
        log.info("the size of the database could not be looked up: %s", type(error).__name__)
        return None
