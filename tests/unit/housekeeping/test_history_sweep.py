"""The sweep of the history: what may go goes, and nothing else, whatever happens at the same time."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any

import mongomock
import pytest
from bson import ObjectId

from projectapi.project import ProjectKey, TimelineSave, now
from projectapi.protocols import HistoryReport
from projectapi.stores.history_sweep import HistorySweep, to_delete
from projectapi.stores.revision_documents import RevisionDocuments
from projectapi.timeline.retention import RetentionPolicy
from tests.harness.housekeeping_world import LONG_AGO, World, state

NIGHT = timedelta(days=3)


@pytest.fixture
def project_id(world: World) -> str:
    """A project with four versions of one hour three days ago, the second one named, and one of today."""
    then = now() - NIGHT
    # All in one hour, wherever in it the test runs.
    past = NIGHT + timedelta(minutes=then.minute, seconds=then.second)
    project_id = world.create()
    for number in range(1, 5):
        name = "Rough cut" if number == 2 else None
        world.save(project_id, number, name, ago=past - timedelta(seconds=number))
    world.save(project_id, 5)
    return project_id


def revision_id(world: World, project_id: str, version: int) -> ObjectId:
    found = world.revisions.find_one({"projectId": project_id, "version": version})
    assert found is not None
    return ObjectId(found["_id"])


def during_the_sweep(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Let something happen once, right after the sweep has read a project's revisions."""
    read = HistorySweep._revisions_of
    acts = [act]

    def read_and_act(self: HistorySweep, project_id: str) -> list[Any]:
        found = read(self, project_id)
        if acts:
            acts.pop()()
        return found

    monkeypatch.setattr(HistorySweep, "_revisions_of", read_and_act)


def test_the_newest_of_an_old_hour_the_named_and_the_current_one_stay(world: World, project_id: str) -> None:
    report = world.sweep()

    assert world.history(project_id) == {1: state(1), 2: state(2), 4: state(4), 5: state(5)}
    assert report == HistoryReport(projects=1, forgotten=1)


def test_a_dry_run_says_what_a_run_would_do_and_changes_nothing(world: World, project_id: str) -> None:
    world.revisions.insert_one({**leftover(world, project_id), "updatedAt": now() - LONG_AGO})
    before = world.dump()

    report = world.sweep(dry_run=True)

    assert world.dump() == before
    assert report == world.sweep() == HistoryReport(projects=1, forgotten=1, deleted=1)


def test_a_second_run_finds_nothing_to_do(world: World, project_id: str) -> None:
    world.sweep()
    before = world.dump()

    assert world.sweep() == HistoryReport(projects=1)
    assert world.dump() == before


def test_what_left_the_history_keeps_its_bytes_for_an_hour(world: World, project_id: str) -> None:
    world.sweep()
    assert world.stored_versions(project_id) == [1, 2, 3, 4, 5]

    world.let_time_pass()

    assert world.sweep() == HistoryReport(projects=1, deleted=1)
    assert world.stored_versions(project_id) == [1, 2, 4, 5]
    assert world.history(project_id) == {1: state(1), 2: state(2), 4: state(4), 5: state(5)}


def test_a_sweep_changes_neither_entity_tag_nor_time_of_a_project(world: World, project_id: str) -> None:
    before = world.tag(project_id), world.stores.projects.get_summary(ProjectKey(project_id)).updated_at

    world.sweep()
    world.let_time_pass()
    world.sweep()

    assert (world.tag(project_id), world.stores.projects.get_summary(ProjectKey(project_id)).updated_at) == before


def delete_version(world: World, project_id: str, version: int) -> None:
    found = world.stores.timelines.find_revision(str(revision_id(world, project_id, version)))
    world.stores.timelines.delete_revision(found)


def two_runs(world: World) -> str:
    """Make a project whose versions 1 to 32 stand on the first one, and 33 and 34 on the 33rd."""
    project_id = world.create()
    for number in range(1, 35):
        world.save(project_id, number)
    keyframes = {revision["keyframe"] for revision in world.revisions.find()}
    assert keyframes == {revision_id(world, project_id, version) for version in (1, 33)}
    return project_id


def test_a_deleted_keyframe_stays_while_anything_stands_on_it(light_world: World) -> None:
    project_id = two_runs(light_world)
    delete_version(light_world, project_id, 1)
    light_world.let_time_pass()

    light_world.sweep()

    assert 1 in light_world.stored_versions(project_id)
    assert light_world.history(project_id) == {version: state(version) for version in range(2, 35)}


def test_a_keyframe_goes_after_the_last_revision_that_stood_on_it(light_world: World) -> None:
    project_id = two_runs(light_world)
    for version in range(1, 33):
        delete_version(light_world, project_id, version)
    light_world.let_time_pass()

    light_world.sweep()

    assert light_world.stored_versions(project_id) == [33, 34]
    assert light_world.history(project_id) == {33: state(33), 34: state(34)}
    light_world.assert_nothing_dangles()


def test_a_save_that_settles_the_list_while_a_sweep_looks_on_loses_no_keyframe(
    light_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a keyframe that left the history, on which stand only versions that their project alone calls committed,
    project_id = light_world.create()
    for number in (1, 2):
        light_world.save(project_id, number)
    delete_version(light_world, project_id, 1)
    light_world.save(project_id, 3)
    gone = light_world.revisions.find_one({"version": 2})
    assert gone is not None
    light_world.projects.update_one({"projectId": project_id}, {"$pull": {"unsettledRevisions": gone["_id"]}})
    light_world.revisions.update_one({"_id": gone["_id"]}, {"$set": {"committed": False, "discardedAt": now()}})
    for number in range(4, 19):
        light_world.save(project_id, number)
    # and a leftover, so that the sweep has something to delete
    leftover_id = ObjectId()
    light_world.revisions.insert_one(
        {**gone, "_id": leftover_id, "keyframe": leftover_id, "version": 99, "committed": False}
    )
    light_world.let_time_pass()
    fence = HistorySweep._fence

    def save_then_fence(sweep: HistorySweep, swept_id: str) -> Any:
        # The list is full: this save settles it, and is so different that it becomes a keyframe itself.
        different = {"layers": [], "noise": [secrets.token_hex(16) for _ in range(200)]}
        light_world.stores.timelines.save_timeline(ProjectKey(swept_id), TimelineSave(state=different))
        return fence(sweep, swept_id)

    monkeypatch.setattr(HistorySweep, "_fence", save_then_fence)

    # When a save comes between the sweep's first look and its fence
    light_world.sweep()

    # Then every version can still be opened
    history = light_world.history(project_id)
    assert {version: history[version] for version in range(3, 19)} == {version: state(version) for version in range(3, 19)}
    assert 99 not in light_world.stored_versions(project_id)


def test_the_keyframe_on_which_the_next_save_will_stand_stays_even_when_no_revision_stands_on_it() -> None:
    keyframe, head = ObjectId(), ObjectId()
    project = {"unsettledRevisions": [], "timelineHead": {"_id": head, "keyframe": keyframe}}
    revision = {"_id": keyframe, "keyframe": keyframe, "committed": False, "updatedAt": now() - LONG_AGO}

    assert to_delete(project, [revision], now()) == []
    assert to_delete({**project, "timelineHead": None}, [revision], now()) == [revision]


def leftover(world: World, project_id: str) -> dict[str, Any]:
    """Return the revision of a save that was killed before it moved the project's pointer."""
    found = world.revisions.find_one({"projectId": project_id, "version": 5})
    assert found is not None
    return {**found, "_id": ObjectId(), "version": 6, "committed": False}


def test_the_leftover_of_a_killed_save_goes_after_an_hour(world: World, project_id: str) -> None:
    world.revisions.insert_one(leftover(world, project_id))
    assert world.sweep().deleted == 0

    world.let_time_pass()

    assert world.sweep().deleted == 2
    assert 6 not in world.stored_versions(project_id)


def test_old_versions_that_only_their_project_calls_committed_stay(world: World) -> None:
    project_id = world.create()
    for number in range(3):
        world.save(project_id, number, f"Version {number}", ago=timedelta(days=400))
    assert world.revisions.count_documents({"committed": True}) == 0

    assert world.sweep() == HistoryReport(projects=1)
    assert world.history(project_id) == {1: state(0), 2: state(1), 3: state(2)}


def test_projects_in_the_trash_are_swept_too(world: World, project_id: str) -> None:
    world.delete(project_id)

    assert world.sweep() == HistoryReport(projects=1, forgotten=1)


def test_no_policy_takes_away_what_is_younger_than_an_hour(world: World, project_id: str) -> None:
    for number in range(6, 9):
        world.save(project_id, number)

    world.sweep(RetentionPolicy(keep_all=timedelta(0), hourly=timedelta(0)))

    assert {5, 6, 7, 8} <= world.history(project_id).keys()


def test_a_version_that_is_named_during_the_sweep_stays(
    world: World, project_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    timelines = world.stores.timelines
    third = timelines.find_revision(str(revision_id(world, project_id, 3)))
    during_the_sweep(monkeypatch, lambda: timelines.describe_revision(third, {"description": "Keep me"}))

    assert world.sweep().forgotten == 0
    assert world.history(project_id)[3] == state(3)


def test_a_version_that_is_deleted_during_the_sweep_does_not_come_back(
    world: World, project_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    timelines = world.stores.timelines
    third = timelines.find_revision(str(revision_id(world, project_id, 3)))
    during_the_sweep(monkeypatch, lambda: timelines.delete_revision(third))

    world.sweep()

    assert world.history(project_id).keys() == {1, 2, 4, 5}


def test_a_save_during_the_sweep_is_kept_and_brings_nothing_back(
    world: World, project_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    during_the_sweep(monkeypatch, lambda: world.save(project_id, 6))

    world.sweep()

    assert world.history(project_id).keys() == {1, 2, 4, 5, 6}


def test_a_save_that_slept_for_hours_between_its_two_writes_is_whole_all_the_same(
    world: World, project_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a save that is suspended after it wrote its revision, and a sweep that finds only that revision to be old
    world.sweep()
    world.let_time_pass()
    world.sweep()
    write = RevisionDocuments.write
    sweeps: list[HistoryReport] = []

    def write_and_sleep(self: RevisionDocuments, document: dict[str, Any]) -> None:
        write(self, document)
        if not sweeps:
            world.turn_back(document["_id"], LONG_AGO)
            sweeps.append(world.sweep())

    monkeypatch.setattr(RevisionDocuments, "write", write_and_sleep)

    timeline = world.stores.timelines.save_timeline(ProjectKey(project_id), TimelineSave(state=state(6)))

    assert sweeps == [HistoryReport(projects=1, deleted=1)]
    assert world.history(project_id)[timeline.version] == state(6)
    world.assert_nothing_dangles()


def test_a_revision_without_a_project_is_marked_first_and_deleted_an_hour_later(world: World, project_id: str) -> None:
    world.revisions.insert_one({**leftover(world, project_id), "projectId": "gone", "updatedAt": now() - LONG_AGO})

    assert (world.sweep().new_orphans, world.stored_versions("gone")) == (1, [6])
    assert (world.sweep().orphans, world.stored_versions("gone")) == (0, [6])
    world.let_time_pass()

    assert world.sweep().orphans == 1
    assert world.stored_versions("gone") == []
    assert world.history(project_id).keys() == {1, 2, 4, 5}


def test_history_that_a_backup_brings_back_before_its_project_is_kept(world: World, project_id: str) -> None:
    # Given a sweep in the middle of a restore from a backup
    before = world.history(project_id)
    world.revisions.update_many({}, {"$set": {"updatedAt": now() - NIGHT, "description": "Named"}})
    project = world.projects.find_one_and_delete({"projectId": project_id})
    assert project is not None
    assert world.sweep().new_orphans == 5
    world.let_time_pass()

    # When the project is back
    world.projects.insert_one(project)
    world.sweep()

    assert world.history(project_id) == before


def test_every_project_is_swept_and_every_orphan_found_however_many_pages_there_are(
    light_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("projectapi.stores.project_pages._PAGE", 2)
    projects = [light_world.create() for _ in range(5)]
    for project_id in projects:
        light_world.save(project_id, 1, "Named")
    template = leftover_of_version(light_world, projects[0], 1)
    for stray in ("!first", *(project_id + "!" for project_id in projects), "~last"):
        light_world.revisions.insert_one({**template, "_id": ObjectId(), "projectId": stray, "updatedAt": now() - LONG_AGO})

    assert light_world.sweep() == HistoryReport(projects=5, new_orphans=7)


def leftover_of_version(world: World, project_id: str, version: int) -> dict[str, Any]:
    found = world.revisions.find_one({"projectId": project_id, "version": version})
    assert found is not None
    return dict(found)


def test_whoever_caches_history_is_told_which_project_changed(tmp_path: Path) -> None:
    announced: list[str] = []

    def announce(project_id: str) -> AbstractContextManager[object]:
        announced.append(project_id)
        return nullcontext()

    client: Any = mongomock.MongoClient(tz_aware=True)
    world = World(client["test"], tmp_path / "media", announce)
    changed, untouched = world.create(), world.create()
    for number in range(1, 4):
        world.save(changed, number, ago=NIGHT - timedelta(milliseconds=number))
    world.save(changed, 4)
    world.save(untouched, 1)

    world.sweep(RetentionPolicy(keep_all=timedelta(days=1), hourly=timedelta(0)))

    assert announced == [changed]
