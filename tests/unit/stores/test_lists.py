"""Lists of projects: pages that stay stable while others write, filters and orders from an allow-list, owners apart."""

from __future__ import annotations

import base64
import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson
import pytest
from bson import ObjectId

from projectapi.errors import ValidationFailed
from projectapi.project import ListQuery, Project, ProjectKey, SortField, new_id
from tests.harness.stores import Stores, save

NAMES = ["banana", "Apple", "cherry", "apple", "Äpfel", "cherry", "10", "9"]


@pytest.fixture
def owner(stores: Stores) -> str:
    """Somebody with a project of each of `NAMES`."""
    owner = new_id()
    for name in NAMES:
        stores.create(name, owner=owner)
    return owner


def pages(stores: Stores, query: ListQuery, between: Callable[[], Any] = lambda: None) -> list[Project]:
    """Return all pages of a list one behind the other; `between` runs after each."""
    projects: list[Project] = []
    for _ in range(100):
        page = stores.projects.list_projects(query)
        assert len(page.projects) <= query.limit
        projects += page.projects
        if page.next is None:
            return projects
        query = replace(query, after=page.next)
        between()
    raise AssertionError("the list does not end")


def test_a_list_holds_the_owners_projects_and_nobody_elses(stores: Stores, owner: str) -> None:
    stores.create("somebody else's")

    listed = stores.projects.list_projects(ListQuery(owner=owner)).projects

    assert sorted(project.name for project in listed) == sorted(NAMES)
    assert stores.projects.list_projects(ListQuery(owner=new_id())).projects == []


def test_the_project_that_changed_last_comes_first(stores: Stores, owner: str) -> None:
    listed = stores.projects.list_projects(ListQuery(owner=owner)).projects
    oldest = ProjectKey(listed[-1].id)

    stores.timelines.save_timeline(oldest, save())

    first = stores.projects.list_projects(ListQuery(owner=owner, limit=1)).projects[0]
    assert first.id == oldest.id


def test_a_list_never_carries_timelines_or_transcripts(stores: Stores) -> None:
    owner = new_id()
    key = stores.create(owner=owner)
    stores.timelines.save_timeline(key, save())
    stores.give_transcript(key)

    (listed,) = stores.projects.list_projects(ListQuery(owner=owner)).projects

    assert listed == stores.projects.get_summary(key)
    assert (listed.timeline, listed.transcript) == (None, None)


ORDERS = list(itertools.product(SortField, [True, False]))


@pytest.mark.parametrize(("sort", "descending"), ORDERS)
@pytest.mark.parametrize("limit", [1, 3, 8, 50])
def test_the_pages_of_a_list_hold_each_project_once_in_order(
    stores: Stores, owner: str, limit: int, sort: SortField, descending: bool
) -> None:
    listed = pages(stores, ListQuery(owner=owner, limit=limit, sort=sort, descending=descending))

    assert len({project.id for project in listed}) == len(NAMES) == len(listed)
    keys = [getattr(project, sort.value) for project in listed]
    assert keys == sorted(keys, reverse=descending)


@pytest.mark.parametrize(("sort", "descending"), ORDERS)
def test_projects_that_agree_in_what_a_list_is_sorted_by_are_still_paged(
    stores: Stores, sort: SortField, descending: bool
) -> None:
    # Given five projects of the same name and of the same moment
    owner = new_id()
    ids = {stores.create("same", owner=owner).id for _ in range(5)}
    moment = stores.projects.list_projects(ListQuery(owner=owner, limit=1)).projects[0].created_at
    stores.project_documents.update_many({"createdBy": owner}, {"$set": {"createdAt": moment, "updatedAt": moment}})

    listed = pages(stores, ListQuery(owner=owner, limit=2, sort=sort, descending=descending))

    assert {project.id for project in listed} == ids and len(listed) == 5


@pytest.mark.parametrize(("sort", "descending"), ORDERS)
def test_pages_stay_stable_while_others_write(stores: Stores, owner: str, sort: SortField, descending: bool) -> None:
    # Given a reader who pages through the list, and others who create, change and delete between its pages
    everything = stores.projects.list_projects(ListQuery(owner=owner)).projects
    deleted, changed, *untouched = [project.id for project in everything]
    turns = itertools.count()

    def others() -> None:
        turn = next(turns)
        stores.create(f"new {turn}", owner=owner)
        stores.projects.update_project(ProjectKey(changed), {"description": f"changed {turn}"})
        if turn == 0:
            stores.projects.delete_project(ProjectKey(deleted))

    listed = [p.id for p in pages(stores, ListQuery(owner=owner, limit=2, sort=sort, descending=descending), others)]

    # Then nobody's project shows twice, and what was not touched shows
    assert not [id for id in untouched if listed.count(id) != 1]
    assert listed.count(deleted) <= 1
    # What moves to the end of an ascending list while it is read is met there again, as in every keyset.
    assert listed.count(changed) <= (1 if descending or sort is not SortField.UPDATED_AT else len(listed))


def test_a_page_that_ends_where_the_list_ends_has_no_next_page(stores: Stores, owner: str) -> None:
    page = stores.projects.list_projects(ListQuery(owner=owner, limit=len(NAMES)))

    assert (len(page.projects), page.next) == (len(NAMES), None)


def test_the_trash_is_a_list_of_its_own(stores: Stores, owner: str) -> None:
    first, *rest = stores.projects.list_projects(ListQuery(owner=owner)).projects
    stores.projects.delete_project(ProjectKey(first.id))

    trash = stores.projects.list_projects(ListQuery(owner=owner, deleted=True)).projects
    kept = stores.projects.list_projects(ListQuery(owner=owner)).projects

    assert [project.id for project in trash] == [first.id] and trash[0].deleted_at is not None
    assert kept == rest


def test_a_search_looks_into_names_and_descriptions_whatever_the_case(stores: Stores) -> None:
    owner = new_id()
    named = stores.create("My HOLIDAY in Rome", owner=owner)
    described = stores.create("Untitled", owner=owner)
    stores.projects.update_project(described, {"description": "holiday, second part"})
    stores.create("Wedding", owner=owner)

    found = stores.projects.list_projects(ListQuery(owner=owner, search="Holiday")).projects

    assert {project.id for project in found} == {named.id, described.id}


METACHARACTERS = [*".[]\\# -\nß🎬", "a.c", "a*", "(a+)+$", "^a", "a|b", "a?", "{1}", "$where"]


@pytest.mark.parametrize("text", METACHARACTERS)
def test_a_search_finds_the_text_itself_and_never_a_pattern(stores: Stores, text: str) -> None:
    owner = new_id()
    wanted = stores.create(f"x{text}y", owner=owner)
    for name in ("abc", "xy", "aaaaaaaaaaaaaaaaaaaaaaaa!", "x\\.y"):
        if text not in name:
            stores.create(name, owner=owner)

    found = stores.projects.list_projects(ListQuery(owner=owner, search=text)).projects

    assert [project.id for project in found] == [wanted.id]


def test_the_pages_of_a_search_hold_what_it_found(stores: Stores, owner: str) -> None:
    found = pages(stores, ListQuery(owner=owner, limit=1, search="PP", sort=SortField.NAME, descending=False))

    assert [project.name for project in found] == ["Apple", "apple"]


def cursor(*parts: Any) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(parts)).decode().rstrip("=")


SOME_ID = str(ObjectId())
FOREIGN = {
    "empty": "",
    "no base64": "!!!",
    "no ascii": "ä",
    "no JSON": base64.urlsafe_b64encode(b"\x00\xff").decode(),
    "a number": base64.urlsafe_b64encode(b"5").decode(),
    "too short": cursor("updated_at", True),
    "too long": cursor("updated_at", True, 0, SOME_ID, 1),
    "another order": cursor("created_at", True, 0, SOME_ID),
    "another direction": cursor("updated_at", False, 0, SOME_ID),
    "a field that is none": cursor("password", True, 0, SOME_ID),
    "a text for a time": cursor("updated_at", True, "0", SOME_ID),
    "an operator for a time": cursor("updated_at", True, {"$gt": ""}, SOME_ID),
    "nothing for a time": cursor("updated_at", True, None, SOME_ID),
    "a time beyond all calendars": cursor("updated_at", True, 2**62, SOME_ID),
    "no id": cursor("updated_at", True, 0, "zzz"),
    "an operator for an id": cursor("updated_at", True, 0, {"$gt": ""}),
    "nothing for an id": cursor("updated_at", True, 0, None),
}


@pytest.mark.parametrize("after", FOREIGN.values(), ids=FOREIGN.keys())
def test_a_cursor_that_this_list_did_not_give_out_is_refused(stores: Stores, after: str) -> None:
    with pytest.raises(ValidationFailed) as refusal:
        stores.projects.list_projects(ListQuery(owner="ann", after=after))

    assert isinstance(refusal.value.detail, list) and refusal.value.detail[0]["loc"] == ["query", "cursor"]


@pytest.mark.parametrize("value", [0, None, {"$gt": ""}, ["a"]])
def test_a_cursor_of_a_list_by_name_must_hold_a_name(stores: Stores, value: Any) -> None:
    query = ListQuery(owner="ann", sort=SortField.NAME, after=cursor("name", True, value, SOME_ID))

    with pytest.raises(ValidationFailed):
        stores.projects.list_projects(query)
