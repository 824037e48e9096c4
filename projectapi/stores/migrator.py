"""Bringing all documents of a database to today's shape, by compare-and-swap, while others work on them."""

from __future__ import annotations

import copy
import random
import time
from collections.abc import Sequence
from functools import partial
from itertools import groupby
from operator import itemgetter

import bson
from pymongo.collection import Collection
from pymongo.database import Database

from projectapi.errors import Unavailable
from projectapi.infra.retry import Retry
from projectapi.protocols import MigrationReport
from projectapi.stores.announced import Announce
from projectapi.stores.documents import Document
from projectapi.stores.migrations import MIGRATED, Migrations

_BATCH = 50
_PROJECT = itemgetter("projectId")
_RACES_MAX = 20


class Migrator:
    """Brings all documents of a database to today's shape; `announce` surrounds the writes to each project.

    An answer should be the same before and after, as documents are upgraded when they are read, too. The cache does not rely on
    that: what a migration gets wrong, or puts right, shows at once.
    """

    def __init__(self, database: Database[Document], retry: Retry, migrations: Migrations, announce: Announce) -> None:
        self._database = database
        self._retry = retry
        self._migrations = migrations
        self._announce = announce

    def run(self, *, dry_run: bool) -> Sequence[MigrationReport]:
        """See `DatabaseSchema.migrate`."""
        work = self.outstanding if dry_run else self._migrate
        return [
            MigrationReport(collection=name, version=self._migrations.target(name), documents=work(name))
            for name in MIGRATED
        ]

    def outstanding(self, name: str) -> int:
        """Return how many documents of a collection have an older shape."""
        collection, conditions = self._database[name], self._older(name)
        return self._retry.read(lambda: collection.count_documents(conditions))

    def _older(self, name: str) -> Document:
        return {"schemaVersion": {"$lt": self._migrations.target(name)}}

    def _migrate(self, name: str) -> int:
        collection, conditions = self._database[name], self._older(name)
        upgraded = races = 0
        while batch := self._retry.read(lambda: list(collection.find(conditions).limit(_BATCH))):
            done = self._upgrade(collection, batch)
            upgraded += done
            # Whoever else changes these documents makes progress too, just not this one.
            races = 0 if done else races + 1
            if races > _RACES_MAX:
                raise Unavailable
            time.sleep(random.uniform(0, 0.01 * 2**min(races, 6)) if races else 0)
        return upgraded

    def _upgrade(self, collection: Collection[Document], batch: Sequence[Document]) -> int:
        upgraded = 0
        for project_id, documents in groupby(sorted(batch, key=_PROJECT), _PROJECT):
            with self._announce(project_id):
                upgraded += sum(self._swap(collection, document) for document in documents)
        return upgraded

    def _swap(self, collection: Collection[Document], document: Document) -> bool:
        """Write what the upgrade changes, unless somebody has changed the document since it was read."""
        upgraded = self._migrations.upgrade(collection.name, copy.deepcopy(document))
        read = {field: document[field] for field in ("_id", "projectId", "schemaVersion", "version", "updatedAt")}
        changes = _changes(document, upgraded)
        return self._retry.repeat(partial(collection.update_one, read, changes)).matched_count == 1


def _changes(before: Document, after: Document) -> Document:
    """Return the update that makes `after` of `before`; it leaves alone the fields that are equal, to the type."""
    changed = {name: value for name, value in after.items() if name not in before or _differ(before[name], value)}
    removed = dict.fromkeys(before.keys() - after.keys(), "")
    return {"$set": changed} | ({"$unset": removed} if removed else {})


def _differ(one: object, other: object) -> bool:
    return bson.encode({"": one}) != bson.encode({"": other})
