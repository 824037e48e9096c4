"""What every `ProjectStore` does, whatever it stands on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, timedelta
from typing import Any

import pytest

from projectapi.errors import PreconditionFailed, ProjectNotCarriedOver, ProjectNotFound
from projectapi.project import EntityTag, ProjectKey, new_id, new_write_id, now
from tests.harness.stores import Stores, save, tag_of
from tests.media_samples import video_record


def test_a_created_project_is_found_again_as_it_was_answered(stores: Stores) -> None:
    before = now()

    created = stores.projects.create_project(name="Holiday", description=None, owner="ann")

    assert stores.projects.get_project(ProjectKey(created.id)) == created
    assert (created.name, created.description, created.owner, created.version) == ("Holiday", None, "ann", 1)
    assert (created.timeline, created.video, created.transcript, created.deleted_at) == (None, None, None, None)
    assert created.created_at == created.updated_at and before <= created.created_at <= now()
    assert created.created_at.tzinfo is not None and created.created_at.utcoffset() == timedelta(0)
    assert created.created_at.astimezone(UTC) == created.created_at


def test_two_projects_may_have_the_same_name_and_never_the_same_id(stores: Stores) -> None:
    ids = {stores.create("Holiday", owner="ann").id for _ in range(5)}

    assert len(ids) == 5


def test_names_come_back_to_the_character(stores: Stores) -> None:
    name = '  $ne {"a": 1} ÄÖ 🎬 \t.'

    key = stores.create(name)

    assert stores.projects.get_project(key).name == name


def test_a_creation_that_is_sent_twice_makes_one_project(stores: Stores) -> None:
    owner, write_id = new_id(), new_write_id()

    first = stores.projects.create_project(name="Holiday", description=None, owner=owner, write_id=write_id)
    second = stores.projects.create_project(name="Holiday", description=None, owner=owner, write_id=write_id)

    assert first == second
    assert stores.project_documents.count_documents({"createdBy": owner}) == 1


ON_A_PROJECT: dict[str, Callable[[Stores, ProjectKey], Any]] = {
    "get_project": lambda stores, key: stores.projects.get_project(key),
    "get_summary": lambda stores, key: stores.projects.get_summary(key),
    "update_project": lambda stores, key: stores.projects.update_project(key, {"name": "x"}),
    "update_project if": lambda stores, key: stores.projects.update_project(key, {"name": "x"}, EntityTag(1, "0" * 16)),
    "edit_project": lambda stores, key: stores.projects.edit_project(key, lambda values: values),
    "delete_project": lambda stores, key: stores.projects.delete_project(key),
    "set_video": lambda stores, key: stores.projects.set_video(key, video_record()),
    "get_timeline": lambda stores, key: stores.timelines.get_timeline(key),
    "save_timeline": lambda stores, key: stores.timelines.save_timeline(key, save()),
    "save_timeline if": lambda stores, key: stores.timelines.save_timeline(key, save(), EntityTag(0, "")),
    "list_revisions": lambda stores, key: stores.timelines.list_revisions(key, limit=5),
    "get_revision": lambda stores, key: stores.timelines.get_revision(key, 1),
    "restore_revision": lambda stores, key: stores.timelines.restore_revision(key, 1, restored_by="ann"),
}


@pytest.mark.parametrize("method", ON_A_PROJECT)
def test_every_method_says_that_there_is_no_such_project(stores: Stores, method: str) -> None:
    with pytest.raises(ProjectNotFound):
        ON_A_PROJECT[method](stores, ProjectKey(new_id()))


@pytest.mark.parametrize("method", ON_A_PROJECT)
def test_every_method_explains_what_became_of_the_old_backends_projects(stores: Stores, method: str) -> None:
    with pytest.raises(ProjectNotCarriedOver):
        ON_A_PROJECT[method](stores, ProjectKey("project_1"))


@pytest.mark.parametrize("method", ON_A_PROJECT)
def test_a_project_in_the_trash_is_found_by_no_method(stores: Stores, method: str) -> None:
    key = stores.create()
    stores.timelines.save_timeline(key, save())
    stores.projects.delete_project(key)

    with pytest.raises(ProjectNotFound):
        ON_A_PROJECT[method](stores, key)


@pytest.mark.parametrize("method", ON_A_PROJECT)
def test_somebody_elses_project_is_found_by_no_method(stores: Stores, method: str) -> None:
    key = stores.create(owner="ann")
    stores.timelines.save_timeline(key, save())
    before = stores.projects.get_project(key)

    with pytest.raises(ProjectNotFound):
        ON_A_PROJECT[method](stores, ProjectKey(key.id, "bob"))

    assert stores.projects.get_project(ProjectKey(key.id, "ann")) == before


def test_an_update_changes_what_it_names_and_nothing_else(stores: Stores) -> None:
    key = stores.create("Holiday")
    stores.timelines.save_timeline(key, save())
    before = stores.projects.get_project(key)

    after = stores.projects.update_project(key, {"name": "Wedding", "duration": 3})

    assert (after.name, after.duration, after.description) == ("Wedding", 3, None)
    assert isinstance(after.duration, int)
    assert (after.version, after.created_at, after.timeline) == (before.version + 1, before.created_at, before.timeline)
    assert after.tag != before.tag
    assert stores.projects.get_project(key) == after


def test_an_update_on_the_version_that_was_read_succeeds(stores: Stores) -> None:
    key = stores.create()
    seen = stores.projects.get_project(key)

    after = stores.projects.update_project(key, {"description": "new"}, tag_of(seen))

    assert after.description == "new"


def test_an_update_on_a_version_that_is_gone_is_refused_and_names_the_current_one(stores: Stores) -> None:
    key = stores.create("Holiday")
    seen = stores.projects.get_project(key)
    current = stores.projects.update_project(key, {"name": "Wedding"})

    with pytest.raises(PreconditionFailed) as refusal:
        stores.projects.update_project(key, {"name": "Birthday"}, tag_of(seen))

    assert refusal.value.headers["ETag"] == str(tag_of(current))
    assert refusal.value.extra["currentVersion"] == current.version
    assert stores.projects.get_project(key) == current


def test_the_mark_counts_and_not_the_number_alone(stores: Stores) -> None:
    key = stores.create("Holiday")
    seen = stores.projects.get_project(key)

    with pytest.raises(PreconditionFailed):
        stores.projects.update_project(key, {"name": "Birthday"}, EntityTag(seen.version, "0" * 16))


def test_an_update_that_is_sent_twice_counts_once(stores: Stores) -> None:
    key, write_id = stores.create("Holiday"), new_write_id()
    seen = stores.projects.get_project(key)

    for _ in range(2):
        after = stores.projects.update_project(key, {"name": "Wedding"}, tag_of(seen), write_id=write_id)

    assert (after.name, after.version) == ("Wedding", seen.version + 1)
    assert stores.projects.get_project(key) == after


def test_an_edit_works_on_the_current_values(stores: Stores) -> None:
    key = stores.create("Holiday")

    after = stores.projects.edit_project(key, lambda values: {**values, "name": values["name"] + "!"})

    assert (after.name, after.version) == ("Holiday!", 2)


def test_an_edit_is_made_anew_when_somebody_else_was_quicker(stores: Stores) -> None:
    # Given somebody who renames the project just after our edit has read it
    key, seen = stores.create("Holiday"), []

    def edit(values: dict[str, Any]) -> dict[str, Any]:
        seen.append(values["name"])
        if len(seen) == 1:
            stores.projects.update_project(key, {"name": "Wedding"})
        return {**values, "description": f"about {values['name']}"}

    # When we edit the description
    after = stores.projects.edit_project(key, edit)

    # Then the edit saw the new name, and nothing was lost
    assert seen == ["Holiday", "Wedding"]
    assert (after.name, after.description) == ("Wedding", "about Wedding")


def test_an_edit_with_a_precondition_is_not_made_anew(stores: Stores) -> None:
    key = stores.create("Holiday")
    seen = stores.projects.get_project(key)

    def edit(values: dict[str, Any]) -> dict[str, Any]:
        stores.projects.update_project(key, {"name": "Wedding"})
        return {**values, "name": "Birthday"}

    with pytest.raises(PreconditionFailed):
        stores.projects.edit_project(key, edit, tag_of(seen))

    assert stores.projects.get_project(key).name == "Wedding"


def test_what_an_edit_raises_comes_through_and_changes_nothing(stores: Stores) -> None:
    key = stores.create()
    before = stores.projects.get_project(key)

    def edit(_: dict[str, Any]) -> dict[str, Any]:
        raise KeyError("nothing there")

    with pytest.raises(KeyError):
        stores.projects.edit_project(key, edit)

    assert stores.projects.get_project(key) == before


def test_a_summary_is_the_project_without_what_is_large(stores: Stores) -> None:
    key = stores.create()
    stores.timelines.save_timeline(key, save())
    stores.give_transcript(key)
    whole = stores.projects.get_project(key)

    summary = stores.projects.get_summary(key)

    assert (summary.timeline, summary.transcript) == (None, None)
    assert (summary.name, summary.version, summary.tag) == (whole.name, whole.version, whole.tag)


def test_a_project_comes_back_from_the_trash_with_everything(stores: Stores) -> None:
    key = stores.create()
    stores.projects.set_video(key, video_record())
    stores.give_transcript(key)
    for playhead in range(3):
        stores.timelines.save_timeline(key, save(playhead))
    before = stores.projects.get_project(key)
    history = stores.timelines.list_revisions(key, limit=10, with_state=True)

    stores.projects.delete_project(key)
    stores.projects.restore_project(key)

    after = stores.projects.get_project(key)
    assert (after.timeline, after.video, after.transcript) == (before.timeline, before.video, before.transcript)
    assert (after.deleted_at, after.version) == (None, before.version + 2)
    assert stores.timelines.list_revisions(key, limit=10, with_state=True) == history


def test_a_deletion_on_a_version_that_is_gone_is_refused(stores: Stores) -> None:
    key = stores.create()
    seen = stores.projects.get_project(key)
    current = stores.projects.update_project(key, {"name": "Wedding"})

    with pytest.raises(PreconditionFailed):
        stores.projects.delete_project(key, tag_of(seen))

    stores.projects.delete_project(key, tag_of(current))
    with pytest.raises(ProjectNotFound):
        stores.projects.get_summary(key)


@pytest.mark.parametrize("owner", [None, "ann"])
def test_only_what_is_in_the_trash_can_be_brought_back(stores: Stores, owner: str | None) -> None:
    key = ProjectKey(stores.create(owner="ann").id, owner)

    with pytest.raises(ProjectNotFound):
        stores.projects.restore_project(key)
    with pytest.raises(ProjectNotFound):
        stores.projects.restore_project(ProjectKey(new_id(), owner))


def test_nobody_brings_back_somebody_elses_project(stores: Stores) -> None:
    key = stores.create(owner="ann")
    stores.projects.delete_project(key)

    with pytest.raises(ProjectNotFound):
        stores.projects.restore_project(ProjectKey(key.id, "bob"))
    with pytest.raises(ProjectNotFound):
        stores.projects.get_summary(key)


def test_a_restoration_that_is_sent_twice_counts_once(stores: Stores) -> None:
    key, write_id = stores.create(), new_write_id()
    stores.projects.delete_project(key)

    for _ in range(2):
        stores.projects.restore_project(key, write_id=write_id)

    assert stores.projects.get_summary(key).version == 3


def test_a_video_is_recorded_with_its_duration_and_the_address_of_its_thumbnail(stores: Stores) -> None:
    key, video = stores.create(), video_record(duration=3.04)

    replaced = stores.projects.set_video(key, video)

    project = stores.projects.get_project(key)
    assert (replaced, project.video) == (None, video)
    assert (project.duration, project.thumbnail, project.version) == (3.04, f"/media/{key.id}/thumbnail", 2)


def test_a_second_video_hands_back_the_one_that_it_replaced(stores: Stores) -> None:
    key = stores.create()
    stores.projects.set_video(key, video_record("first"))

    replaced = stores.projects.set_video(key, video_record("second"))

    assert replaced == video_record("first")
    assert stores.projects.get_project(key).video == video_record("second")


def test_recording_the_same_file_again_hands_nothing_back(stores: Stores) -> None:
    key = stores.create()
    stores.projects.set_video(key, video_record("first"))

    assert stores.projects.set_video(key, video_record("first")) is None


def test_the_owner_of_a_project_is_found_also_in_the_trash(stores: Stores) -> None:
    key = stores.create(owner="ann")
    stores.projects.delete_project(key)

    assert stores.projects.find_owner(key.id) == "ann"
    assert stores.projects.find_owner(new_id()) is None
