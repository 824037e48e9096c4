"""Filling a database from a backup.

The note that a restore is under way is written before anything is emptied and taken away after everything is done: a restore
that was killed is recognised by it, by the next one and by every process that starts. Processes that run look at it each
second, which is waited for: then nobody reads or writes here until everything is done.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial

from bson.raw_bson import RawBSONDocument
from pymongo import ReplaceOne
from pymongo.collection import Collection as MongoCollection
from pymongo.database import Database

from projectapi.infra.retry import Retry
from projectapi.project import JsonObject, new_write_id
from projectapi.protocols import BackupProblem
from projectapi.stores.backup_source import LEFT_OUT, RAW, batched_by_size, from_json
from projectapi.stores.cache import CONTROL_COLLECTION, MongoControlStore, forget_everything
from projectapi.stores.collections import INDEXES, set_up
from projectapi.stores.database_info import DatabaseInfo
from projectapi.stores.documents import Document


class MongoBackupTarget:
    """`BackupTarget` over one database; `timeline` is the part of the validator that describes a timeline's state."""

    def __init__(self, database: Database[Document], retry: Retry, info: DatabaseInfo, timeline: Document) -> None:
        self._database = database
        self._retry = retry
        self._info = info
        self._control = MongoControlStore(database[CONTROL_COLLECTION])
        self._timeline = timeline
        self._name = new_write_id()

    def has_documents(self, collections: Collection[str]) -> bool:
        """See `BackupTarget.has_documents`."""
        return any(self._retry.read(partial(self._database[name].find_one, {}, {"_id": True})) for name in _all(collections))

    def interrupted(self) -> str | None:
        """See `BackupTarget.interrupted`."""
        return self._info.read().restoring

    def begin(self, archive: str, collections: Mapping[str, JsonObject]) -> None:
        """See `BackupTarget.begin`."""
        self._info.begin_restoring(archive, self._name)
        self._control.begin_restoring(self._name)
        # This also waits until everybody has read the control document anew, or no longer trusts what was read before.
        forget_everything(self._control)
        for name in _all(collections):
            self._check_alone()
            self._retry.repeat(self._database[name].drop)
        for name, described in collections.items():
            self._make(name, from_json(described["options"]), from_json(described["indexes"]))

    def put(self, collection: str, documents: Iterable[bytes]) -> None:
        """See `BackupTarget.put`."""
        target: MongoCollection[RawBSONDocument] = self._database[collection].with_options(codec_options=RAW)
        for batch in batched_by_size(documents):
            self._check_alone()
            writes = [_replacement(RawBSONDocument(document, RAW)) for document in batch]
            self._retry.repeat(partial(target.bulk_write, writes, ordered=False))

    def finish(self) -> Sequence[str]:
        """See `BackupTarget.finish`."""
        self._check_alone()
        lines = set_up(self._database, self._timeline)
        self._info.raise_to_latest()
        if not self._info.end_restoring(self._name):
            raise _overtaken()
        # A hint and no more: left over by a kill before this line, it has everybody look at the note itself.
        self._control.end_restoring(self._name)
        return lines

    def _make(self, name: str, options: Document, indexes: Sequence[Document]) -> None:
        checks = {option: value for option, value in options.items() if option.startswith("validat")}

        def create() -> None:
            # An attempt that is repeated finds the collection that the first one made.
            if name not in self._database.list_collection_names():
                self._database.create_collection(name, check_exists=False, **checks)

        self._retry.repeat(create)
        # As the server listed them: what the driver knows of indexes is not all that there is in collections of others.
        listed = [{option: index[option] for option in index if option not in ("v", "ns")} for index in indexes]
        wanted = [index for index in listed if index["name"] != "_id_"]
        if wanted:
            self._retry.repeat(partial(self._database.command, "createIndexes", name, indexes=wanted))

    def _check_alone(self) -> None:
        """Give way to a restore that was begun later: two at once would leave a mixture of two archives."""
        if self._info.read().restorer != self._name:
            raise _overtaken()


def _overtaken() -> BackupProblem:
    return BackupProblem("Another restore into this database was begun meanwhile, so this one has stopped.")


def _all(collections: Collection[str]) -> Sequence[str]:
    return sorted({*collections, *INDEXES} - LEFT_OUT)


def _replacement(document: RawBSONDocument) -> ReplaceOne[RawBSONDocument]:
    # The shard key, too, where there is one.
    key = {name: document[name] for name in ("_id", "projectId") if name in document}
    return ReplaceOne(key, document, upsert=True)
