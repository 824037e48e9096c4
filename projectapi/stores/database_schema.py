"""The shape of the whole database: setting it up, bringing old documents along, and saying how things stand."""

from __future__ import annotations

from collections.abc import Sequence

from pymongo.database import Database

from projectapi.infra.retry import Retry
from projectapi.protocols import CollectionStatus, DatabaseSchema, DatabaseStatus, MigrationReport, SchemaVersions
from projectapi.stores.announced import Announce, unannounced
from projectapi.stores.collections import INDEXES, set_up, validators
from projectapi.stores.database_info import METADATA, DatabaseInfo
from projectapi.stores.documents import Document
from projectapi.stores.migrations import MIGRATED, MIGRATIONS, Migrations
from projectapi.stores.migrator import Migrator


class MongoDatabaseSchema(DatabaseSchema):
    """`DatabaseSchema` of one database; `timeline` is the part of the validator that describes a timeline's state.

    `announce` surrounds every write that anybody could see.
    """

    def __init__(
        self,
        database: Database[Document],
        retry: Retry,
        timeline: Document,
        migrations: Migrations = MIGRATIONS,
        announce: Announce = unannounced,
    ) -> None:
        self._database = database
        self._retry = retry
        self._timeline = timeline
        self._migrations = migrations
        self._migrator = Migrator(database, retry, migrations, announce)
        self._info = DatabaseInfo(database[METADATA], retry, migrations.latest)

    def set_up(self) -> Sequence[str]:
        """See `DatabaseSchema.set_up`."""
        self._info.refuse_newer()
        lines = set_up(self._database, self._timeline)
        self._info.raise_to_latest()
        return lines

    def migrate(self, *, dry_run: bool = False) -> Sequence[MigrationReport]:
        """See `DatabaseSchema.migrate`."""
        self._info.refuse_newer()
        if not dry_run:
            # Before the first document: an older program must not meet what it does not understand.
            self._info.raise_to_latest()
        return self._migrator.run(dry_run=dry_run)

    def versions(self) -> SchemaVersions:
        """See `DatabaseSchema.versions`."""
        found = self._info.read()
        return SchemaVersions(code=self._migrations.latest, database=found.schema_version, restoring=found.restoring)

    def status(self) -> DatabaseStatus:
        """See `DatabaseSchema.status`."""
        expected, notes = validators(self._timeline), self._info.read()
        found = self._retry.read(lambda: {c["name"]: c.get("options", {}) for c in self._database.list_collections()})
        return DatabaseStatus(
            code_version=self._migrations.latest,
            database_version=notes.schema_version,
            restoring=notes.restoring,
            collections=[
                self._collection_status(name, found.get(name, {}).get("validator") == expected.get(name)) for name in INDEXES
            ],
        )

    def _collection_status(self, name: str, has_validator: bool) -> CollectionStatus:
        collection = self._database[name]
        existing = self._retry.read(collection.index_information)
        wanted = {index.document["name"]: list(index.document["key"].items()) for index in INDEXES[name]}
        missing = [key for key, fields in wanted.items() if existing.get(key, {}).get("key") != fields]
        return CollectionStatus(
            name=name,
            documents=self._retry.read(collection.estimated_document_count),
            lowest_version=self._schema_version_at_end(name, 1),
            highest_version=self._schema_version_at_end(name, -1),
            to_migrate=self._migrator.outstanding(name) if name in MIGRATED else 0,
            has_validator=has_validator,
            missing_indexes=missing,
        )

    def _schema_version_at_end(self, name: str, direction: int) -> int | None:
        if name not in MIGRATED:
            return None
        collection, field = self._database[name], "schemaVersion"
        found = self._retry.read(lambda: collection.find_one({}, {field: True}, sort=[(field, direction)]))
        return None if found is None else int(found[field])
