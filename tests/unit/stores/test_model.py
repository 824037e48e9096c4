"""A simple model and the real stores get the same commands at random; after each, all that can be seen must agree."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import mongomock
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from projectapi.errors import Conflict, PreconditionFailed, ProjectNotFound, TimelineVersionNotFound
from projectapi.project import (
    EntityTag,
    ListQuery,
    Project,
    ProjectKey,
    Timeline,
    TimelineSave,
    empty_timeline_state,
    new_id,
    new_write_id,
)
from projectapi.timeline.patching import apply_merge_patch
from tests.harness.stores import Stores, connect, layer, open_stores, prepare, same, tag_of

JsonObject = dict[str, Any]
HISTORY = 1_000

NAMES = st.sampled_from(["Holiday", "Wedding", ""])
DESCRIPTIONS = st.sampled_from([None, "", "Quick Save", "Rough cut", " Rough cut ", "Final"])
STATES: st.SearchStrategy[JsonObject] = st.fixed_dictionaries(
    {"zoom": st.sampled_from([1, 1.0, 2]), "playhead_time": st.sampled_from([0, 0.5])},
    optional={
        "layers": st.sampled_from([[], [layer(2)], [layer(1, {"$ref": 1, "\uff04": {"a\0": 2}})]]),
        "extra": st.sampled_from([{"b": 1, "a": 2}, {"a": 2, "b": 1}, {"a.b": None}]),
    },
)
PATCHES = st.sampled_from(
    [{"zoom": 2}, {"zoom": None}, {"extra": {"z": 1, "y": 2}}, {"extra": None}, {"new": {"c": [1]}}, {}, {"a.b": 1}]
)


@dataclass
class ModelVersion:
    """A version as an editor knows it."""

    number: int
    id: str
    state: JsonObject
    description: str | None
    change_summary: str | None


@dataclass
class ModelProject:
    """A project as an editor knows it; `versions` are in their order, the last one is the current one."""

    key: ProjectKey
    name: str
    description: str | None = None
    changes: int = 1
    in_trash: bool = False
    highest: int = 0
    versions: list[ModelVersion] = field(default_factory=list)

    @property
    def current(self) -> ModelVersion | None:
        """The current version."""
        return self.versions[-1] if self.versions else None

    def save(self, timeline: Timeline, state: JsonObject, description: str | None, summary: str | None = None) -> None:
        """Take in what the store answered to a save, after a look whether that is right."""
        current = self.current
        name = (description or "").strip()
        known = ("", "Quick Save", ((current.description if current else None) or "").strip())
        if current is not None and same(current.state, state) and name in known:
            assert (timeline.version, timeline.id, timeline.description) == (current.number, current.id, current.description)
            return
        self.highest += 1
        self.changes += 1
        assert timeline.version == self.highest and timeline.id not in {version.id for version in self.versions}
        self.versions.append(ModelVersion(self.highest, timeline.id, state, description, summary))

    def find(self, number: int) -> ModelVersion | None:
        """Return a version by its number."""
        return next((version for version in self.versions if version.number == number), None)


class StoresAgainstModel(RuleBasedStateMachine):
    """Two applications on one database, and one model."""

    make_stores: Callable[[], tuple[Stores, Stores]]

    def __init__(self) -> None:
        super().__init__()
        self.tabs = type(self).make_stores()
        self.owner = new_id()
        self.projects: list[ModelProject] = []
        self.seen: list[tuple[ModelProject, EntityTag, EntityTag]] = []

    # Choosing

    def choose(self, data: st.DataObject) -> tuple[Stores, ModelProject]:
        """Draw which tab does something, and to which project."""
        return data.draw(st.sampled_from(self.tabs)), data.draw(st.sampled_from(self.projects))

    def expect_gone(self, project: ModelProject, call: Callable[[], Any]) -> bool:
        """Tell whether the project is in the trash, after a look that then it cannot be found."""
        if project.in_trash:
            with pytest.raises(ProjectNotFound):
                call()
        return project.in_trash

    # Projects

    @rule(data=st.data(), name=NAMES)
    @precondition(lambda self: len(self.projects) < 3)
    def create(self, data: st.DataObject, name: str) -> None:
        stores = data.draw(st.sampled_from(self.tabs))
        write_id = data.draw(st.sampled_from([None, new_write_id()]))
        for _ in range(2 if write_id else 1):
            created = stores.projects.create_project(name=name, description=None, owner=self.owner, write_id=write_id)
        self.projects.append(ModelProject(ProjectKey(created.id), name))

    @rule(data=st.data(), name=NAMES)
    @precondition(lambda self: self.projects)
    def rename(self, data: st.DataObject, name: str) -> None:
        stores, project = self.choose(data)
        if self.expect_gone(project, lambda: stores.projects.update_project(project.key, {"name": name})):
            return
        stores.projects.update_project(project.key, {"name": name})
        project.name, project.changes = name, project.changes + 1

    @rule(data=st.data())
    @precondition(lambda self: self.seen)
    def rename_on_a_version_seen_earlier(self, data: st.DataObject) -> None:
        stores = data.draw(st.sampled_from(self.tabs))
        project, expected, _ = data.draw(st.sampled_from(self.seen))
        if project.in_trash:
            return
        current = tag_of(stores.projects.get_summary(project.key))
        if expected == current:
            stores.projects.update_project(project.key, {"description": "edited"}, expected)
            project.description, project.changes = "edited", project.changes + 1
        else:
            with pytest.raises(PreconditionFailed) as refusal:
                stores.projects.update_project(project.key, {"description": "lost"}, expected)
            assert refusal.value.headers["ETag"] == str(current)

    @rule(data=st.data())
    @precondition(lambda self: self.projects)
    def move_to_trash(self, data: st.DataObject) -> None:
        stores, project = self.choose(data)
        if self.expect_gone(project, lambda: stores.projects.delete_project(project.key)):
            return
        stores.projects.delete_project(project.key)
        project.in_trash, project.changes = True, project.changes + 1

    @rule(data=st.data())
    @precondition(lambda self: self.projects)
    def bring_back(self, data: st.DataObject) -> None:
        stores, project = self.choose(data)
        if not project.in_trash:
            with pytest.raises(ProjectNotFound):
                stores.projects.restore_project(project.key)
            return
        stores.projects.restore_project(project.key)
        project.in_trash, project.changes = False, project.changes + 1

    # Timelines

    @rule(data=st.data(), state=STATES, description=DESCRIPTIONS)
    @precondition(lambda self: self.projects)
    def save(self, data: st.DataObject, state: JsonObject, description: str | None) -> None:
        stores, project = self.choose(data)
        if project.current is not None:
            state = data.draw(st.sampled_from([state, project.current.state]))
        wanted = TimelineSave(state=state, description=description)
        if self.expect_gone(project, lambda: stores.timelines.save_timeline(project.key, wanted)):
            return
        project.save(stores.timelines.save_timeline(project.key, wanted), state, description)

    @rule(data=st.data(), count=st.integers(15, 35))
    @precondition(lambda self: self.projects)
    def save_so_often_that_revisions_settle(self, data: st.DataObject, count: int) -> None:
        stores, project = self.choose(data)
        if project.in_trash:
            return
        for number in range(count):
            state = {"zoom": 1, "playhead_time": 100 + number}
            project.save(stores.timelines.save_timeline(project.key, TimelineSave(state=state)), state, None)

    @rule(data=st.data(), state=STATES)
    @precondition(lambda self: self.projects)
    def save_the_same_twice(self, data: st.DataObject, state: JsonObject) -> None:
        stores, project = self.choose(data)
        if project.in_trash:
            return
        wanted, write_id = TimelineSave(state=state, description="twice"), new_write_id()
        first = stores.timelines.save_timeline(project.key, wanted, write_id=write_id)
        project.save(first, state, "twice")
        again = self.tabs[1].timelines.save_timeline(project.key, wanted, write_id=write_id)
        assert again.version == first.version

    @rule(data=st.data(), state=STATES)
    @precondition(lambda self: self.seen)
    def save_on_a_version_seen_earlier(self, data: st.DataObject, state: JsonObject) -> None:
        stores = data.draw(st.sampled_from(self.tabs))
        project, _, expected = data.draw(st.sampled_from(self.seen))
        if project.in_trash:
            return
        current = timeline_tag(stores.timelines.get_timeline(project.key))
        wanted = TimelineSave(state=state)
        if expected == current:
            project.save(stores.timelines.save_timeline(project.key, wanted, expected), state, None)
        else:
            with pytest.raises(PreconditionFailed) as refusal:
                stores.timelines.save_timeline(project.key, wanted, expected)
            assert refusal.value.headers["ETag"] == str(current)

    @rule(data=st.data(), patch=PATCHES)
    @precondition(lambda self: self.projects)
    def edit(self, data: st.DataObject, patch: JsonObject) -> None:
        stores, project = self.choose(data)
        if project.in_trash:
            return
        before = project.current.state if project.current else empty_timeline_state()
        edited = stores.timelines.edit_timeline(project.key, lambda old: apply_merge_patch(old, patch), saved_by="ann")
        project.save(edited, apply_merge_patch(before, patch).state, None)

    @rule(data=st.data())
    @precondition(lambda self: self.projects)
    def restore(self, data: st.DataObject) -> None:
        stores, project = self.choose(data)
        number = data.draw(st.integers(1, project.highest + 1))
        if self.expect_gone(
            project, lambda: stores.timelines.restore_revision(project.key, number, restored_by="ann")
        ):
            return
        version = project.find(number)
        if version is None:
            with pytest.raises(TimelineVersionNotFound):
                stores.timelines.restore_revision(project.key, number, restored_by="ann")
            return
        restored = stores.timelines.restore_revision(project.key, number, restored_by="ann")
        if version is project.current:
            assert restored.id == version.id
            return
        name = f"Restored version {number}" + (f": {version.description}" if version.description else "")
        project.save(restored, version.state, name, f"Restored from version {number}")

    @rule(data=st.data(), words=st.dictionaries(st.sampled_from(["description", "change_summary"]), DESCRIPTIONS, min_size=1))
    @precondition(lambda self: any(project.versions for project in self.projects))
    def describe(self, data: st.DataObject, words: JsonObject) -> None:
        stores = data.draw(st.sampled_from(self.tabs))
        project = data.draw(st.sampled_from([project for project in self.projects if project.versions]))
        version = data.draw(st.sampled_from(project.versions))
        if project.in_trash:
            with pytest.raises(TimelineVersionNotFound):
                stores.timelines.find_revision(version.id)
            return
        described = stores.timelines.describe_revision(stores.timelines.find_revision(version.id), words)
        for name, value in words.items():
            setattr(version, name, value)
            assert getattr(described, name) == value
        if version is project.current:
            project.changes += 1

    @rule(data=st.data())
    @precondition(lambda self: any(project.versions and not project.in_trash for project in self.projects))
    def delete_version(self, data: st.DataObject) -> None:
        stores = data.draw(st.sampled_from(self.tabs))
        candidates = [project for project in self.projects if project.versions and not project.in_trash]
        project = data.draw(st.sampled_from(candidates))
        version = data.draw(st.sampled_from(project.versions))
        revision = stores.timelines.find_revision(version.id)
        if version is project.current:
            with pytest.raises(Conflict):
                stores.timelines.delete_revision(revision)
            return
        stores.timelines.delete_revision(revision)
        project.versions.remove(version)
        project.changes += 1

    @rule(data=st.data())
    @precondition(lambda self: any(not project.in_trash for project in self.projects))
    def look(self, data: st.DataObject) -> None:
        """Remember what a tab has on its screen."""
        project = data.draw(st.sampled_from([project for project in self.projects if not project.in_trash]))
        whole = self.tabs[0].projects.get_project(project.key)
        self.seen.append((project, tag_of(whole), timeline_tag(whole.timeline)))

    # Comparing

    @invariant()
    def each_project_is_as_the_model_says(self) -> None:
        for number, project in enumerate(self.projects):
            stores = self.tabs[number % 2]
            if not project.in_trash:
                compare(stores, stores.projects.get_project(project.key), project)

    @invariant()
    def lists_and_trash_hold_what_the_model_says(self) -> None:
        for deleted in (False, True):
            page = self.tabs[0].projects.list_projects(ListQuery(owner=self.owner, deleted=deleted))
            listed = {project.id: (project.name, project.version) for project in page.projects}
            expected = [project for project in self.projects if project.in_trash is deleted]
            assert listed == {project.key.id: (project.name, project.changes) for project in expected}


def timeline_tag(timeline: Timeline | None) -> EntityTag:
    return tag_of(timeline) if timeline else EntityTag(0, "")


def compare(stores: Stores, found: Project, project: ModelProject) -> None:
    """Compare all that can be seen of a project with the model."""
    assert (found.name, found.description, found.version) == (project.name, project.description, project.changes)
    assert stores.timelines.get_timeline(project.key) == found.timeline
    history = stores.timelines.list_revisions(project.key, limit=HISTORY, with_state=True)
    assert [entry.version for entry in history] == [version.number for version in reversed(project.versions)]
    for entry, version in zip(history, reversed(project.versions), strict=True):
        assert (entry.id, entry.description, entry.change_summary) == (version.id, version.description, version.change_summary)
        assert entry.is_current == (version is project.current)
        assert same(entry.state, version.state)
    if project.current is None:
        assert found.timeline is None
    else:
        assert found.timeline is not None and same(found.timeline.state, project.current.state)
        newest = (found.timeline.version, found.timeline.id, found.timeline.description, found.timeline.updated_at)
        assert newest == (history[0].version, history[0].id, history[0].description, history[0].updated_at)


def run(make_stores: Callable[[], tuple[Stores, Stores]], *, examples: int, steps: int) -> None:
    machine = type("StoresAgainstModel", (StoresAgainstModel,), {"make_stores": staticmethod(make_stores)})
    bounds = settings(
        max_examples=examples, stateful_step_count=steps, deadline=None, suppress_health_check=list(HealthCheck)
    )
    run_state_machine_as_test(machine, settings=bounds)


def test_stores_in_memory_do_what_the_model_does() -> None:
    def make_stores() -> tuple[Stores, Stores]:
        database = prepare(mongomock.MongoClient(tz_aware=True)["projectapi"])
        return open_stores(database), open_stores(database)

    run(make_stores, examples=40, steps=30)


def test_stores_on_a_server_do_what_the_model_does(mongodb_uri: str) -> None:
    with connect(mongodb_uri) as client, connect(mongodb_uri) as other:
        name = f"model_{new_id()}"
        prepare(client[name])

        run(lambda: (open_stores(client[name]), open_stores(other[name])), examples=6, steps=20)
