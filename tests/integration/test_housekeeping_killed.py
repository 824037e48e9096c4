"""Housekeeping that is killed anywhere and run again, and that runs while everybody works: nothing dangles, nothing is lost."""

from __future__ import annotations

import secrets
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import mongomock
import pytest
from bson import ObjectId
from pymongo import MongoClient

from projectapi.errors import ProjectNotFound
from projectapi.infra.retry import Retry
from projectapi.media import MediaRoom
from projectapi.project import ProjectKey, TimelineSave, Video, now
from tests.harness.housekeeping_world import LONG_AGO, World, state

ROOT = Path(__file__).parents[2]
T = TypeVar("T")

JOBS: dict[str, Callable[[World], object]] = {
    "purge": lambda world: world.purge(older_than=timedelta(0)),
    "sweep": lambda world: world.sweep(),
}


class Killed(BaseException):
    """Stands for kill -9: nothing catches it."""


class MortalRetry(Retry):
    """A `Retry` whose process dies before the n-th operation."""

    left: int | None = None

    def read(self, operation: Callable[[], T]) -> T:
        """Count, and die."""
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise Killed
        return super().read(operation)


@pytest.fixture
def mortal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], tuple[World, MortalRetry]]:
    """Make worlds in memory whose housekeeper can be killed."""

    def make() -> tuple[World, MortalRetry]:
        retry = MortalRetry()
        monkeypatch.setattr("tests.harness.housekeeping_world.Retry", lambda: retry)
        client: Any = mongomock.MongoClient(tz_aware=True)
        return World(client[secrets.token_hex(4)], tmp_path / secrets.token_hex(4)), retry

    return make


def fill(world: World) -> tuple[str, str]:
    """Make a project that lives, with much to sweep, and one in the trash; return their ids."""
    lives, trashed = world.create("lives"), world.create("trashed")
    for project_id in (lives, trashed):
        world.add_video(project_id)
        for number in range(6):
            name = "Named" if number == 3 else None
            world.save(project_id, number, name, ago=timedelta(days=400, seconds=-number))
    world.save(lives, 7)
    [second] = world.revisions.find({"projectId": lives, "version": 2})
    world.stores.timelines.delete_revision(world.stores.timelines.find_revision(str(second["_id"])))
    second["committed"] = False
    keyframe, delta = ObjectId(), ObjectId()
    world.revisions.insert_one({**second, "_id": keyframe, "keyframe": keyframe, "version": 8, "encoding": "full"})
    world.revisions.insert_one({**second, "_id": delta, "keyframe": keyframe, "version": 9})
    world.let_time_pass()
    world.delete(trashed)
    return lives, trashed


def kept(world: World, project_id: str) -> object:
    """Return what must be there at every moment: the current state, the named versions and the video."""
    project = world.stores.projects.get_project(ProjectKey(project_id))
    assert project.video is not None
    revisions = world.stores.timelines.list_revisions(ProjectKey(project_id), limit=99, with_state=True)
    named = [revision for revision in revisions if revision.description]
    return project.timeline, named, world.videos.path_of(project.video).read_bytes()


def assert_whole_or_gone(world: World, project_id: str, before: object) -> None:
    """Check that a project in the trash comes back with everything, or not at all."""
    key = ProjectKey(project_id)
    try:
        world.stores.projects.restore_project(key)
    except ProjectNotFound:
        assert [entry.id for entry in world.housekeeping.list_trash() if entry.id == project_id] == []
        return
    assert kept(world, project_id) == before
    world.stores.projects.delete_project(key)


@pytest.mark.parametrize("job", JOBS)
def test_killed_before_any_step_and_run_again_it_ends_as_if_it_had_never_been_killed(
    mortal: Callable[[], tuple[World, MortalRetry]], job: str
) -> None:
    world, _ = mortal()
    fill(world)
    JOBS[job](world)
    expected = summary(world)
    steps = 0
    while True:
        # Given a housekeeper that dies before one more step than the one before
        world, retry = mortal()
        lives, trashed = fill(world)
        before = kept(world, lives)
        world.stores.projects.restore_project(ProjectKey(trashed))
        before_trashed = kept(world, trashed)
        world.stores.projects.delete_project(ProjectKey(trashed))
        retry.left = steps
        try:
            JOBS[job](world)
        except Killed:
            retry.left = None
        else:
            break

        # Then whoever looks sees everything or nothing, and the next run finishes the work
        assert kept(world, lives) == before
        assert_whole_or_gone(world, trashed, before_trashed)
        assert_keyframes_stand(world)
        JOBS[job](world)
        assert summary(world) == expected
        if job == "purge":
            world.assert_nothing_dangles()
        steps += 1
    assert steps >= 7


def assert_keyframes_stand(world: World) -> None:
    """Check that no delta of a project that lives is without the keyframe that it stands on."""
    revisions = list(world.revisions.find({"projectId": {"$in": world.projects.distinct("projectId", {"isDeleted": False})}}))
    assert {revision["keyframe"] for revision in revisions} <= {revision["_id"] for revision in revisions}


def summary(world: World) -> object:
    """Return what is left, without the ids and times that differ from world to world."""
    revisions = world.revisions.find({}, sort=[("version", 1), ("createdAt", 1)])
    names = sorted(project["name"] for project in world.projects.find())
    return names, [(r["version"], r["committed"], r["description"]) for r in revisions], len(world.files())


def test_killed_between_two_files_the_next_purge_removes_the_other(
    mortal: Callable[[], tuple[World, MortalRetry]], monkeypatch: pytest.MonkeyPatch
) -> None:
    world, _ = mortal()
    fill(world)

    def remove_the_video_and_die(self: MediaRoom, video: Video) -> None:
        (world.media / video.path).unlink()
        raise Killed

    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(MediaRoom, "discard", remove_the_video_and_die)
        world.purge(older_than=timedelta(0))

    world.purge(older_than=timedelta(0))

    world.assert_nothing_dangles()
    assert [project["name"] for project in world.projects.find()] == ["lives"]


@pytest.fixture
def wire_world(mongodb_uri: str, tmp_path: Path) -> Iterator[World]:
    """A world on a real server."""
    name = f"test_{secrets.token_hex(6)}"
    with MongoClient[dict[str, Any]](mongodb_uri, tz_aware=True, w="majority", journal=True) as client:
        world = World(client[name], tmp_path / "media")
        world.schema.set_up()
        yield world
        client.drop_database(name)


@pytest.mark.parametrize("job", JOBS)
def test_a_process_that_is_killed_again_and_again_gets_through_in_the_end(
    wire_world: World, mongodb_uri: str, job: str
) -> None:
    # Given everything of an earlier time, also a trash that nobody has begun to empty
    lives, _ = fill(wire_world)
    before = kept(wire_world, lives)
    exit_codes = []

    # When each process gets a little further than the one before
    for commands in (3, 5, 8, 12, 100):
        arguments = [mongodb_uri, wire_world.database.name, str(wire_world.media), job, str(commands)]
        module = [sys.executable, "-m", "tests.harness.dying_housekeeper"]
        exit_codes.append(subprocess.run([*module, *arguments], cwd=ROOT, timeout=30, check=False).returncode)
        assert kept(wire_world, lives) == before

    # Then the last one finished, and nothing is left to be done
    assert (exit_codes[0], exit_codes[-1]) == (-9, 0)
    done = wire_world.dump()
    JOBS[job](wire_world)
    assert wire_world.dump() == done
    if job == "purge":
        wire_world.assert_nothing_dangles()
        assert wire_world.projects.count_documents({}) == 1


def test_sweeping_while_others_save_loses_no_version_of_theirs(wire_world: World) -> None:
    # Given projects that always have something to be swept
    project_ids = [wire_world.create(), wire_world.create()]
    for project_id in project_ids:
        for number in range(4):
            wire_world.save(project_id, number, ago=timedelta(days=400, seconds=-number))
    [template] = wire_world.revisions.find({"projectId": project_ids[0], "version": 1})
    done = threading.Event()
    deleted = []

    def sweep_all_the_time() -> None:
        while not done.is_set():
            leftover = {"committed": False, "updatedAt": now() - LONG_AGO, "version": 10_000}
            wire_world.revisions.insert_many(
                [{**template, **leftover, "_id": ObjectId(), "projectId": project_id} for project_id in project_ids]
            )
            deleted.append(wire_world.sweep().deleted)

    def save(number: int) -> tuple[str, int, int]:
        project_id = project_ids[number % 2]
        timeline = wire_world.stores.timelines.save_timeline(ProjectKey(project_id), TimelineSave(state=state(number)))
        return project_id, timeline.version, number

    # When four writers save while somebody sweeps and sweeps
    with ThreadPoolExecutor(5) as pool:
        sweeper = pool.submit(sweep_all_the_time)
        saved = list(pool.map(save, range(100, 160)))
        done.set()
        sweeper.result()

    # Then every save that was acknowledged is in the history with its own state
    assert sum(deleted) > 2
    assert len({(project_id, version) for project_id, version, _ in saved}) == 60
    histories = {project_id: wire_world.history(project_id) for project_id in project_ids}
    for project_id, version, number in saved:
        assert histories[project_id][version] == state(number)
    wire_world.sweep()
    wire_world.assert_nothing_dangles()
