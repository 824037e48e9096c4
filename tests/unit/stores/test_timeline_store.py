"""What every `TimelineStore` does, whatever it stands on."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from bson import ObjectId

from projectapi.errors import Conflict, PreconditionFailed, ProjectNotFound, TimelineTooLarge, TimelineVersionNotFound
from projectapi.project import DESCRIPTION_MAX, EntityTag, ProjectKey, Revision, TimelineSave, new_write_id, now
from projectapi.stores.revision_documents import RevisionDocuments
from projectapi.timeline.patching import Patched, apply_json_patch, apply_merge_patch
from tests.harness.stores import Stores, layer, open_stores, same, save, state, tag_of


def history(stores: Stores, key: ProjectKey) -> list[Revision]:
    return list(stores.timelines.list_revisions(key, limit=100, with_state=True))


def versions(stores: Stores, key: ProjectKey) -> list[int]:
    return [revision.version for revision in history(stores, key)]


@pytest.fixture
def key(stores: Stores) -> ProjectKey:
    """A project whose timeline was never saved."""
    return stores.create()


# Saving


def test_a_timeline_that_was_never_saved_is_none_and_has_no_history(stores: Stores, key: ProjectKey) -> None:
    assert stores.timelines.get_timeline(key) is None
    assert stores.timelines.list_revisions(key, limit=10) == []


def test_the_first_save_is_version_1_and_is_found_everywhere(stores: Stores, key: ProjectKey) -> None:
    before = now()
    wanted = TimelineSave(state=state(1), description="Rough cut", change_summary="all new", saved_by="ann")

    saved = stores.timelines.save_timeline(key, wanted)

    assert (saved.version, saved.description, saved.change_summary, saved.created_by) == (1, "Rough cut", "all new", "ann")
    assert saved.project_id == key.id and saved.is_current and same(saved.state, wanted.state)
    assert before <= saved.created_at == saved.updated_at <= now()
    assert stores.timelines.get_timeline(key) == saved
    assert stores.projects.get_project(key).timeline == saved
    (revision,) = history(stores, key)
    assert revision == Revision(
        id=saved.id,
        project_id=key.id,
        version=1,
        description="Rough cut",
        change_summary="all new",
        created_by="ann",
        created_at=saved.created_at,
        updated_at=saved.created_at,
        is_current=True,
        tag=saved.tag,
        state=wanted.state,
    )
    assert stores.timelines.get_revision(key, 1) == revision


def test_each_save_gets_the_next_version_and_all_of_them_stay(stores: Stores, key: ProjectKey) -> None:
    # More than a project lists as not settled yet, and more than share one keyframe
    saved = [stores.timelines.save_timeline(key, save(playhead)) for playhead in range(40)]

    assert [timeline.version for timeline in saved] == list(range(1, 41))
    assert versions(stores, key) == list(range(40, 0, -1))
    for timeline in saved:
        revision = stores.timelines.get_revision(key, timeline.version)
        assert same(revision.state, timeline.state)
        assert (revision.id, revision.is_current) == (timeline.id, timeline.version == 40)


EXACT: dict[str, Any] = {
    "integers and floats": {"a": 1, "b": 1.0, "c": -0.0, "d": 1e300, "e": 2**63 - 1, "f": -(2**63), "g": 0.1},
    "order of keys": {"z": 1, "a": {"y": 1, "b": 2}, "m": []},
    "empty things": {"a": {}, "b": [], "c": "", "d": None, "": 0},
    "dots in keys": {"a.b": {"c.d": 1}},
    "all sorts of text": {"a": "🎬 \u0000\u2028 \ud7ff", "ключ": "значение"},
    "true and false are no numbers": {"a": True, "b": 1, "c": False, "d": 0},
}


@pytest.mark.parametrize("extra", EXACT.values(), ids=EXACT.keys())
def test_a_state_comes_back_exactly_as_it_was_sent(stores: Stores, key: ProjectKey, extra: Any) -> None:
    sent = state(extra=extra)

    stores.timelines.save_timeline(key, TimelineSave(state=copy.deepcopy(sent)))

    current = stores.timelines.get_timeline(key)
    assert current is not None and same(current.state, sent)
    assert same(stores.timelines.get_revision(key, 1).state, sent)


PROPERTIES: dict[str, Any] = {
    "a reference": {"$ref": "x", "$id": 1},
    "an operator": {"$set": {"$where": "1"}, "fine": 1},
    "a NUL": {"a\0b": 1, "\0": {"c\0": 2}},
    "our own escape": {"\uff04ref": 1, "\uff04\uff04": {"$\uff04%00": 2}},
    "percents": {"%": 1, "$%24": 2, "$%2500": 3},
    "in lists": {"list": [{"$oid": "0" * 24}, [{"$date": 0}]]},
}


@pytest.mark.parametrize("properties", PROPERTIES.values(), ids=PROPERTIES.keys())
def test_the_keys_of_a_clips_properties_are_kept_whatever_they_are(
    stores: Stores, key: ProjectKey, properties: Any
) -> None:
    sent = {**state(), "layers": [layer(2, properties)]}

    stores.timelines.save_timeline(key, TimelineSave(state=copy.deepcopy(sent)))

    project = stores.projects.get_project(key)
    assert project.timeline is not None and same(project.timeline.state, sent)
    assert same(stores.timelines.get_revision(key, 1).state, sent)


@pytest.mark.parametrize("empty", [{}, {"layers": []}])
def test_a_state_with_nothing_in_it_is_a_state(stores: Stores, key: ProjectKey, empty: dict[str, Any]) -> None:
    stores.timelines.save_timeline(key, TimelineSave(state=empty))
    stores.timelines.save_timeline(key, save(1))

    restored = stores.timelines.restore_revision(key, 1, restored_by="ann")

    assert same(restored.state, empty)
    assert stores.timelines.get_timeline(key) == restored


@pytest.mark.parametrize("description", [None, "", "  ", "Quick Save", "Rough cut", " Rough cut "])
def test_saving_an_equal_state_without_a_new_name_adds_no_version(
    stores: Stores, key: ProjectKey, description: str | None
) -> None:
    first = stores.timelines.save_timeline(key, save(1, "Rough cut"))
    project = stores.projects.get_project(key)

    again = stores.timelines.save_timeline(key, save(1, description))

    assert again == first
    assert stores.projects.get_project(key) == project
    assert versions(stores, key) == [1]


def test_saving_an_equal_state_under_a_new_name_adds_a_version(stores: Stores, key: ProjectKey) -> None:
    stores.timelines.save_timeline(key, save(1))

    named = stores.timelines.save_timeline(key, save(1, "Final cut"))

    assert (named.version, named.description) == (2, "Final cut")
    assert versions(stores, key) == [2, 1]


@pytest.mark.parametrize(
    ("one", "other"),
    [({"a": 1}, {"a": 1.0}), ({"a": 1}, {"a": True}), ({"a": 1, "b": 2}, {"b": 2, "a": 1}), ({"a": 0.0}, {"a": -0.0})],
)
def test_states_that_python_calls_equal_and_json_does_not_are_two_versions(
    stores: Stores, key: ProjectKey, one: Any, other: Any
) -> None:
    stores.timelines.save_timeline(key, TimelineSave(state=state(extra=one)))

    second = stores.timelines.save_timeline(key, TimelineSave(state=state(extra=other)))

    assert second.version == 2 and same(second.state, state(extra=other))


def test_going_back_to_an_earlier_state_is_a_new_version(stores: Stores, key: ProjectKey) -> None:
    for playhead in (1, 2, 1):
        last = stores.timelines.save_timeline(key, save(playhead))

    assert last.version == 3


def test_a_save_changes_the_projects_version_and_time_too(stores: Stores, key: ProjectKey) -> None:
    before = stores.projects.get_project(key)

    stores.timelines.save_timeline(key, save())

    after = stores.projects.get_project(key)
    assert after.version == before.version + 1 and after.tag != before.tag and after.updated_at >= before.updated_at


def test_a_save_with_the_current_tag_succeeds_from_the_first_on(stores: Stores, key: ProjectKey) -> None:
    first = stores.timelines.save_timeline(key, save(1), EntityTag(0, ""))

    second = stores.timelines.save_timeline(key, save(2), tag_of(first))

    assert second.version == 2


def test_a_save_with_a_tag_that_is_gone_is_refused_and_leaves_nothing(stores: Stores, key: ProjectKey) -> None:
    first = stores.timelines.save_timeline(key, save(1))
    second = stores.timelines.save_timeline(key, save(2))

    with pytest.raises(PreconditionFailed) as refusal:
        stores.timelines.save_timeline(key, save(3), tag_of(first))

    assert refusal.value.headers["ETag"] == str(tag_of(second))
    assert refusal.value.extra["currentVersion"] == 2
    assert stores.timelines.get_timeline(key) == second
    assert versions(stores, key) == [2, 1]
    assert stores.revision_documents.count_documents({"projectId": key.id}) == 2


def test_a_save_that_is_refused_at_once_has_nothing_to_clear_up(
    stores: Stores, key: ProjectKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = stores.timelines.save_timeline(key, save(1))
    stores.timelines.save_timeline(key, save(2))
    monkeypatch.setattr(RevisionDocuments, "remove", lambda *_: pytest.fail("a request to the database for nothing"))

    with pytest.raises(PreconditionFailed):
        stores.timelines.save_timeline(key, save(3), tag_of(first))


@pytest.mark.parametrize("expected", [EntityTag(0, ""), EntityTag(2, "0" * 16), EntityTag(1, "0" * 16), EntityTag(1, "")])
def test_only_the_exact_tag_is_the_current_one(stores: Stores, key: ProjectKey, expected: EntityTag) -> None:
    stores.timelines.save_timeline(key, save(1))

    with pytest.raises(PreconditionFailed):
        stores.timelines.save_timeline(key, save(2), expected)


def test_a_tag_before_the_first_save_names_version_0(stores: Stores, key: ProjectKey) -> None:
    with pytest.raises(PreconditionFailed) as refusal:
        stores.timelines.save_timeline(key, save(2), EntityTag(1, "0" * 16))

    assert refusal.value.headers["ETag"] == '"0"'


def test_an_equal_state_with_a_tag_that_is_gone_is_refused_all_the_same(stores: Stores, key: ProjectKey) -> None:
    first = stores.timelines.save_timeline(key, save(1))
    stores.timelines.save_timeline(key, save(2))

    with pytest.raises(PreconditionFailed):
        stores.timelines.save_timeline(key, save(2), tag_of(first))


def test_a_save_that_is_sent_twice_is_one_version(stores: Stores, key: ProjectKey) -> None:
    write_id = new_write_id()
    first = stores.timelines.save_timeline(key, save(1, "mine"), write_id=write_id)
    stores.timelines.save_timeline(key, save(2))

    again = stores.timelines.save_timeline(key, save(1, "mine"), write_id=write_id)

    assert (again.id, again.version, again.tag) == (first.id, first.version, first.tag)
    assert same(again.state, first.state)
    assert versions(stores, key) == [2, 1]


@pytest.mark.parametrize("later", [0, 1, 20])
def test_a_save_with_a_precondition_that_is_sent_twice_meets_its_own_success(
    stores: Stores, key: ProjectKey, later: int
) -> None:
    write_id = new_write_id()
    first = stores.timelines.save_timeline(key, save(-1), EntityTag(0, ""), write_id=write_id)
    for playhead in range(later):
        stores.timelines.save_timeline(key, save(playhead))

    again = stores.timelines.save_timeline(key, save(-1), EntityTag(0, ""), write_id=write_id)

    assert (again.id, again.version) == (first.id, 1)
    assert versions(stores, key) == list(range(later + 1, 0, -1))


def test_a_timeline_that_no_document_can_hold_is_refused_and_changes_nothing(stores: Stores, key: ProjectKey) -> None:
    stores.timelines.save_timeline(key, save(1))
    before = stores.projects.get_project(key)

    with pytest.raises(TimelineTooLarge):
        stores.timelines.save_timeline(key, TimelineSave(state=state(notes="x" * (15 * 2**20 + 1))))

    assert stores.projects.get_project(key) == before
    assert stores.revision_documents.count_documents({"projectId": key.id}) == 1


# Editing


def test_an_edit_appends_the_version_that_it_makes_of_the_current_state(stores: Stores, key: ProjectKey) -> None:
    stores.timelines.save_timeline(key, save(1, "Rough cut", clips=3))
    move = [{"op": "replace", "path": "/layers/0/clips/1/start_time", "value": 7.5}]

    edited = stores.timelines.edit_timeline(key, lambda old: apply_json_patch(old, move), saved_by="ann")

    expected = state(1, clips=3)
    expected["layers"][0]["clips"][1]["start_time"] = 7.5
    assert same(edited.state, expected) and (edited.version, edited.created_by) == (2, "ann")
    assert stores.timelines.get_timeline(key) == edited
    assert same(stores.timelines.get_revision(key, 2).state, expected)
    assert same(stores.timelines.get_revision(key, 1).state, state(1, clips=3))


MERGE_PATCHES: dict[str, Any] = {
    "one value": {"zoom": 2},
    "a new key": {"new": 1},
    "two new keys, not in alphabetical order": {"z": 1, "a": 2},
    "new keys in a new object": {"new": {"z": 1, "a": {"y": 1, "b": 2}}},
    "a key gone": {"zoom": None},
    "a key gone and another come": {"zoom": None, "aaa": 1},
    "a list": {"markers": [{"id": "m", "time": 1}]},
    "a dot in a key": {"a.b": 1, "c": {"d.e": 2}},
    "an empty key": {"": 1},
    "our escape in a key": {"\uff04a": 1},
    "integer to float": {"zoom": 1.0},
}


@pytest.mark.parametrize("patch", MERGE_PATCHES.values(), ids=MERGE_PATCHES.keys())
def test_after_an_edit_current_state_and_history_are_the_same_to_the_byte(
    stores: Stores, key: ProjectKey, patch: Any
) -> None:
    stores.timelines.save_timeline(key, save(1))
    expected = apply_merge_patch(state(1), patch).state

    edited = stores.timelines.edit_timeline(key, lambda old: apply_merge_patch(old, patch), saved_by="ann")

    assert edited.version == 2 and same(edited.state, expected)
    current = stores.timelines.get_timeline(key)
    assert current is not None and same(current.state, expected)
    assert same(stores.timelines.get_revision(key, 2).state, expected)


@pytest.mark.parametrize("properties", PROPERTIES.values(), ids=PROPERTIES.keys())
def test_an_edit_beside_strange_keys_keeps_them(stores: Stores, key: ProjectKey, properties: Any) -> None:
    sent = {**state(), "layers": [layer(2, properties)]}
    stores.timelines.save_timeline(key, TimelineSave(state=sent))
    patch = [
        {"op": "replace", "path": "/layers/0/clips/0/start_time", "value": 9},
        {"op": "add", "path": "/layers/0/clips/1/properties/$new", "value": {"$ref": 1}},
    ]
    expected = apply_json_patch(sent, patch).state

    stores.timelines.edit_timeline(key, lambda old: apply_json_patch(old, patch), saved_by="ann")

    current = stores.timelines.get_timeline(key)
    assert current is not None and same(current.state, expected)
    assert same(stores.timelines.get_revision(key, 2).state, expected)


def test_an_edit_before_the_first_save_works_on_the_empty_state(stores: Stores, key: ProjectKey) -> None:
    edited = stores.timelines.edit_timeline(key, lambda old: apply_merge_patch(old, {"zoom": 2}), saved_by="ann")

    assert (edited.version, edited.state["zoom"], edited.state["layers"]) == (1, 2, [])
    assert stores.timelines.get_timeline(key) == edited


def test_an_edit_that_changes_nothing_adds_no_version(stores: Stores, key: ProjectKey) -> None:
    first = stores.timelines.save_timeline(key, save(1))

    edited = stores.timelines.edit_timeline(key, lambda old: apply_merge_patch(old, {"zoom": 1}), saved_by="ann")

    assert edited == first and versions(stores, key) == [1]


def test_a_timeline_edit_is_made_anew_when_somebody_else_was_quicker(stores: Stores, key: ProjectKey) -> None:
    stores.timelines.save_timeline(key, save(1))
    seen = []

    def edit(old: dict[str, Any]) -> Patched:
        seen.append(old["playhead_time"])
        if len(seen) == 1:
            stores.timelines.save_timeline(key, save(2))
        return apply_merge_patch(old, {"zoom": 5})

    edited = stores.timelines.edit_timeline(key, edit, saved_by="ann")

    assert (seen, edited.version) == ([1, 2], 3)
    assert same(edited.state, {**state(2), "zoom": 5})
    assert versions(stores, key) == [3, 2, 1]


def test_a_timeline_edit_with_a_precondition_is_not_made_anew(stores: Stores, key: ProjectKey) -> None:
    first = stores.timelines.save_timeline(key, save(1))

    def edit(old: dict[str, Any]) -> Patched:
        stores.timelines.save_timeline(key, save(2))
        return apply_merge_patch(old, {"zoom": 5})

    with pytest.raises(PreconditionFailed):
        stores.timelines.edit_timeline(key, edit, tag_of(first), saved_by="ann")

    assert versions(stores, key) == [2, 1]


def test_what_a_timeline_edit_raises_comes_through_and_changes_nothing(stores: Stores, key: ProjectKey) -> None:
    first = stores.timelines.save_timeline(key, save(1))
    failing = [{"op": "replace", "path": "/zoom", "value": 3}, {"op": "test", "path": "/zoom", "value": 4}]

    with pytest.raises(Conflict):
        stores.timelines.edit_timeline(key, lambda old: apply_json_patch(old, failing), saved_by="ann")

    assert stores.timelines.get_timeline(key) == first and versions(stores, key) == [1]


def test_an_edit_that_is_sent_twice_is_one_version(stores: Stores, key: ProjectKey) -> None:
    stores.timelines.save_timeline(key, save(1))
    append = [{"op": "add", "path": "/layers/0/clips/-", "value": layer(9)["clips"][8]}]
    write_id = new_write_id()

    both = [
        stores.timelines.edit_timeline(key, lambda old: apply_json_patch(old, append), saved_by="ann", write_id=write_id)
        for _ in range(2)
    ]

    assert [timeline.version for timeline in both] == [2, 2]
    assert len(both[1].state["layers"][0]["clips"]) == 2
    assert versions(stores, key) == [2, 1]


# History


def test_history_is_read_in_pages_newest_first_and_without_states(stores: Stores, key: ProjectKey) -> None:
    for playhead in range(7):
        stores.timelines.save_timeline(key, save(playhead))

    def page(skip: int) -> list[int]:
        return [revision.version for revision in stores.timelines.list_revisions(key, limit=3, skip=skip)]

    assert [page(0), page(3), page(6), page(9)] == [[7, 6, 5], [4, 3, 2], [1], []]
    assert [revision.state for revision in stores.timelines.list_revisions(key, limit=3)] == [None] * 3


def test_exactly_one_version_is_the_current_one(stores: Stores, key: ProjectKey) -> None:
    for playhead in range(3):
        stores.timelines.save_timeline(key, save(playhead))

    assert [revision.is_current for revision in history(stores, key)] == [True, False, False]


@pytest.mark.parametrize("version", [0, 2, -1, 2**40])
def test_a_version_that_never_was_is_not_found(stores: Stores, key: ProjectKey, version: int) -> None:
    stores.timelines.save_timeline(key, save())

    with pytest.raises(TimelineVersionNotFound):
        stores.timelines.get_revision(key, version)
    with pytest.raises(TimelineVersionNotFound):
        stores.timelines.restore_revision(key, version, restored_by="ann")


def test_a_version_is_found_by_its_document_id(stores: Stores, key: ProjectKey) -> None:
    saved = [stores.timelines.save_timeline(key, save(playhead)) for playhead in range(2)]

    found = [stores.timelines.find_revision(timeline.id) for timeline in saved]

    assert [(revision.version, revision.is_current, revision.state) for revision in found] == [
        (1, False, None),
        (2, True, None),
    ]
    assert {revision.project_id for revision in found} == {key.id}


@pytest.mark.parametrize("revision_id", ["f" * 24, "", "x", "project_1", "0" * 23, "12 bytes long"])
def test_a_document_id_that_nothing_has_is_not_found(stores: Stores, revision_id: str) -> None:
    with pytest.raises(TimelineVersionNotFound):
        stores.timelines.find_revision(revision_id)


def test_a_version_of_somebody_elses_project_is_not_found_by_its_id(stores: Stores) -> None:
    key = stores.create(owner="ann")
    saved = stores.timelines.save_timeline(key, save())

    assert stores.timelines.find_revision(saved.id, "ann").version == 1
    with pytest.raises(TimelineVersionNotFound):
        stores.timelines.find_revision(saved.id, "bob")


def test_a_version_of_a_project_in_the_trash_is_not_found_by_its_id(stores: Stores, key: ProjectKey) -> None:
    saved = stores.timelines.save_timeline(key, save())
    stores.projects.delete_project(key)

    with pytest.raises(TimelineVersionNotFound):
        stores.timelines.find_revision(saved.id)


# Restoring


def test_restoring_an_earlier_version_appends_its_state_as_the_highest(stores: Stores, key: ProjectKey) -> None:
    stores.timelines.save_timeline(key, save(1, "Rough cut"))
    stores.timelines.save_timeline(key, save(2))

    restored = stores.timelines.restore_revision(key, 1, restored_by="bob")

    assert (restored.version, restored.created_by, restored.description) == (3, "bob", "Restored version 1: Rough cut")
    assert same(restored.state, state(1))
    assert stores.timelines.get_timeline(key) == restored
    assert [revision.is_current for revision in history(stores, key)] == [True, False, False]
    assert same(stores.timelines.get_revision(key, 2).state, state(2))


def test_restoring_the_current_version_changes_nothing(stores: Stores, key: ProjectKey) -> None:
    stores.timelines.save_timeline(key, save(1))
    stores.timelines.save_timeline(key, save(2))
    before = stores.projects.get_project(key)

    restored = stores.timelines.restore_revision(key, 2, restored_by="bob")

    assert restored == before.timeline
    assert stores.projects.get_project(key) == before and versions(stores, key) == [2, 1]


def test_restoring_the_same_version_twice_appends_it_once(stores: Stores, key: ProjectKey) -> None:
    for playhead in (1, 2):
        stores.timelines.save_timeline(key, save(playhead))

    both = [stores.timelines.restore_revision(key, 1, restored_by="bob") for _ in range(2)]

    assert both[0] == both[1] and versions(stores, key) == [3, 2, 1]


def test_a_restoration_that_is_sent_twice_is_one_version(stores: Stores, key: ProjectKey) -> None:
    for playhead in (1, 2):
        stores.timelines.save_timeline(key, save(playhead))
    write_id = new_write_id()
    first = stores.timelines.restore_revision(key, 1, restored_by="bob", write_id=write_id)
    stores.timelines.save_timeline(key, save(4))

    again = stores.timelines.restore_revision(key, 1, restored_by="bob", write_id=write_id)

    assert again.version == first.version == 3 and versions(stores, key) == [4, 3, 2, 1]


def test_restoring_what_was_restored_for_ever_keeps_descriptions_in_bounds(stores: Stores, key: ProjectKey) -> None:
    stores.timelines.save_timeline(key, save(1, "x" * DESCRIPTION_MAX))
    stores.timelines.save_timeline(key, save(2))

    restored = stores.timelines.restore_revision(key, 1, restored_by="bob")

    assert restored.description is not None and len(restored.description) == DESCRIPTION_MAX
    assert restored.description.startswith("Restored version 1: xxx")


# Describing


def test_a_description_is_edited_in_place(stores: Stores, key: ProjectKey) -> None:
    first = stores.timelines.save_timeline(key, save(1, "Rough"))
    second = stores.timelines.save_timeline(key, save(2))

    described = stores.timelines.describe_revision(stores.timelines.find_revision(first.id), {"description": "Rough cut"})

    assert (described.version, described.description, described.is_current) == (1, "Rough cut", False)
    assert described.updated_at >= first.updated_at and described.created_at == first.created_at
    assert stores.timelines.get_revision(key, 1).description == "Rough cut"
    assert same(stores.timelines.get_revision(key, 1).state, first.state)
    assert stores.timelines.get_timeline(key) == second


def test_describing_the_current_version_shows_everywhere_and_changes_its_tag(stores: Stores, key: ProjectKey) -> None:
    saved = stores.timelines.save_timeline(key, save(1, "Rough"))

    described = stores.timelines.describe_revision(
        stores.timelines.find_revision(saved.id), {"description": "Final", "change_summary": "music"}
    )

    current = stores.timelines.get_timeline(key)
    assert current is not None
    for seen in (described, current, stores.timelines.get_revision(key, 1)):
        assert (seen.description, seen.change_summary, seen.is_current, seen.version) == ("Final", "music", True, 1)
        assert seen.updated_at == described.updated_at
    assert current.tag != saved.tag and same(current.state, saved.state)
    with pytest.raises(PreconditionFailed):
        stores.timelines.save_timeline(key, save(2), tag_of(saved))


def test_a_description_of_the_current_version_stays_when_it_becomes_an_earlier_one(stores: Stores, key: ProjectKey) -> None:
    saved = stores.timelines.save_timeline(key, save(1, "Rough"))
    described = stores.timelines.describe_revision(stores.timelines.find_revision(saved.id), {"description": "Final"})

    stores.timelines.save_timeline(key, save(2))

    earlier = stores.timelines.get_revision(key, 1)
    assert (earlier.description, earlier.updated_at) == ("Final", described.updated_at)


def test_a_description_can_be_removed(stores: Stores, key: ProjectKey) -> None:
    saved = stores.timelines.save_timeline(key, save(1, "Rough"))

    described = stores.timelines.describe_revision(stores.timelines.find_revision(saved.id), {"description": None})

    assert described.description is None


# Deleting


def test_an_earlier_version_can_be_deleted_and_the_others_stay(stores: Stores, key: ProjectKey) -> None:
    # Version 1 is the keyframe that the others are stored against
    saved = [stores.timelines.save_timeline(key, save(playhead)) for playhead in range(4)]

    stores.timelines.delete_revision(stores.timelines.find_revision(saved[0].id))

    assert versions(stores, key) == [4, 3, 2]
    assert all(same(revision.state, saved[revision.version - 1].state) for revision in history(stores, key))
    for lost in (
        lambda: stores.timelines.get_revision(key, 1),
        lambda: stores.timelines.find_revision(saved[0].id),
        lambda: stores.timelines.restore_revision(key, 1, restored_by="ann"),
    ):
        with pytest.raises(TimelineVersionNotFound):
            lost()


def test_a_deletion_leaves_the_current_timeline_and_its_tag_alone(stores: Stores, key: ProjectKey) -> None:
    saved = [stores.timelines.save_timeline(key, save(playhead)) for playhead in range(3)]

    stores.timelines.delete_revision(stores.timelines.find_revision(saved[1].id))

    assert stores.timelines.get_timeline(key) == saved[2]
    assert stores.timelines.save_timeline(key, save(9), tag_of(saved[2])).version == 4
    assert versions(stores, key) == [4, 3, 1]


def test_the_current_version_cannot_be_deleted(stores: Stores, key: ProjectKey) -> None:
    saved = stores.timelines.save_timeline(key, save())

    with pytest.raises(Conflict):
        stores.timelines.delete_revision(stores.timelines.find_revision(saved.id))

    assert versions(stores, key) == [1]


def test_a_version_that_stopped_being_the_current_one_can_be_deleted(stores: Stores, key: ProjectKey) -> None:
    seen = stores.timelines.find_revision(stores.timelines.save_timeline(key, save(1)).id)
    stores.timelines.save_timeline(key, save(2))

    stores.timelines.delete_revision(seen)

    assert versions(stores, key) == [2]


GONE: dict[str, Callable[[Stores, Revision], Any]] = {
    "delete": lambda stores, revision: stores.timelines.delete_revision(revision),
    "describe": lambda stores, revision: stores.timelines.describe_revision(revision, {"description": "x"}),
}


@pytest.mark.parametrize("method", GONE)
def test_a_deleted_version_is_not_found_by_what_still_knows_it(stores: Stores, key: ProjectKey, method: str) -> None:
    seen = stores.timelines.find_revision(stores.timelines.save_timeline(key, save(1)).id)
    stores.timelines.save_timeline(key, save(2))
    stores.timelines.delete_revision(stores.timelines.find_revision(seen.id))

    with pytest.raises(TimelineVersionNotFound):
        GONE[method](stores, seen)


@pytest.mark.parametrize("method", GONE)
def test_a_version_of_a_project_that_went_into_the_trash_is_not_changed(
    stores: Stores, key: ProjectKey, method: str
) -> None:
    seen = stores.timelines.find_revision(stores.timelines.save_timeline(key, save(1, "Rough")).id)
    stores.timelines.save_timeline(key, save(2))
    before = history(stores, key)
    stores.projects.delete_project(key)

    with pytest.raises((ProjectNotFound, TimelineVersionNotFound)):
        GONE[method](stores, seen)

    stores.projects.restore_project(key)
    assert history(stores, key) == before


def test_a_number_is_never_given_out_twice(stores: Stores, key: ProjectKey) -> None:
    saved = [stores.timelines.save_timeline(key, save(playhead)) for playhead in range(20)]
    for timeline in saved[:-1]:
        stores.timelines.delete_revision(stores.timelines.find_revision(timeline.id))

    assert stores.timelines.save_timeline(key, save(99)).version == 21
    assert versions(stores, key) == [21, 20]


# What crashes leave behind


def leftover(stores: Stores, key: ProjectKey, version: int) -> dict[str, Any]:
    """Store what a save leaves that was killed between its revision and the pointer; return the document."""
    other = stores.create()
    for playhead in range(version):
        stores.timelines.save_timeline(other, save(1000 + playhead))
    document = stores.revision_documents.find_one({"projectId": other.id, "version": version})
    assert document is not None
    document |= {"_id": ObjectId(), "projectId": key.id, "committed": False}
    stores.revision_documents.insert_one(document)
    return document


@pytest.mark.parametrize("version", [2, 3, 4])
def test_the_revision_of_a_save_that_was_killed_before_the_pointer_moved_never_shows(
    stores: Stores, key: ProjectKey, version: int
) -> None:
    for playhead in range(2):
        stores.timelines.save_timeline(key, save(playhead))
    before = history(stores, key)

    left = leftover(stores, key, version)

    assert history(stores, key) == before
    with pytest.raises(TimelineVersionNotFound):
        stores.timelines.find_revision(str(left["_id"]))
    for playhead in range(10, 30):
        stores.timelines.save_timeline(key, save(playhead))
    assert versions(stores, key) == list(range(22, 0, -1))
    assert same(stores.timelines.get_revision(key, 3).state, state(10))


def test_saving_goes_on_when_the_keyframe_of_the_current_version_is_lost(stores: Stores, key: ProjectKey) -> None:
    # Given a history whose first revision, on which all others stand, vanished from the disk
    first = stores.timelines.save_timeline(key, save(0))
    stores.timelines.save_timeline(key, save(1))
    stores.revision_documents.delete_one({"_id": ObjectId(first.id)})
    fresh = open_stores(stores.database).timelines

    # When the editor saves on
    saved = fresh.save_timeline(key, save(2))

    # Then the save is whole: current and in history
    assert saved.version == 3
    assert same(fresh.get_revision(key, 3).state, state(2))
