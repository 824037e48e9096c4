"""Projects that come from elsewhere: all of one is there at once, or nothing that anybody sees."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mongomock
import pytest

from projectapi.errors import InvalidBundle, ProjectNotFound
from projectapi.project import ListQuery, Project, ProjectKey, id_from_write, new_write_id, now
from projectapi.protocols import ImportedProject, ImportedVersion
from tests.harness.housekeeping_world import World, state
from tests.harness.stores import prepare

PROJECT = ImportedProject(
    name="Film", description=None, thumbnail=None, duration=None, created_at=now(), transcript=None
)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A database in memory."""
    client: Any = mongomock.MongoClient(tz_aware=True)
    return World(prepare(client["test"]), tmp_path / "media")


def versions(*numbers: int) -> Iterator[ImportedVersion]:
    for number in numbers:
        yield ImportedVersion(
            version=number,
            state=state(number),
            description=f"Cut {number}",
            change_summary=None,
            created_by="ann",
            created_at=now(),
            updated_at=now(),
        )


def breaking_off() -> Iterator[ImportedVersion]:
    yield from versions(1, 2)
    raise InvalidBundle


def take_in(world: World, history: Iterator[ImportedVersion], write_id: str | None = None) -> Project:
    return world.stores.imports.import_project(PROJECT, history, video=None, owner="bob", write_id=write_id)


def test_versions_keep_their_numbers_and_states(world: World) -> None:
    project = take_in(world, versions(2, 5, 40))

    assert world.history(project.id) == {number: state(number) for number in (2, 5, 40)}
    assert project.timeline is not None
    assert (project.timeline.version, project.timeline.created_by, project.owner) == (40, "ann", "bob")
    assert world.save(project.id, 41) == 41


def test_a_long_history_is_packed_as_saves_pack_it(world: World) -> None:
    project = take_in(world, versions(*range(1, 101)))

    kinds = [revision["encoding"] for revision in world.revisions.find({}, sort=[("version", 1)])]
    assert kinds.count("full") == 4
    assert world.history(project.id).keys() == set(range(1, 101))
    world.assert_nothing_dangles()


def test_an_import_that_breaks_off_shows_nothing_and_is_swept_away(world: World) -> None:
    mark = new_write_id()

    with pytest.raises(InvalidBundle):
        take_in(world, breaking_off(), mark)

    with pytest.raises(ProjectNotFound):
        world.stores.projects.get_project(ProjectKey(id_from_write(mark)))
    assert world.stores.projects.list_projects(ListQuery(owner="bob")).projects == []
    assert world.revisions.count_documents({}) == 2
    for _ in range(2):
        world.revisions.update_many({}, {"$set": {"updatedAt": now().replace(year=2020)}})
        world.sweep()
        world.let_time_pass()
    assert world.revisions.count_documents({}) == 0


def test_an_import_that_broke_off_is_finished_by_its_repetition(world: World) -> None:
    mark = new_write_id()
    with pytest.raises(InvalidBundle):
        take_in(world, breaking_off(), mark)

    first, second = (take_in(world, versions(1, 2, 3), mark) for _ in range(2))

    assert first == second
    assert world.history(first.id) == {number: state(number) for number in (1, 2, 3)}
    assert (world.projects.count_documents({}), world.revisions.count_documents({})) == (1, 3)
