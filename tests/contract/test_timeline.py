"""Contract 4.1 to 4.3: what is saved as a timeline comes back exactly."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.contract.calls import UNKNOWN_ID, history, save
from tests.contract.conftest import Film
from tests.contract.shapes import (
    EMPTY_STATE,
    STATE_KEYS,
    STORE_KEYS_OF_THE_OLDEST_FRONTEND,
    VERSION_KEYS,
    JsonObject,
    assert_success,
    assert_version,
    exactly,
)
from tests.contract.timelines import AWKWARD_STATES, make_clip, make_state
from tests.errors_shape import assert_error, assert_field_refused
from tests.media_samples import decoded_duration


def opened(client: FlaskClient, project_id: str) -> JsonObject:
    data: JsonObject = assert_success(client.get(f"/timeline/{project_id}"))
    return data


def test_a_new_project_has_an_empty_timeline(client: FlaskClient, project_id: str) -> None:
    data = opened(client, project_id)

    assert exactly(data["timeline_state"]) == exactly(EMPTY_STATE)
    assert {key: data[key] for key in STATE_KEYS} == EMPTY_STATE
    assert set(data) == STATE_KEYS | VERSION_KEYS


def test_an_opened_timeline_has_its_state_below_data_and_once_more_below_that(client: FlaskClient, project_id: str) -> None:
    state = make_state()
    document = save(client, project_id, state, "Rough cut")

    data = opened(client, project_id)

    assert set(data) == STATE_KEYS | VERSION_KEYS
    assert exactly(data["timeline_state"]) == exactly(state)
    assert exactly({key: data[key] for key in state}) == exactly(state)
    assert {key: data[key] for key in VERSION_KEYS} == document


def test_the_envelope_has_no_key_that_the_oldest_frontend_would_copy_over_its_store(
    client: FlaskClient, project_id: str
) -> None:
    save(client, project_id, make_state(undoStack=[1], trimState={}))

    body = client.get(f"/timeline/{project_id}").get_json()

    assert not set(body) & STORE_KEYS_OF_THE_OLDEST_FRONTEND


def test_an_unknown_project_has_no_timeline(client: FlaskClient) -> None:
    error = assert_error(client.get(f"/timeline/{UNKNOWN_ID}"), 404, "project_not_found")

    assert error["error"] == "Project not found"


@pytest.mark.parametrize("name", AWKWARD_STATES)
def test_a_timeline_comes_back_exactly(client: FlaskClient, project_id: str, name: str) -> None:
    state = AWKWARD_STATES[name]
    sent = exactly(state)

    document = save(client, project_id, state, "One")
    save(client, project_id, make_state(make_clip("between")), "Two")
    restored = assert_success(client.post(f"/timeline/{project_id}/restore/1"))

    assert exactly(document["timeline_state"]) == sent
    assert exactly(restored["timeline_state"]) == sent
    assert exactly(opened(client, project_id)["timeline_state"]) == sent
    assert exactly(assert_success(client.get(f"/projects/{project_id}"))["timeline_state"]) == sent
    assert exactly(assert_success(client.get(f"/timeline/{project_id}/current"))["timeline_state"]) == sent
    assert exactly(assert_success(client.get(f"/timeline/{project_id}/version/1"))["timeline_state"]) == sent


def test_the_state_comes_back_flat_when_it_has_keys_of_its_own(client: FlaskClient, project_id: str) -> None:
    save(client, project_id, make_state(theme="dark"))

    assert opened(client, project_id)["theme"] == "dark"


def test_a_state_with_the_names_of_a_versions_keys_hides_none_of_them(client: FlaskClient, project_id: str) -> None:
    state = make_state(version="mine", description="mine", project_id="mine", _id="mine", timeline_state="mine")
    document = save(client, project_id, state, "Theirs")

    data = opened(client, project_id)

    assert exactly(data["timeline_state"]) == exactly(state)
    assert (data["version"], data["description"], data["project_id"]) == (1, "Theirs", project_id)
    assert data["_id"] == document["_id"]
    # A key given twice would be read differently by different parsers.
    json.loads(client.get(f"/timeline/{project_id}").get_data(), object_pairs_hook=no_duplicates)


def test_a_large_timeline_comes_back_exactly(client: FlaskClient, project_id: str) -> None:
    state = make_state(*(make_clip(f"clip-{number}", start_time=number / 7) for number in range(2000)))

    save(client, project_id, state)

    assert exactly(opened(client, project_id)["timeline_state"]) == exactly(state)


@pytest.mark.parametrize(("project_key", "state_key"), [("project_id", "timeline_state"), ("projectId", "timelineState")])
def test_the_oldest_way_of_saving_stores_the_timeline_in_both_spellings(
    client: FlaskClient, project_id: str, project_key: str, state_key: str
) -> None:
    state = make_state()

    response = client.post("/timeline/save", json={project_key: project_id, state_key: state})

    assert assert_success(response, "Timeline saved successfully") is None
    assert exactly(opened(client, project_id)["timeline_state"]) == exactly(state)


@pytest.mark.parametrize(("project_key", "state_key"), [("project_id", "timeline_state"), ("projectId", "timelineState")])
def test_a_save_answers_with_the_version_that_it_made(
    client: FlaskClient, project_id: str, project_key: str, state_key: str
) -> None:
    state = make_state()
    body = {project_key: project_id, state_key: state, "description": "Rough cut", "change_summary": "All new"}

    document = assert_success(client.post("/timeline/", json=body, headers={"X-User-Id": "ann"}))

    assert_version(document)
    assert document["project_id"] == project_id
    assert document["version"] == 1
    assert document["is_current"] is True
    assert document["description"] == "Rough cut"
    assert document["change_summary"] == "All new"
    assert document["created_by"] == "ann"
    assert exactly(document["timeline_state"]) == exactly(state)


def test_a_save_needs_no_words(client: FlaskClient, project_id: str) -> None:
    document = assert_success(client.post("/timeline/", json={"project_id": project_id, "timeline_state": make_state()}))

    assert document["description"] is None
    assert document["change_summary"] is None


def test_keys_around_the_state_that_nobody_knows_are_ignored(client: FlaskClient, project_id: str) -> None:
    body = {"project_id": project_id, "timeline_state": make_state(), "version": 99, "is_current": False, "new": {"$a": 1}}

    document = assert_success(client.post("/timeline/", json=body))

    assert document["version"] == 1
    assert document["is_current"] is True


@pytest.mark.parametrize("path", ["/timeline/", "/timeline/save"])
def test_nothing_can_be_saved_to_an_unknown_project(client: FlaskClient, path: str) -> None:
    body = {"project_id": UNKNOWN_ID, "timeline_state": make_state()}

    error = assert_error(client.post(path, json=body), 404, "project_not_found")

    assert error["error"] == "Project not found"


def test_a_save_counts_as_a_change_of_the_project(client: FlaskClient, project_id: str) -> None:
    before = assert_success(client.get(f"/projects/{project_id}"))

    save(client, project_id, make_state())

    after = assert_success(client.get(f"/projects/{project_id}"))
    assert after["version"] == before["version"] + 1
    assert after["updated_at"] >= before["updated_at"]


def test_clearing_by_the_projects_id_leaves_an_empty_timeline_and_the_history(client: FlaskClient, project_id: str) -> None:
    state = make_state()
    save(client, project_id, state, "Precious")

    assert assert_success(client.delete(f"/timeline/{project_id}"), "Timeline deleted successfully") is None

    assert exactly(opened(client, project_id)["timeline_state"]) == exactly(EMPTY_STATE)
    assert [entry["version"] for entry in history(client, project_id)] == [2, 1]
    restored = assert_success(client.post(f"/timeline/{project_id}/restore/1"))
    assert exactly(restored["timeline_state"]) == exactly(state)


def test_a_new_projects_timeline_can_be_cleared_too(client: FlaskClient, project_id: str) -> None:
    assert assert_success(client.delete(f"/timeline/{project_id}"), "Timeline deleted successfully") is None


@pytest.mark.parametrize(
    ("query", "seconds"),
    [("", 3.0), ("?start_time=0.0&end_time=10.0&quality=medium", 3.0), ("?start_time=0.2&end_time=0.6&quality=low", 0.4)],
)
def test_a_preview_is_rendered(client: FlaskClient, film: Film, query: str, seconds: float) -> None:
    data = assert_success(client.post(f"/timeline/{film.id}/render-preview{query}"))

    assert set(data) == {"path", "url", "duration"}
    assert data["duration"] == pytest.approx(seconds, abs=0.02)
    with client.get(data["url"]) as file:
        assert (file.status_code, file.mimetype) == (200, "video/mp4")


@pytest.mark.parametrize("query", ["start_time=abc", "end_time=abc", "start_time=nan", "end_time=inf", "start_time=-1"])
def test_a_preview_wants_numbers(client: FlaskClient, film: Film, query: str) -> None:
    body = assert_error(client.post(f"/timeline/{film.id}/render-preview?{query}"), 422, "validation_failed")

    assert body["detail"][0]["loc"] == ["query", query.partition("=")[0]]


def test_a_timeline_is_exported(client: FlaskClient, film: Film) -> None:
    data = assert_success(client.post(f"/timeline/{film.id}/export"))

    # Nothing was saved, so nothing was cut: this is the video as it came.
    assert data == {"path": film.file_path, "url": f"/static/{film.file_path}", "duration": pytest.approx(3.0, abs=0.05)}


def test_what_is_exported_is_the_saved_timeline_with_its_gaps(
    client: FlaskClient, filmed_id: str, media_dir: Path
) -> None:
    clips = [make_clip(start_time=0.4, duration=0.2, original_start_time=0.6), make_clip(start_time=0.8, duration=0.2)]
    state = make_state()
    state["layers"] = [{**state["layers"][0], "type": "video", "is_main_video": True, "clips": clips}]
    save(client, filmed_id, state)

    data = assert_success(client.post(f"/timeline/{filmed_id}/export"), "Timeline exported successfully")

    assert data["duration"] == pytest.approx(1.0, abs=0.02)
    assert decoded_duration(media_dir / data["path"]) == pytest.approx(1.0, abs=0.02)
    assert data["path"].startswith("trimmed/")


def test_where_the_timeline_shows_nothing_there_is_nothing_to_render(client: FlaskClient, film: Film) -> None:
    query = "start_time=50&end_time=60"

    assert_error(client.post(f"/timeline/{film.id}/render-preview?{query}"), 422, "validation_failed")


def test_a_quality_that_does_not_exist_is_named(client: FlaskClient, film: Film) -> None:
    assert_field_refused(client.post(f"/timeline/{film.id}/render-preview?quality=best"), "query", "quality")


@pytest.mark.parametrize("address", ["render-preview", "export"])
def test_nothing_is_rendered_without_a_video(client: FlaskClient, project_id: str, address: str) -> None:
    assert_error(client.post(f"/timeline/{project_id}/{address}"), 404, "video_not_found")


def no_duplicates(pairs: list[tuple[str, Any]]) -> JsonObject:
    keys = [key for key, _ in pairs]
    assert len(keys) == len(set(keys)), keys
    return dict(pairs)
