"""The trash and the media files: what leaves for ever, and what must not."""

from __future__ import annotations

import os
import time
from datetime import timedelta
from typing import Any

import pytest

from projectapi.errors import ProjectNotFound
from projectapi.media import MediaRoom
from projectapi.project import ListQuery, ProjectKey
from projectapi.protocols import PurgeReport
from projectapi.stores.trash import Trash
from tests.harness.housekeeping_world import World

MONTH = timedelta(days=31)


def film(world: World, name: str = "Film", *, saves: int = 3) -> str:
    """Make a project with a video and some versions."""
    project_id = world.create(name)
    world.add_video(project_id)
    for number in range(saves):
        world.save(project_id, number)
    return project_id


def everything_of(world: World, project_id: str) -> object:
    key = ProjectKey(project_id)
    project = world.stores.projects.get_project(key)
    assert project.video is not None
    return project.timeline, project.video, world.videos.path_of(project.video).read_bytes(), world.history(project_id)


def test_the_trash_shows_what_was_deleted_longest_ago_first(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("projectapi.stores.trash._PAGE", 2)
    for name, days in (("second", 2), ("third", 1), ("first", 3)):
        world.delete(world.create(name), ago=timedelta(days=days))
    world.create("not deleted")

    assert [entry.name for entry in world.housekeeping.list_trash()] == ["first", "second", "third"]


def test_projects_deleted_at_the_same_moment_are_all_shown(light_world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("projectapi.stores.trash._PAGE", 2)
    names = {f"film {number}" for number in range(5)}
    for name in names:
        light_world.delete(light_world.create(name))
    one = light_world.projects.find_one()
    assert one is not None
    light_world.projects.update_many({}, {"$set": {"deletedAt": one["deletedAt"]}})

    assert sorted(entry.name for entry in light_world.housekeeping.list_trash()) == sorted(names)


def test_the_trash_of_one_owner_shows_nobody_elses_projects(world: World) -> None:
    for owner in ("ann", "bob"):
        world.delete(world.create(f"{owner}'s film", owner))

    assert [entry.name for entry in world.housekeeping.list_trash("ann")] == ["ann's film"]


def test_a_purge_removes_history_files_and_document(world: World) -> None:
    project_id = film(world)
    world.delete(project_id, ago=MONTH)

    assert world.purge() == PurgeReport(projects=1, revisions=3, videos=1)

    assert world.dump() == {"projects": [], "timeline_states": [], "files": []}


def test_a_purge_leaves_everything_else_alone(world: World) -> None:
    lives, young, old = film(world, "lives"), film(world, "young"), film(world, "old")
    before = everything_of(world, lives), everything_of(world, young)
    world.delete(young, ago=timedelta(days=29))
    world.delete(old, ago=MONTH)

    assert world.purge().projects == 1

    world.stores.projects.restore_project(ProjectKey(young))
    assert (everything_of(world, lives), everything_of(world, young)) == before
    world.assert_nothing_dangles()


def test_a_dry_run_says_what_a_purge_would_do_and_changes_nothing(world: World) -> None:
    world.delete(film(world), ago=MONTH)
    before = world.dump()

    report = world.purge(dry_run=True)

    assert world.dump() == before
    assert report == world.purge()


def test_a_second_purge_finds_nothing_to_do(world: World) -> None:
    world.delete(film(world), ago=MONTH)
    world.purge()

    assert world.purge() == PurgeReport()


def test_a_project_that_is_restored_before_its_claim_keeps_everything(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a purge that has already found the project
    project_id = film(world)
    before = everything_of(world, project_id)
    world.delete(project_id, ago=MONTH)
    claim = Trash._claim

    def restore_and_claim(self: Trash, *arguments: Any) -> Any:
        world.stores.projects.restore_project(ProjectKey(project_id))
        return claim(self, *arguments)

    monkeypatch.setattr(Trash, "_claim", restore_and_claim)

    assert world.purge() == PurgeReport()
    assert everything_of(world, project_id) == before


def test_a_project_that_was_restored_and_deleted_anew_is_too_young_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    project_id = film(world)
    world.delete(project_id, ago=MONTH)
    claim = Trash._claim

    def restore_delete_and_claim(self: Trash, *arguments: Any) -> Any:
        world.stores.projects.restore_project(ProjectKey(project_id))
        world.delete(project_id)
        return claim(self, *arguments)

    monkeypatch.setattr(Trash, "_claim", restore_delete_and_claim)

    assert world.purge() == PurgeReport()
    assert [entry.id for entry in world.housekeeping.list_trash()] == [project_id]


def test_what_a_purge_has_begun_with_is_neither_seen_nor_restored(world: World) -> None:
    project_id = film(world)
    world.delete(project_id, ago=MONTH)
    world.projects.update_one({"projectId": project_id}, {"$set": {"purgeClaimed": True}})

    with pytest.raises(ProjectNotFound):
        world.stores.projects.restore_project(ProjectKey(project_id))
    assert list(world.housekeeping.list_trash()) == []
    assert world.stores.projects.list_projects(ListQuery(owner="anonymous", deleted=True)).projects == []


def test_a_purge_finishes_what_an_earlier_one_had_begun_with_however_young_it_is(world: World) -> None:
    project_id = film(world)
    world.delete(project_id)
    world.projects.update_one({"projectId": project_id}, {"$set": {"purgeClaimed": True}})

    assert world.purge() == PurgeReport(projects=1, revisions=3, videos=1)


def test_files_that_cannot_be_deleted_are_named_and_tried_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    stuck, other = film(world, "stuck"), film(world, "other")
    for project_id in (stuck, other):
        world.delete(project_id, ago=MONTH)
    discard = MediaRoom.discard
    stuck_path = world.projects.find_one({"projectId": stuck})["video"]["path"]  # type: ignore[index]

    def refuse(self: MediaRoom, video: Any) -> None:
        if video.path == stuck_path:
            raise PermissionError("read-only")
        discard(self, video)

    monkeypatch.setattr(MediaRoom, "discard", refuse)
    report = world.purge()
    assert (report.projects, report.failed) == (1, (stuck,))
    monkeypatch.undo()

    assert world.purge().projects == 1
    assert world.files() == []


def age_files(world: World, seconds: float) -> None:
    then = time.time() - seconds
    for name in world.files():
        os.utime(world.media / name, (then, then))


def test_old_files_that_no_project_names_go_and_those_of_the_trash_stay(world: World) -> None:
    kept, trashed, gone = film(world, "kept"), film(world, "trashed"), film(world, "gone")
    world.delete(trashed)
    world.projects.delete_one({"projectId": gone})
    named = {
        path
        for project in world.projects.find({"projectId": {"$in": [kept, trashed]}})
        for path in (project["video"]["path"], project["video"]["thumbnailPath"])
    }
    age_files(world, 25 * 3600)
    assert len(world.files()) == 9

    would_go = world.housekeeping.sweep_files(dry_run=True)
    assert len(world.files()) == 9

    assert world.housekeeping.sweep_files() == would_go
    assert set(world.files()) == named


def test_a_file_of_today_may_belong_to_an_upload_that_is_not_recorded_yet(light_world: World) -> None:
    film(light_world, "kept")
    gone = film(light_world, "gone")
    light_world.projects.delete_one({"projectId": gone})
    age_files(light_world, 23 * 3600)

    assert light_world.housekeeping.sweep_files() == []


def test_with_a_database_that_names_no_video_at_all_every_file_stays(
    light_world: World, caplog: pytest.LogCaptureFixture
) -> None:
    film(light_world)
    light_world.projects.delete_many({})
    age_files(light_world, 1_000_000)

    assert light_world.housekeeping.sweep_files() == []
    assert len(light_world.files()) == 3
    assert "is MONGODB_DATABASE right?" in caplog.text
