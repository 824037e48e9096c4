"""Several writers at once, each with a connection of its own, on a real server: every save is kept, nobody is told a lie."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any

import pytest

from projectapi.errors import PreconditionFailed, ProjectNotFound, TimelineVersionNotFound
from projectapi.infra.retry import Retry
from projectapi.project import EntityTag, Project, ProjectKey, Revision, Timeline, new_id, new_write_id
from projectapi.stores.collections import PROJECTS, TIMELINE_STATES
from projectapi.timeline.patching import apply_json_patch
from tests.harness.meddling import (
    Delay,
    MeddlingCollection,
    answer_lost,
    answer_lost_and,
    first,
    not_sent,
    then,
    undisturbed,
)
from tests.harness.stores import Stores, at_once, connect, layer, open_stores, prepare, same, save, state, stores_over, tag_of
from tests.media_samples import video_record

WRITERS = 4
SAVES = 50


@pytest.fixture(scope="module")
def database_name(mongodb_uri: str) -> str:
    name = f"tabs_{new_id()}"
    with connect(mongodb_uri) as client:
        prepare(client[name])
    return name


@pytest.fixture(scope="module")
def tabs(mongodb_uri: str, database_name: str) -> Iterator[list[Stores]]:
    """As many applications as there are writers, each with a client of its own."""
    with ExitStack() as stack:
        clients = [stack.enter_context(connect(mongodb_uri)) for _ in range(WRITERS)]
        yield [open_stores(client[database_name]) for client in clients]


@pytest.fixture
def key(tabs: list[Stores]) -> ProjectKey:
    return tabs[0].create()


@pytest.fixture
def other(tabs: list[Stores]) -> Stores:
    """The other tab, where all goes well."""
    return tabs[0]


class Victim:
    """An application between whose steps others write."""

    def __init__(self, stores: Stores) -> None:
        self.projects_collection = MeddlingCollection(stores.database[PROJECTS])
        self.revisions_collection = MeddlingCollection(stores.database[TIMELINE_STATES])
        retry = Retry(first_wait_seconds=0.001)
        made = stores_over(stores.database, self.projects_collection, self.revisions_collection, retry)
        self.projects, self.timelines = made.projects, made.timelines


@pytest.fixture
def victim(tabs: list[Stores]) -> Victim:
    return Victim(tabs[1])


def history(stores: Stores, key: ProjectKey) -> list[Revision]:
    return list(stores.timelines.list_revisions(key, limit=500, with_state=True))


def whole_history(stores: Stores, key: ProjectKey) -> dict[int, Any]:
    """Return the state of each version, after a look that history and the current timeline agree."""
    entries = history(stores, key)
    current = stores.timelines.get_timeline(key)
    versions = [entry.version for entry in entries]
    assert versions == sorted(set(versions), reverse=True)
    assert [entry.version for entry in entries if entry.is_current] == ([current.version] if current else [])
    if current is not None:
        newest = entries[0]
        assert (newest.version, newest.id, newest.description) == (current.version, current.id, current.description)
        assert (newest.change_summary, newest.updated_at) == (current.change_summary, current.updated_at)
        assert same(newest.state, current.state)
    return {entry.version: entry.state for entry in entries}


# Everybody at once


def test_of_four_writers_with_fifty_saves_each_every_save_is_kept_with_its_own_state(
    tabs: list[Stores], key: ProjectKey
) -> None:
    # Given four tabs that save fifty times each, as fast as they can and without a precondition
    def write(writer: int) -> dict[int, Any]:
        saved = {}
        for number in range(SAVES):
            sent = state(number, writer=writer)
            timeline = tabs[writer].timelines.save_timeline(key, save(number, writer=writer))
            saved[timeline.version] = sent
        return saved

    results = at_once(partial(write, writer) for writer in range(WRITERS))

    # Then there are 200 versions, each with the state that its writer sent, and the highest is the current one
    sent: dict[int, Any] = {}
    for result in results:
        assert isinstance(result, dict), result
        assert not sent.keys() & result.keys()
        sent |= result
    assert sorted(sent) == list(range(1, WRITERS * SAVES + 1))
    kept = whole_history(tabs[0], key)
    assert kept.keys() == sent.keys()
    assert [version for version in sent if not same(kept[version], sent[version])] == []


def test_of_many_saves_on_the_same_version_exactly_one_wins(tabs: list[Stores], key: ProjectKey) -> None:
    for round_number in range(5):
        current = tabs[0].timelines.save_timeline(key, save(-1 - round_number))
        attempts = [
            partial(tabs[n % WRITERS].timelines.save_timeline, key, save(n, round=round_number), tag_of(current))
            for n in range(8)
        ]

        results = at_once(attempts)

        (winner,) = [result for result in results if isinstance(result, Timeline)]
        losers = [result for result in results if isinstance(result, PreconditionFailed)]
        assert len(losers) == 7
        assert winner.version == current.version + 1
        assert {loser.headers["ETag"] for loser in losers} == {str(tag_of(winner))}
        assert tabs[0].timelines.get_timeline(key) == winner
    assert list(whole_history(tabs[0], key)) == list(range(10, 0, -1))


def test_of_many_first_saves_exactly_one_is_the_first(tabs: list[Stores], key: ProjectKey) -> None:
    results = at_once(
        partial(tabs[n % WRITERS].timelines.save_timeline, key, save(n), EntityTag(0, "")) for n in range(8)
    )

    assert sorted(type(result).__name__ for result in results) == ["PreconditionFailed"] * 7 + ["Timeline"]


def test_of_many_renames_of_the_same_version_exactly_one_wins(tabs: list[Stores], key: ProjectKey) -> None:
    seen = tabs[0].projects.get_project(key)

    results = at_once(
        partial(tabs[n % WRITERS].projects.update_project, key, {"name": f"name {n}"}, tag_of(seen)) for n in range(8)
    )

    (winner,) = [result for result in results if isinstance(result, Project)]
    assert sum(isinstance(result, PreconditionFailed) for result in results) == 7
    assert tabs[0].projects.get_project(key) == winner and winner.version == seen.version + 1


def test_edits_of_different_clips_at_once_are_all_in_the_end(tabs: list[Stores], key: ProjectKey) -> None:
    tabs[0].timelines.save_timeline(key, save(clips=8))

    def move(clip: int) -> Timeline:
        operations = [{"op": "replace", "path": f"/layers/0/clips/{clip}/start_time", "value": 1000 + clip}]
        stores = tabs[clip % WRITERS]
        return stores.timelines.edit_timeline(key, lambda old: apply_json_patch(old, operations), saved_by="ann")

    results = at_once(partial(move, clip) for clip in range(8))

    assert sorted(result.version for result in results) == list(range(2, 10))
    newest = whole_history(tabs[0], key)[9]
    assert [clip["start_time"] for clip in newest["layers"][0]["clips"]] == [1000 + clip for clip in range(8)]


def test_the_same_save_sent_many_times_at_once_is_one_version(tabs: list[Stores], key: ProjectKey) -> None:
    for round_number in range(5):
        write_id = new_write_id()
        again = [
            partial(tabs[n % WRITERS].timelines.save_timeline, key, save(round_number), write_id=write_id)
            for n in range(6)
        ]
        others = [partial(tabs[n].timelines.save_timeline, key, save(n, round=round_number)) for n in range(2)]

        results = at_once([*again, *others])

        assert len({result.version for result in results[:6]}) == 1, results
    assert len(whole_history(tabs[0], key)) == 15


def test_the_same_creation_sent_many_times_at_once_is_one_project(tabs: list[Stores]) -> None:
    owner, write_id = new_id(), new_write_id()
    create = [
        partial(tabs[n % WRITERS].projects.create_project, name="x", description=None, owner=owner, write_id=write_id)
        for n in range(8)
    ]

    results = at_once(create)

    assert len({result.id for result in results}) == 1, results
    assert tabs[0].project_documents.count_documents({"createdBy": owner}) == 1


def test_descriptions_deletions_and_saves_at_once_leave_a_history_that_agrees_with_itself(
    tabs: list[Stores], key: ProjectKey
) -> None:
    # Given a history of twenty versions, and tabs that save, rename the newest and delete the others all at once
    saved = [tabs[0].timelines.save_timeline(key, save(number)) for number in range(20)]
    seen = [tabs[0].timelines.find_revision(timeline.id) for timeline in saved]

    def save_on() -> None:
        for number in range(20):
            tabs[0].timelines.save_timeline(key, save(100 + number))

    def describe(tab: int) -> None:
        for number in range(15):
            current = tabs[tab].timelines.get_timeline(key)
            assert current is not None
            revision = tabs[tab].timelines.find_revision(current.id)
            tabs[tab].timelines.describe_revision(revision, {"description": f"tab {tab} number {number}"})

    def delete() -> None:
        for revision in seen[:-1]:
            tabs[3].timelines.delete_revision(revision)

    results = at_once([save_on, partial(describe, 1), partial(describe, 2), delete])

    # Then what was deleted stays deleted, what was saved is there, and current and history say the same
    assert results == [None] * 4
    assert sorted(whole_history(tabs[0], key)) == list(range(20, 41))


# Somebody writes between our read and our write

MEDDLERS: dict[str, Callable[[Stores, ProjectKey], Any]] = {
    "saves": lambda other, key: other.timelines.save_timeline(key, save(99)),
    "renames the version": lambda other, key: other.timelines.describe_revision(
        other.timelines.list_revisions(key, limit=1)[0], {"description": "renamed"}
    ),
    "restores": lambda other, key: other.timelines.restore_revision(key, 1, restored_by="bob"),
}


@pytest.mark.parametrize("meddler", MEDDLERS)
def test_a_save_on_a_version_that_changes_under_it_is_refused_and_loses_nothing(
    other: Stores, victim: Victim, key: ProjectKey, meddler: str
) -> None:
    for playhead in (1, 2):
        seen = other.timelines.save_timeline(key, save(playhead))
    victim.projects_collection.plan("update_one", first(lambda: MEDDLERS[meddler](other, key)))

    with pytest.raises(PreconditionFailed) as refusal:
        victim.timelines.save_timeline(key, save(3), tag_of(seen))

    current = other.timelines.get_timeline(key)
    assert current is not None and refusal.value.headers["ETag"] == str(tag_of(current))
    assert not any(same(kept, state(3)) for kept in whole_history(other, key).values())


@pytest.mark.parametrize("meddler", MEDDLERS)
def test_a_save_without_a_precondition_comes_last_and_loses_nothing_either(
    other: Stores, victim: Victim, key: ProjectKey, meddler: str
) -> None:
    for playhead in (1, 2):
        other.timelines.save_timeline(key, save(playhead))
    victim.projects_collection.plan("update_one", first(lambda: MEDDLERS[meddler](other, key)))

    mine = victim.timelines.save_timeline(key, save(3))

    assert other.timelines.get_timeline(key) == mine
    kept = whole_history(other, key)
    assert sorted(kept) == list(range(1, mine.version + 1))
    assert (meddler == "renames the version") == (other.timelines.get_revision(key, 2).description == "renamed")


def test_a_rename_of_the_project_is_no_reason_to_refuse_a_save_of_its_timeline(
    other: Stores, victim: Victim, key: ProjectKey
) -> None:
    seen = other.timelines.save_timeline(key, save(1))
    rename = first(lambda: other.projects.update_project(key, {"name": "new"}))
    victim.projects_collection.plan("update_one", rename)

    victim.timelines.save_timeline(key, save(2), tag_of(seen))

    project = other.projects.get_project(key)
    assert project.name == "new" and project.timeline is not None and project.timeline.version == 2


def test_a_save_into_a_project_that_goes_into_the_trash_under_it_does_not_show(
    other: Stores, victim: Victim, key: ProjectKey
) -> None:
    other.timelines.save_timeline(key, save(1))
    victim.projects_collection.plan("update_one", first(lambda: other.projects.delete_project(key)))

    with pytest.raises(ProjectNotFound):
        victim.timelines.save_timeline(key, save(2))

    other.projects.restore_project(key)
    assert list(whole_history(other, key)) == [1]


@pytest.mark.parametrize("saves", [3, 16, 17])
def test_a_version_that_is_deleted_under_a_save_stays_deleted(
    other: Stores, victim: Victim, key: ProjectKey, saves: int
) -> None:
    # Sixteen is how many versions a project lists until the next save settles them
    first_saved, *_ = [other.timelines.save_timeline(key, save(playhead)) for playhead in range(saves)]
    revision = other.timelines.find_revision(first_saved.id)
    victim.revisions_collection.plan("replace_one", first(lambda: other.timelines.delete_revision(revision)))

    victim.timelines.save_timeline(key, save(99))

    for playhead in range(100, 120):
        other.timelines.save_timeline(key, save(playhead))
    assert sorted(whole_history(other, key)) == list(range(2, saves + 22))
    with pytest.raises(TimelineVersionNotFound):
        other.timelines.find_revision(first_saved.id)


def test_an_update_on_a_version_that_changes_under_it_is_refused(other: Stores, victim: Victim, key: ProjectKey) -> None:
    seen = other.projects.get_project(key)
    rename = first(lambda: other.projects.update_project(key, {"name": "theirs"}))
    victim.projects_collection.plan("find_one_and_update", rename)

    with pytest.raises(PreconditionFailed):
        victim.projects.update_project(key, {"name": "mine"}, tag_of(seen))

    assert other.projects.get_project(key).name == "theirs"


@pytest.mark.parametrize(
    ("where", "step"), [("projects", "find_one"), ("revisions", "replace_one"), ("projects", "update_one")]
)
@pytest.mark.parametrize("before", [True, False], ids=["another before it", "none before it"])
@pytest.mark.parametrize("after", [True, False], ids=["another after it", "none after it"])
def test_a_save_that_is_done_under_its_own_repetition_is_one_version(
    other: Stores, victim: Victim, key: ProjectKey, where: str, step: str, before: bool, after: bool
) -> None:
    # Given a save whose repetition gets to another worker, which is quicker, and perhaps other saves besides
    write_id, done = new_write_id(), []

    def repetition() -> None:
        if before:
            other.timelines.save_timeline(key, save(8))
        done.append(other.timelines.save_timeline(key, save(1), write_id=write_id))
        if after:
            other.timelines.save_timeline(key, save(9))

    getattr(victim, f"{where}_collection").plan(step, first(repetition))

    # When the slower worker goes on
    mine = victim.timelines.save_timeline(key, save(1), write_id=write_id)

    # Then both name the same version, and the history is as if it had been sent once
    assert (mine.version, mine.id, mine.tag) == (done[0].version, done[0].id, done[0].tag)
    expected = [state(playhead) for playhead in [8] * before + [1] + [9] * after]
    kept = whole_history(other, key)
    assert sorted(kept) == list(range(1, len(expected) + 1))
    assert all(same(kept[number], sent) for number, sent in enumerate(expected, 1))


def test_a_repetition_that_looks_while_the_first_sending_is_done_names_the_same_version(
    other: Stores, victim: Victim, key: ProjectKey
) -> None:
    # Given a save that lost the race for version 1, whose repetition makes version 2 of it while this one looks
    write_id, done = new_write_id(), []
    victim.projects_collection.plan("update_one", first(lambda: other.timelines.save_timeline(key, save(8))))
    repetition = then(lambda: done.append(other.timelines.save_timeline(key, save(1), write_id=write_id)))
    victim.revisions_collection.plan("find_one", undisturbed, repetition)

    mine = victim.timelines.save_timeline(key, save(1), write_id=write_id)

    assert (mine.version, mine.tag) == (done[0].version, done[0].tag) == (2, write_id)
    assert list(whole_history(other, key)) == [2, 1]


def test_a_save_whose_repetition_found_that_it_adds_nothing_names_the_version_that_holds_its_content(
    other: Stores, victim: Victim, key: ProjectKey
) -> None:
    # Given a save under which somebody saves the same content, so that its repetition adds nothing
    write_id, noted = new_write_id(), []

    def overtake() -> None:
        other.timelines.save_timeline(key, save(8))
        other.timelines.save_timeline(key, save(1))
        noted.append(other.timelines.save_timeline(key, save(1), write_id=write_id))

    victim.projects_collection.plan("update_one", first(overtake))

    mine = victim.timelines.save_timeline(key, save(1), write_id=write_id)

    assert (mine.version, mine.id, mine.tag) == (noted[0].version, noted[0].id, noted[0].tag)
    assert list(whole_history(other, key)) == [2, 1]


# Answers that get lost and writes that arrive late


@pytest.mark.parametrize("trouble", [not_sent, answer_lost], ids=["not sent", "answer lost"])
@pytest.mark.parametrize("times", [1, 2])
def test_a_rename_whose_connection_drops_counts_once(
    other: Stores, victim: Victim, key: ProjectKey, trouble: Any, times: int
) -> None:
    seen = other.projects.get_project(key)
    victim.projects_collection.plan("find_one_and_update", *[trouble] * times)

    renamed = victim.projects.update_project(key, {"name": "new"}, tag_of(seen))

    assert (renamed.name, renamed.version) == ("new", seen.version + 1)
    assert other.projects.get_project(key) == renamed


def test_a_rename_that_arrives_after_its_repetition_counts_once(other: Stores, victim: Victim, key: ProjectKey) -> None:
    seen, delay = other.projects.get_project(key), Delay()
    # The look for the first attempt's success finds nothing; then the second attempt and the first arrive
    victim.projects_collection.plan("find_one_and_update", delay.hold)

    victim.projects.update_project(key, {"name": "new"})
    other.projects.update_project(key, {"name": "newer"})
    delay.arrive()

    project = other.projects.get_project(key)
    assert (project.name, project.version) == ("newer", seen.version + 2)


def test_a_rename_that_somebody_overtook_while_its_answer_got_lost_is_no_conflict(
    other: Stores, victim: Victim, key: ProjectKey
) -> None:
    seen = other.projects.get_project(key)
    overtaken = answer_lost_and(lambda: other.projects.update_project(key, {"description": "theirs"}))
    victim.projects_collection.plan("find_one_and_update", overtaken)

    project = victim.projects.update_project(key, {"name": "mine"}, tag_of(seen))

    assert (project.name, project.description, project.version) == ("mine", "theirs", seen.version + 2)


@pytest.mark.parametrize("step", ["replace_one", "update_one"])
@pytest.mark.parametrize("trouble", [not_sent, answer_lost], ids=["not sent", "answer lost"])
@pytest.mark.parametrize("times", [1, 2])
def test_a_save_whose_connection_drops_is_one_version(
    other: Stores, victim: Victim, key: ProjectKey, step: str, trouble: Any, times: int
) -> None:
    seen = other.timelines.save_timeline(key, save(1))
    collection = victim.revisions_collection if step == "replace_one" else victim.projects_collection
    collection.plan(step, *[trouble] * times)

    saved = victim.timelines.save_timeline(key, save(2), tag_of(seen))

    assert saved.version == 2 and other.timelines.get_timeline(key) == saved
    assert sorted(whole_history(other, key)) == [1, 2]


def test_a_save_that_somebody_overtook_while_its_answer_got_lost_is_no_conflict(
    other: Stores, victim: Victim, key: ProjectKey
) -> None:
    seen = other.timelines.save_timeline(key, save(1))
    overtaken = answer_lost_and(lambda: other.timelines.save_timeline(key, save(3)))
    victim.projects_collection.plan("update_one", overtaken)

    mine = victim.timelines.save_timeline(key, save(2), tag_of(seen))

    assert mine.version == 2
    kept = whole_history(other, key)
    assert sorted(kept) == [1, 2, 3] and same(kept[2], state(2)) and same(kept[3], state(3))


def test_a_pointer_that_moves_after_its_repetition_moves_once(other: Stores, victim: Victim, key: ProjectKey) -> None:
    delay = Delay()
    other.timelines.save_timeline(key, save(1))
    victim.projects_collection.plan("update_one", delay.hold)

    victim.timelines.save_timeline(key, save(2))
    other.timelines.save_timeline(key, save(3))
    delay.arrive()

    kept = whole_history(other, key)
    assert sorted(kept) == [1, 2, 3] and same(kept[2], state(2)) and same(kept[3], state(3))


def test_a_revision_that_arrives_late_does_not_undo_what_was_settled_meanwhile(
    other: Stores, victim: Victim, key: ProjectKey
) -> None:
    # Given a save whose first attempt to write the revision hangs somewhere, and whose second gets through
    delay = Delay()
    victim.revisions_collection.plan("replace_one", delay.hold)
    victim.timelines.save_timeline(key, save(1))
    for playhead in range(20):
        other.timelines.save_timeline(key, save(100 + playhead))

    # When the first attempt arrives at last
    delay.arrive()

    # Then version 1 is in the history as before
    assert sorted(whole_history(other, key)) == list(range(1, 22))


def test_a_revision_of_a_lost_race_that_arrives_late_does_not_replace_the_one_that_won(
    other: Stores, victim: Victim, key: ProjectKey
) -> None:
    # Given a save that wants to be version 1, loses to another tab, and becomes version 2
    delay = Delay()
    victim.revisions_collection.plan("replace_one", delay.hold)
    victim.projects_collection.plan("update_one", first(lambda: other.timelines.save_timeline(key, save(1))))

    mine = victim.timelines.save_timeline(key, save(2))
    assert mine.version == 2

    # When what it wrote for version 1 arrives
    delay.arrive()

    # Then its version is still 2
    kept = whole_history(other, key)
    assert sorted(kept) == [1, 2] and same(kept[2], state(2))


def test_a_creation_whose_connection_drops_makes_one_project(other: Stores, victim: Victim) -> None:
    for trouble in (not_sent, answer_lost):
        owner = new_id()
        victim.projects_collection.plan("insert_one", trouble)

        created = victim.projects.create_project(name="x", description=None, owner=owner)

        assert other.projects.get_project(ProjectKey(created.id)) == created
        assert other.project_documents.count_documents({"createdBy": owner}) == 1


def test_a_creation_that_arrives_after_its_repetition_makes_one_project(other: Stores, victim: Victim) -> None:
    owner, delay = new_id(), Delay()
    victim.projects_collection.plan("insert_one", delay.hold)
    created = victim.projects.create_project(name="x", description=None, owner=owner)
    renamed = other.projects.update_project(ProjectKey(created.id), {"name": "y"})

    delay.arrive()

    assert other.projects.get_project(ProjectKey(created.id)) == renamed
    assert other.project_documents.count_documents({"createdBy": owner}) == 1


def test_a_video_that_replaced_ours_while_its_answer_got_lost_is_never_handed_out_for_deletion(
    other: Stores, victim: Victim, key: ProjectKey
) -> None:
    # Given an upload whose answer from the database gets lost, and a second upload right behind it
    replaced = []
    overtaken = answer_lost_and(lambda: replaced.append(other.projects.set_video(key, video_record("second"))))
    victim.projects_collection.plan("find_one_and_update", overtaken)

    # When the first looks for its success and finds the second's video in place
    given_back = victim.projects.set_video(key, video_record("first"))

    # Then the second was given the first's files to delete, and nobody the second's
    assert replaced == [video_record("first")] and given_back is None
    assert other.projects.get_project(key).video == video_record("second")


def test_saves_go_on_while_somebody_reads_history_and_every_look_is_consistent(
    tabs: list[Stores], key: ProjectKey
) -> None:
    done = threading.Event()

    def write() -> None:
        try:
            for number in range(40):
                tabs[0].timelines.save_timeline(key, save(number, layers=[layer(2)]))
        finally:
            done.set()

    def read() -> int:
        looks, highest = 0, 0
        while not done.is_set() or not looks:
            entries = tabs[1].timelines.list_revisions(key, limit=100)
            versions = [entry.version for entry in entries]
            assert versions == list(range(len(versions), 0, -1))
            assert [entry.version for entry in entries if entry.is_current] == versions[:1]
            assert len(versions) >= highest
            looks, highest = looks + 1, len(versions)
        return looks

    written, looks = at_once([write, read])

    assert written is None and isinstance(looks, int) and looks > 3, (written, looks)
