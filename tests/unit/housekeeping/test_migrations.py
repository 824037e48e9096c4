"""Shapes of documents: old ones are brought along, newer ones are refused."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from typing import Any

import pytest
from pymongo.database import Database

from projectapi.errors import DatabaseTooNew, RestoreUnderWay, Unavailable
from projectapi.infra.retry import Retry
from projectapi.project import SCHEMA_VERSION, ProjectKey
from projectapi.protocols import MigrationReport
from projectapi.schemas.timeline_schema import mongodb_schema
from projectapi.stores import migrations as registry
from projectapi.stores.collections import IDEMPOTENCY_KEYS, JOBS, PROJECTS, TIMELINE_STATES
from projectapi.stores.database_info import METADATA, CheckedRetry
from projectapi.stores.database_schema import MongoDatabaseSchema
from projectapi.stores.migrations import MIGRATIONS, Migration, Migrations, upgrade_project
from tests.harness.housekeeping_world import World

Document = dict[str, Any]


def shout(document: Document) -> Document:
    return {**document, "name": document["name"].upper()} if "name" in document else document


def drop_thumbnail(document: Document) -> Document:
    return {name: value for name, value in document.items() if name != "thumbnail"}


def whole_seconds_become_fractions(document: Document) -> Document:
    return {**document, "duration": float(document["duration"])} if document.get("duration") is not None else document


SAMPLES = Migrations(
    [
        Migration(2, "names are shouted", shout, PROJECTS),
        Migration(3, "revisions have a mood", lambda document: {"mood": "calm", **document}, TIMELINE_STATES),
        Migration(4, "durations have fractions", whole_seconds_become_fractions, PROJECTS),
    ]
)


@pytest.fixture
def schema(world: World) -> MongoDatabaseSchema:
    """The shape of the world's database for a program that knows the sample migrations."""
    return MongoDatabaseSchema(world.database, world.retry, mongodb_schema(), SAMPLES)


def test_the_version_of_new_documents_is_that_of_the_last_migration() -> None:
    assert MIGRATIONS.latest == SCHEMA_VERSION


def test_the_versions_are_known_by_one_read(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[object] = []
    read = world.retry.read
    monkeypatch.setattr(world.retry, "read", lambda operation: reads.append(operation) or read(operation))

    found = world.schema.versions()

    assert (found.code, found.restoring, len(reads)) == (SCHEMA_VERSION, None, 1)


@pytest.mark.parametrize("versions", [[1], [3], [2, 4], [2, 2], [3, 2]])
def test_migrations_are_numbered_without_gaps(versions: list[int]) -> None:
    with pytest.raises(ValueError, match="numbered"):
        Migrations([Migration(version, "x", shout, PROJECTS) for version in versions])


def test_a_migration_names_a_collection_that_has_versions() -> None:
    assert set(registry.MIGRATED) == {PROJECTS, TIMELINE_STATES}
    with pytest.raises(ValueError, match="no collection"):
        Migrations([Migration(2, "x", shout, "users")])


def test_a_document_runs_through_every_migration_that_it_lacks_in_order() -> None:
    upgraded = SAMPLES.upgrade(PROJECTS, {"name": "film", "duration": 3, "schemaVersion": 1})

    assert upgraded == {"name": "FILM", "duration": 3.0, "schemaVersion": 4}
    assert SAMPLES.upgrade(PROJECTS, {"name": "film", "duration": 3, "schemaVersion": 2})["name"] == "film"


@pytest.mark.parametrize("document", [{"name": "film", "schemaVersion": 4}, {"name": "of a projection"}])
def test_a_document_that_needs_no_upgrade_is_returned_as_it_is(document: Document) -> None:
    assert SAMPLES.upgrade(PROJECTS, document) is document


def test_a_collection_without_newer_migrations_is_current_at_its_own_version() -> None:
    revision = {"mood": "calm", "schemaVersion": 3}

    assert SAMPLES.upgrade(TIMELINE_STATES, revision) is revision


def test_a_document_of_a_newer_shape_is_refused() -> None:
    with pytest.raises(DatabaseTooNew, match="schema version 5 and this version of projectapi knows only 4"):
        SAMPLES.upgrade(PROJECTS, {"schemaVersion": 5})


def test_an_old_project_is_read_in_todays_shape(light_world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    project_id = light_world.create("film")
    monkeypatch.setattr(registry, "MIGRATIONS", SAMPLES)

    assert light_world.stores.projects.get_project(ProjectKey(project_id)).name == "FILM"
    assert upgrade_project({"name": "film", "schemaVersion": 1})["name"] == "FILM"


def test_a_project_that_a_newer_program_wrote_is_not_misread(light_world: World) -> None:
    project_id = light_world.create("film")
    light_world.projects.update_one({}, {"$set": {"schemaVersion": SCHEMA_VERSION + 1}})

    with pytest.raises(DatabaseTooNew):
        light_world.stores.projects.get_project(ProjectKey(project_id))


def test_a_migration_brings_all_documents_to_the_newest_shape(world: World, schema: MongoDatabaseSchema) -> None:
    for number in range(60):
        world.create(f"film {number}")
    project_id = world.create("long")
    world.save(project_id, 1)
    world.projects.update_one({"projectId": project_id}, {"$set": {"duration": 7}})
    states = [revision["state"] for revision in world.revisions.find()]

    reports = schema.migrate()

    assert reports == [
        MigrationReport(collection=PROJECTS, version=4, documents=61),
        MigrationReport(collection=TIMELINE_STATES, version=3, documents=1),
    ]
    assert {p["schemaVersion"] for p in world.projects.find()} == {4}
    assert {p["name"] for p in world.projects.find()} >= {"FILM 0", "FILM 59", "LONG"}
    assert isinstance(world.projects.find_one({"projectId": project_id})["duration"], float)  # type: ignore[index]
    assert world.revisions.find_one({})["mood"] == "calm"  # type: ignore[index]
    assert [revision["state"] for revision in world.revisions.find()] == states


def test_the_program_of_before_the_migration_refuses_to_read_what_it_does_not_understand(
    world: World, schema: MongoDatabaseSchema
) -> None:
    project_id = world.create()
    world.save(project_id, 1)
    schema.migrate()

    # The stores of this world know the first shape only.
    with pytest.raises(DatabaseTooNew):
        world.history(project_id)


def test_a_dry_run_counts_and_changes_nothing(world: World, schema: MongoDatabaseSchema) -> None:
    world.save(world.create(), 1)
    before = world.dump(), list(world.database[METADATA].find())

    reports = schema.migrate(dry_run=True)

    assert [report.documents for report in reports] == [1, 1]
    assert (world.dump(), list(world.database[METADATA].find())) == before


def test_a_second_migration_finds_nothing_to_do(world: World, schema: MongoDatabaseSchema) -> None:
    world.save(world.create(), 1)
    schema.migrate()
    before = world.dump()

    assert [report.documents for report in schema.migrate()] == [0, 0]
    assert world.dump() == before


def test_a_migration_changes_neither_entity_tag_nor_time_of_a_project(world: World, schema: MongoDatabaseSchema) -> None:
    project_id = world.create()
    before = world.projects.find_one({}, {"version": 1, "lastWrite": 1, "updatedAt": 1})

    schema.migrate()

    assert world.projects.find_one({"projectId": project_id}, {"version": 1, "lastWrite": 1, "updatedAt": 1}) == before


def test_a_migration_removes_fields_that_the_new_shape_does_not_have(light_world: World) -> None:
    light_world.create()
    without = Migrations([Migration(2, "no thumbnails", drop_thumbnail, PROJECTS)])

    MongoDatabaseSchema(light_world.database, light_world.retry, {}, without).migrate()

    assert "thumbnail" not in light_world.projects.find_one({})  # type: ignore[operator]


def test_whoever_caches_answers_is_told_which_projects_a_migration_changes(world: World) -> None:
    # Given projects with documents in both collections, those of one of them already in the new shape
    ids = [world.create(f"film {number}") for number in range(3)]
    for number, project_id in product((1, 2), ids):
        world.save(project_id, number)
    for collection in (world.projects, world.revisions):
        collection.update_many({"projectId": ids[0]}, {"$set": {"schemaVersion": 4}})
    shapes_around: list[tuple[str, list[int], list[int]]] = []

    @contextmanager
    def announce(project_id: str) -> Iterator[None]:
        before = shapes_of(world, project_id)
        yield
        shapes_around.append((project_id, before, shapes_of(world, project_id)))

    # When they are brought along
    MongoDatabaseSchema(world.database, world.retry, {}, SAMPLES, announce).migrate()

    # Then each write was surrounded, and each project announced once for each collection
    for project_id in ids:
        seen = [(before, after) for name, before, after in shapes_around if name == project_id]
        assert seen == ([] if project_id == ids[0] else [([1, 1, 1], [1, 1, 4]), ([1, 1, 4], [3, 3, 4])])


def shapes_of(world: World, project_id: str) -> list[int]:
    """Return the schema versions of all documents of a project, the lowest first."""
    documents = [found for each in (world.projects, world.revisions) for found in each.find({"projectId": project_id})]
    return sorted(document["schemaVersion"] for document in documents)


def test_what_somebody_changes_during_the_migration_is_not_overwritten(world: World) -> None:
    project_id = world.create("film")
    renamed: list[str] = []

    def shout_while_somebody_renames(document: Document) -> Document:
        if not renamed:
            renamed.append("new name")
            world.stores.projects.update_project(ProjectKey(project_id), {"name": "new name"})
        return shout(document)

    migrations = Migrations([Migration(2, "shouted", shout_while_somebody_renames, PROJECTS)])

    MongoDatabaseSchema(world.database, world.retry, {}, migrations).migrate()

    assert world.projects.find_one({"projectId": project_id})["name"] == "NEW NAME"  # type: ignore[index]


def test_a_revision_that_is_settled_during_the_migration_stays_settled(light_world: World) -> None:
    project_id = light_world.create()
    light_world.save(project_id, 1)

    def settle_meanwhile(document: Document) -> Document:
        light_world.revisions.update_one({"_id": document["_id"]}, {"$set": {"committed": True}})
        return {**document, "mood": "calm"}

    migrations = Migrations([Migration(2, "mood", settle_meanwhile, TIMELINE_STATES)])

    MongoDatabaseSchema(light_world.database, light_world.retry, {}, migrations).migrate()

    revision = light_world.revisions.find_one({})
    assert revision is not None
    assert (revision["committed"], revision["mood"]) == (True, "calm")


def test_a_migration_that_never_gets_through_gives_up_in_the_end(
    light_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("projectapi.stores.migrator.time.sleep", lambda _: None)
    project_id = light_world.create()

    def rename_always(document: Document) -> Document:
        light_world.projects.update_one({"projectId": project_id}, {"$inc": {"version": 1}})
        return document

    with pytest.raises(Unavailable):
        MongoDatabaseSchema(
            light_world.database, light_world.retry, {}, Migrations([Migration(2, "x", rename_always, PROJECTS)])
        ).migrate()


def test_two_migrations_at_once_upgrade_every_document_once(wire_world: World) -> None:
    for number in range(60):
        wire_world.create(f"film {number}")

    def count(document: Document) -> Document:
        return {**document, "duration": (document["duration"] or 0) + 1}

    schema = MongoDatabaseSchema(
        wire_world.database, wire_world.retry, mongodb_schema(), Migrations([Migration(2, "count", count, PROJECTS)])
    )
    threads = [threading.Thread(target=schema.migrate) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [project["duration"] for project in wire_world.projects.find()] == [1] * 60


def test_a_database_that_was_never_set_up_says_so(wire_database: Database[Document]) -> None:
    status = MongoDatabaseSchema(wire_database, Retry(), mongodb_schema()).status()

    assert (status.database_version, status.is_ready, status.is_too_new) == (None, False, False)
    for collection in status.collections[:2]:
        assert (collection.documents, collection.lowest_version, collection.has_validator) == (0, None, False)
        assert "schemaVersion" in collection.missing_indexes
    assert all(collection.missing_indexes for collection in status.collections)


def test_a_database_that_is_set_up_is_ready(wire_world: World) -> None:
    wire_world.save(wire_world.create(), 1)

    status = wire_world.schema.status()

    assert status.is_ready
    shapes = [(c.documents, c.lowest_version, c.highest_version, c.to_migrate) for c in status.collections]
    assert shapes == [(1, 1, 1, 0)] * 2 + [(0, None, None, 0)] * 2


def test_old_documents_and_lost_indexes_show_in_the_status(wire_world: World) -> None:
    wire_world.create()
    wire_world.projects.drop_index("createdAt")

    status = MongoDatabaseSchema(wire_world.database, wire_world.retry, mongodb_schema(), SAMPLES).status()

    projects = status.collections[0]
    assert (projects.to_migrate, projects.missing_indexes, status.is_ready) == (1, ["createdAt"], False)


@pytest.mark.parametrize(("collection", "index"), [(IDEMPOTENCY_KEYS, "expiry"), (JOBS, "key_active")])
def test_an_index_that_any_collection_lost_shows_in_the_status(wire_world: World, collection: str, index: str) -> None:
    wire_world.database[collection].drop_index(index)

    status = wire_world.schema.status()

    assert {c.name: c.missing_indexes for c in status.collections if c.missing_indexes} == {collection: [index]}
    assert not status.is_ready


def test_a_validator_that_jobs_lost_shows_in_the_status(wire_world: World) -> None:
    wire_world.database.command("collMod", JOBS, validator={})

    status = wire_world.schema.status()

    assert ([c.name for c in status.collections if not c.has_validator], status.is_ready) == ([JOBS], False)


def test_a_program_older_than_the_database_changes_nothing(world: World, schema: MongoDatabaseSchema) -> None:
    schema.migrate()
    world.create()
    before = world.dump()
    older = MongoDatabaseSchema(world.database, world.retry, mongodb_schema())

    for work in (older.set_up, older.migrate, lambda: older.migrate(dry_run=True)):
        with pytest.raises(DatabaseTooNew, match="run the newer version"):
            work()

    assert world.dump() == before


def test_the_database_never_goes_back_to_an_older_version(light_world: World) -> None:
    newer = MongoDatabaseSchema(light_world.database, light_world.retry, {}, SAMPLES)
    newer.migrate()

    light_world.schema._info.raise_to_latest()

    assert list(light_world.database[METADATA].find()) == [{"_id": "main", "schemaVersion": 4}]


def test_the_first_use_of_a_newer_database_is_refused(light_world: World) -> None:
    light_world.database[METADATA].insert_one({"_id": "main", "schemaVersion": SCHEMA_VERSION + 1})
    retry = CheckedRetry(light_world.schema._info.refuse_newer, deadline_seconds=8)

    with pytest.raises(DatabaseTooNew):
        retry.read(lambda: 1)
    with pytest.raises(DatabaseTooNew):
        retry.write(lambda: 1, lambda: None)


def test_a_check_that_was_passed_holds_for_a_second() -> None:
    checks, clock = [], [100.0]
    retry = CheckedRetry(lambda: checks.append(1), deadline_seconds=8, monotonic=lambda: clock[0])

    assert [retry.read(lambda: 1), retry.repeat(lambda: 2), retry.write(lambda: 3, lambda: None)] == [1, 2, 3]
    assert checks == [1]

    clock[0] += 1.0
    assert retry.read(lambda: 1) == 1
    assert checks == [1, 1]


def test_who_reads_each_second_that_no_restore_is_under_way_spares_the_check() -> None:
    checks, clock = [], [100.0]
    retry = CheckedRetry(lambda: checks.append(1), deadline_seconds=8, monotonic=lambda: clock[0])
    # Not the first one, which looks at the schema's version, too.
    retry.heard(100.0, False)
    retry.read(lambda: 1)

    for _ in range(3):
        clock[0] += 0.9
        retry.heard(clock[0], False)
        retry.read(lambda: 1)
    assert checks == [1]

    retry.heard(clock[0], True)
    retry.read(lambda: 1)
    assert checks == [1, 1]


def test_a_check_that_fails_is_repeated_by_the_next_operation() -> None:
    answers = [RestoreUnderWay(), RestoreUnderWay(), None]

    def check() -> None:
        if error := answers.pop(0):
            raise error

    retry = CheckedRetry(check, deadline_seconds=8)
    for _ in range(2):
        with pytest.raises(RestoreUnderWay):
            retry.read(lambda: 1)
    assert retry.read(lambda: 1) == 1
