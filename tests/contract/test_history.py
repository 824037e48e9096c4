"""Contract 4.4 and 4.5: every save is a version, and any version can be brought back."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.contract.calls import UNKNOWN_ID, create_project, history, save
from tests.contract.shapes import VERSION_KEYS, JsonObject, assert_success, assert_version, exactly
from tests.contract.timelines import make_clip, make_state
from tests.errors_shape import assert_error


def state(name: str | int) -> JsonObject:
    return make_state(make_clip(f"clip-{name}"))


def versions(client: FlaskClient, project_id: str, query: str = "") -> list[int]:
    return [entry["version"] for entry in history(client, project_id, query)]


def clip_of(data: JsonObject) -> str:
    identity: str = data["timeline_state"]["layers"][0]["clips"][0]["id"]
    return identity


def save_three(client: FlaskClient) -> str:
    project_id = create_project(client)
    for name in ("One", "Two", "Three"):
        save(client, project_id, state(name), name)
    return project_id


@pytest.fixture
def saved_id(client: FlaskClient) -> str:
    """A project with three versions, named One to Three."""
    return save_three(client)


@pytest.fixture(scope="module")
def kept_id(app: Flask) -> str:
    """A project with three versions that no story changes."""
    return save_three(app.test_client())


def test_a_new_project_has_no_history(client: FlaskClient, project_id: str) -> None:
    assert assert_success(client.get(f"/timeline/{project_id}/history")) == []


def test_history_has_the_newest_version_first(client: FlaskClient, kept_id: str) -> None:
    entries = history(client, kept_id)

    for entry in entries:
        assert_version(entry)
        assert entry["project_id"] == kept_id
    assert [entry["version"] for entry in entries] == [3, 2, 1]
    assert [entry["description"] for entry in entries] == ["Three", "Two", "One"]
    assert [entry["is_current"] for entry in entries] == [True, False, False]
    assert len({entry["_id"] for entry in entries}) == 3


def test_a_first_page_of_history_holds_twenty_with_the_highest_version(client: FlaskClient, project_id: str) -> None:
    for number in range(1, 23):
        save(client, project_id, state(number), f"Save {number}")

    assert versions(client, project_id) == list(range(22, 2, -1))
    assert versions(client, project_id, "?limit=20&skip=20") == [2, 1]
    assert versions(client, project_id, "?limit=3&skip=1") == [21, 20, 19]
    assert versions(client, project_id, "?skip=22") == []


def test_quick_saves_of_different_states_are_versions_too(client: FlaskClient, project_id: str) -> None:
    for number in range(3):
        save(client, project_id, state(number), "Quick Save")

    assert versions(client, project_id) == [3, 2, 1]


def test_an_unknown_project_has_no_history(client: FlaskClient) -> None:
    assert_error(client.get(f"/timeline/{UNKNOWN_ID}/history"), 404, "project_not_found")


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=abc", "skip=-1", "skip=abc", "limit=1.5"])
def test_a_page_of_history_is_bounded(client: FlaskClient, kept_id: str, query: str) -> None:
    body = assert_error(client.get(f"/timeline/{kept_id}/history?{query}"), 422, "validation_failed")

    assert body["detail"][0]["loc"] == ["query", query.partition("=")[0]]


def test_restoring_an_older_version_makes_a_copy_of_it_the_highest(client: FlaskClient, saved_id: str) -> None:
    restored = assert_success(client.post(f"/timeline/{saved_id}/restore/1"))

    assert_version(restored)
    assert restored["version"] == 4
    assert restored["is_current"] is True
    assert exactly(restored["timeline_state"]) == exactly(state("One"))
    assert versions(client, saved_id) == [4, 3, 2, 1]
    assert clip_of(assert_success(client.get(f"/timeline/{saved_id}"))) == "clip-One"


def test_a_restored_version_survives_the_reload_that_restores_the_highest(client: FlaskClient, saved_id: str) -> None:
    client.post(f"/timeline/{saved_id}/restore/1")

    highest = max(versions(client, saved_id))
    reloaded = assert_success(client.post(f"/timeline/{saved_id}/restore/{highest}"))

    assert clip_of(reloaded) == "clip-One"


def test_restoring_the_current_version_changes_nothing_however_often(client: FlaskClient, kept_id: str) -> None:
    before = [client.get(f"/timeline/{kept_id}").get_data(), client.get(f"/projects/{kept_id}").get_data()]
    entries = history(client, kept_id)

    answers = [assert_success(client.post(f"/timeline/{kept_id}/restore/3")) for _ in range(3)]

    assert [answer["version"] for answer in answers] == [3, 3, 3]
    assert all(clip_of(answer) == "clip-Three" for answer in answers)
    assert history(client, kept_id) == entries
    assert before == [client.get(f"/timeline/{kept_id}").get_data(), client.get(f"/projects/{kept_id}").get_data()]


def test_a_restore_demands_neither_a_body_nor_a_content_type(client: FlaskClient, saved_id: str) -> None:
    for options in ({}, {"data": b"", "content_type": "application/json"}, {"data": b"x", "content_type": "text/plain"}):
        assert_version(assert_success(client.post(f"/timeline/{saved_id}/restore/2", **options)))


@pytest.mark.parametrize("version", ["4", "0", "99999999999", "99999999999999999999999", "abc", "-1", "1.0"])
def test_a_version_that_is_not_there_cannot_be_restored(client: FlaskClient, kept_id: str, version: str) -> None:
    response = client.post(f"/timeline/{kept_id}/restore/{version}")

    code = "timeline_version_not_found" if version.isdigit() else "not_found"
    assert_error(response, 404, code)
    assert versions(client, kept_id) == [3, 2, 1]


def test_the_current_version_is_shown_as_a_document(client: FlaskClient, kept_id: str) -> None:
    current = assert_success(client.get(f"/timeline/{kept_id}/current"))

    assert_version(current)
    assert current["version"] == 3
    assert clip_of(current) == "clip-Three"


def test_a_new_project_has_no_current_version(client: FlaskClient, project_id: str) -> None:
    assert_error(client.get(f"/timeline/{project_id}/current"), 404, "timeline_version_not_found")


def test_each_version_can_be_looked_at(client: FlaskClient, kept_id: str) -> None:
    shown = [assert_success(client.get(f"/timeline/{kept_id}/version/{number}")) for number in (1, 2, 3)]

    assert [clip_of(document) for document in shown] == ["clip-One", "clip-Two", "clip-Three"]
    assert [document["is_current"] for document in shown] == [False, False, True]
    for document in shown:
        assert_version(document)


@pytest.mark.parametrize("version", ["0", "4", "99999999999999999999999"])
def test_a_version_that_is_not_there_cannot_be_looked_at(client: FlaskClient, kept_id: str, version: str) -> None:
    assert_error(client.get(f"/timeline/{kept_id}/version/{version}"), 404, "timeline_version_not_found")


def test_the_words_of_a_version_are_changed_in_place(client: FlaskClient, saved_id: str) -> None:
    third, second, _ = history(client, saved_id)

    for entry in (third, second):
        body = {"description": "Better", "change_summary": "Colours"}
        changed = assert_success(client.put(f"/timeline/{entry['_id']}", json=body))
        assert set(changed) == VERSION_KEYS
        assert changed["_id"] == entry["_id"]
        assert changed["version"] == entry["version"]

    assert [entry["description"] for entry in history(client, saved_id)] == ["Better", "Better", "One"]
    current = assert_success(client.get(f"/timeline/{saved_id}/current"))
    assert current["change_summary"] == "Colours"
    assert clip_of(current) == "clip-Three"


def test_a_changed_state_is_a_new_version(client: FlaskClient, saved_id: str) -> None:
    current = history(client, saved_id)[0]

    changed = assert_success(client.put(f"/timeline/{current['_id']}", json={"timeline_state": state("Four")}))

    assert_version(changed)
    assert changed["version"] == 4
    assert clip_of(assert_success(client.get(f"/timeline/{saved_id}"))) == "clip-Four"
    assert clip_of(assert_success(client.get(f"/timeline/{saved_id}/version/3"))) == "clip-Three"


@pytest.mark.parametrize("identity", [UNKNOWN_ID, "not-an-object-id", "%00", "x" * 300])
def test_a_version_document_that_is_not_there_cannot_be_changed(client: FlaskClient, identity: str) -> None:
    assert_error(client.put(f"/timeline/{identity}", json={"description": "x"}), 404, "timeline_version_not_found")


def test_an_earlier_version_is_deleted_by_its_documents_id(client: FlaskClient, saved_id: str) -> None:
    second = history(client, saved_id)[1]

    assert assert_success(client.delete(f"/timeline/{second['_id']}"), "Timeline deleted successfully") is None

    assert versions(client, saved_id) == [3, 1]
    assert_error(client.get(f"/timeline/{saved_id}/version/2"), 404, "timeline_version_not_found")
    assert_error(client.delete(f"/timeline/{second['_id']}"), 404, "project_not_found")
    assert clip_of(assert_success(client.get(f"/timeline/{saved_id}/version/1"))) == "clip-One"


def test_the_number_of_a_deleted_version_is_not_given_again(client: FlaskClient, saved_id: str) -> None:
    second = history(client, saved_id)[1]
    client.delete(f"/timeline/{second['_id']}")

    assert save(client, saved_id, state("Four"))["version"] == 4


def test_the_current_version_cannot_be_deleted(client: FlaskClient, kept_id: str) -> None:
    current = history(client, kept_id)[0]

    assert_error(client.delete(f"/timeline/{current['_id']}"), 409, "conflict")

    assert versions(client, kept_id) == [3, 2, 1]


def test_saves_at_the_same_time_are_all_kept_under_numbers_of_their_own(app: Flask) -> None:
    project_id = create_project(app.test_client())

    def save_some(editor: int) -> list[int]:
        client = app.test_client()
        return [save(client, project_id, state(f"{editor}-{number}"))["version"] for number in range(4)]

    with ThreadPoolExecutor(4) as editors:
        given = [version for versions in editors.map(save_some, range(4)) for version in versions]

    assert sorted(given) == list(range(1, 17))
    assert versions(app.test_client(), project_id) == list(range(16, 0, -1))
    clips = {clip_of(assert_success(app.test_client().get(f"/timeline/{project_id}/version/{n}"))) for n in given}
    assert len(clips) == 16


def test_page_opens_at_the_same_time_make_no_versions(app: Flask) -> None:
    project_id = create_project(app.test_client())
    save(app.test_client(), project_id, state("One"))

    def open_page(_: int) -> int:
        version: int = assert_success(app.test_client().post(f"/timeline/{project_id}/restore/1"))["version"]
        return version

    with ThreadPoolExecutor(4) as tabs:
        assert list(tabs.map(open_page, range(8))) == [1] * 8

    assert versions(app.test_client(), project_id) == [1]
