"""A backup is made while everybody works: each project in it is as it was at one moment, with all that belongs to it."""

from __future__ import annotations

import secrets
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import bson
import pytest
from bson import ObjectId
from pymongo import MongoClient
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

from projectapi.project import ProjectKey
from projectapi.protocols import ProjectBatch
from projectapi.stores.backup_source import MongoBackupSource, missing_revisions
from projectapi.stores.database_info import METADATA, DatabaseInfo
from tests.harness.backup_world import answers, fill, running_app
from tests.harness.housekeeping_world import World, state
from tests.integration.test_backups import archives, done


@pytest.fixture
def world(mongodb_uri: str, tmp_path: Path) -> Iterator[World]:
    """A database of its own, set up."""
    name = f"test_{secrets.token_hex(6)}"
    with MongoClient[dict[str, Any]](mongodb_uri, tz_aware=True) as client:
        world = World(client[name], tmp_path / "media")
        world.schema.set_up()
        yield world
        client.drop_database(name)


def source_of(world: World) -> MongoBackupSource:
    return MongoBackupSource(world.database, world.retry, DatabaseInfo(world.database[METADATA], world.retry, 1))


def with_history(world: World, versions: int) -> str:
    """Create a project that was saved so often and return its id."""
    project_id = world.create()
    for number in range(versions):
        world.save(project_id, number)
    return project_id


class Backup:
    """What a backup that was read to its end holds: projects by their ids, revisions by theirs."""

    def __init__(self) -> None:
        self.projects: dict[str, Any] = {}
        self.revisions: dict[Any, Any] = {}
        self.damaged: list[str] = []

    def take(self, batch: ProjectBatch) -> None:
        """Read a batch to its end."""
        self.revisions |= {revision["_id"]: revision for revision in map(bson.decode, batch.revisions())}
        self.projects |= {project.id: bson.decode(project.document) for project in batch.projects()}
        self.damaged += batch.damaged()

    def versions(self, project_id: str) -> list[int]:
        """Return the versions of a project's revisions."""
        return sorted(r["version"] for r in self.revisions.values() if r["projectId"] == project_id)


def test_what_is_saved_after_a_project_was_read_is_not_in_the_backup(world: World) -> None:
    project_id = with_history(world, 3)
    batches, backup = source_of(world).batches(), Backup()
    batch = next(batches)
    # So many that the first of them are settled: committed by their own flags.
    for number in range(3, 40):
        world.save(project_id, number)

    backup.take(batch)

    assert list(batches) == []
    assert backup.projects[project_id]["timelineVersion"] == 3
    assert backup.versions(project_id) == [1, 2, 3]


def test_a_project_that_is_purged_meanwhile_is_not_in_the_backup(world: World) -> None:
    kept, purged = world.create("Kept"), world.create("Purged")
    for project_id in (kept, purged):
        world.save(project_id, 1)
    world.delete(purged, ago=timedelta(days=40))
    batches, backup = source_of(world).batches(), Backup()
    batch = next(batches)
    world.purge()

    backup.take(batch)
    for later in batches:
        backup.take(later)

    assert list(backup.projects) == [kept]
    assert backup.damaged == []


def test_a_project_whose_history_is_thinned_meanwhile_is_read_again(world: World) -> None:
    project_id = with_history(world, 4)
    batches, backup = source_of(world).batches(), Backup()
    batch = next(batches)
    # The version that was the current one is gone before its revision is read.
    world.save(project_id, 9)
    head = world.revisions.find_one({"projectId": project_id, "version": 4})
    world.revisions.delete_one({"_id": head["_id"] if head else None})

    backup.take(batch)
    assert backup.projects == {}
    for later in batches:
        backup.take(later)

    assert backup.projects[project_id]["timelineVersion"] == 5
    assert missing_revisions(backup.projects[project_id], backup.revisions) == set()


def test_a_project_whose_history_is_damaged_is_kept_and_named(world: World) -> None:
    project_id = world.create()
    world.save(project_id, 1)
    world.revisions.delete_many({})
    backup = Backup()

    for batch in source_of(world).batches():
        backup.take(batch)

    assert (list(backup.projects), backup.damaged) == ([project_id], [project_id])


def test_a_project_whose_file_is_replaced_meanwhile_comes_again_with_the_new_one(world: World) -> None:
    project_id = world.create()
    world.add_video(project_id)
    batches = source_of(world).batches()
    batch = next(batches)
    list(batch.revisions())
    newer = world.add_video(project_id)

    batch.put_off(project_id)

    assert batch.projects() == []
    again = next(batches)
    list(again.revisions())
    assert [file.name for project in again.projects() for file in project.files] == [newer.path, newer.thumbnail_path]


def test_a_collection_of_others_is_in_the_backup_whatever_its_ids_are(world: World) -> None:
    ids = [None, *range(600), *(f"${number}" for number in range(600)), {"a": 1}, *(ObjectId() for _ in range(600)), True]
    world.database["notes"].insert_many([{"_id": one} for one in ids])

    found = [bson.decode(document)["_id"] for document in source_of(world).documents("notes")]

    assert sorted(map(repr, found)) == sorted(map(repr, ids))


class Finds(CommandListener):
    """Counts what is asked for, by collection."""

    def __init__(self) -> None:
        self.of: Counter[str] = Counter()

    def started(self, event: CommandStartedEvent) -> None:
        """Count."""
        self.of[event.command.get("find", "")] += 1

    def succeeded(self, event: CommandSucceededEvent) -> None:
        """See `started`."""

    def failed(self, event: CommandFailedEvent) -> None:
        """See `started`."""


def test_what_the_server_sends_at_once_is_not_asked_for_again(world: World, mongodb_uri: str) -> None:
    for _ in range(20):
        pad = {"transcriptState": {"pad": secrets.token_bytes(1 << 20)}}
        world.database["projects"].update_one({"projectId": world.create()}, {"$set": pad})
    finds, backup = Finds(), Backup()
    with MongoClient[dict[str, Any]](mongodb_uri, tz_aware=True, event_listeners=[finds]) as client:
        database = client[world.database.name]
        for batch in MongoBackupSource(database, world.retry, DatabaseInfo(database[METADATA], world.retry, 1)).batches():
            backup.take(batch)

    assert len(backup.projects) == 20
    # 20 MiB come in two pieces, and then nothing is left.
    assert finds.of["projects"] == 3


def test_a_backup_under_load_can_be_restored_and_every_version_opened(mongodb_uri: str, tmp_path: Path) -> None:
    with running_app(mongodb_uri, f"test_{secrets.token_hex(6)}", tmp_path) as app:
        ids = fill(app.test_client(), 20, videos=0)
        stop = threading.Event()

        def work(number: int) -> None:
            while not stop.is_set():
                for project_id in ids[number::2]:
                    app.test_client().post("/timeline/", json={"project_id": project_id, "timeline_state": state(number)})
                    number += 1

        workers = [threading.Thread(target=work, args=(number,)) for number in range(2)]
        for worker in workers:
            worker.start()
        try:
            done(app, "create")
        finally:
            stop.set()
            for worker in workers:
                worker.join()
        name = f"test_{secrets.token_hex(6)}"
        done(app, "restore", archives(app)[0].name, "--database", name)

    with running_app(mongodb_uri, name, tmp_path) as other:
        timelines = other.extensions["projectapi"].timelines
        found = [project_id for project_id in ids if other.test_client().get(f"/projects/{project_id}").status_code == 200]
        # Two are in the trash.
        assert len(found) == 18
        for project_id in found:
            timeline = timelines.get_timeline(ProjectKey(project_id))
            revisions = timelines.list_revisions(ProjectKey(project_id), limit=1000, with_state=True)
            newest = timeline.version if timeline else 0
            assert [revision.version for revision in revisions] == list(range(newest, 0, -1))


def test_a_cache_forgets_what_was_before_a_restore(mongodb_uri: str, redis_url: str, tmp_path: Path) -> None:
    folder = tmp_path / "cached"
    with running_app(mongodb_uri, f"test_{secrets.token_hex(6)}", folder, redis_url=redis_url) as app:
        client = app.test_client()
        ids = fill(client, 3, videos=0)
        done(app, "create")
        before = answers(client, ids, videos=False)
        for project_id in ids:
            client.put(f"/projects/{project_id}", json={"name": "Later"})
        assert client.get(f"/projects/{ids[0]}").get_json()["data"]["name"] == "Later"
        assert client.get(f"/projects/{ids[0]}").headers["X-Cache"] == "HIT"

        done(app, "restore", archives(app)[0].name, "--force")

        assert answers(client, ids, videos=False) == before
