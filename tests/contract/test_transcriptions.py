"""Contract part 6: a project has a transcription, and its segments can be added, corrected and removed one by one."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from projectapi.project import ProjectKey
from projectapi.protocols import Backend
from projectapi.transcript import RecognisedSpeech
from tests.contract.calls import UNKNOWN_ID, create_project
from tests.contract.shapes import assert_success, parse_utc
from tests.errors_shape import assert_error, assert_field_refused

JsonObject = dict[str, Any]

TRANSCRIPTION_KEYS = {
    "_id",
    "project_id",
    "version",
    "segments",
    "language",
    "model_used",
    "processing_time",
    "confidence_score",
    "is_complete",
    "is_edited",
    "speaker_count",
    "speakers",
    "metadata",
    "created_at",
    "updated_at",
}
SEGMENT_KEYS = {
    "id",
    "start_time",
    "end_time",
    "text",
    "words",
    "speaker_id",
    "confidence",
    "is_edited",
    "edited_text",
}
HELLO = {
    "id": "hello",
    "start_time": 0,
    "end_time": 1.5,
    "text": "Um hello",
    "words": [
        {"text": "Um", "start": 0, "end": 0.25, "confidence": 0.5, "is_filler": True},
        {"text": "hello", "start": 0.5, "end": 1.5, "confidence": 1.0, "is_filler": False},
    ],
    "speaker_id": "ann",
    "confidence": 0.75,
}
WORLD = {"id": "world", "start_time": 2, "end_time": 3, "text": "world"}


@pytest.fixture
def transcribed_id(client: FlaskClient, project_id: str) -> str:
    """A new project with a transcription of two segments, `hello` and `world`."""
    body = {"project_id": project_id, "language": "en", "model_used": "tiny", "segments": [HELLO, WORLD]}
    assert_success(client.post("/transcriptions/", json=body))
    return project_id


def read(client: FlaskClient, project_id: str) -> JsonObject:
    data: JsonObject = assert_success(client.get(f"/transcriptions/{project_id}"), "Transcription found")
    return data


def texts(transcription: JsonObject) -> list[str]:
    return [segment["text"] for segment in transcription["segments"]]


def test_a_transcription_begins_empty(client: FlaskClient, project_id: str) -> None:
    body = {"project_id": project_id, "language": "en", "model_used": "tiny", "unknown": {"$key": 1}}

    created = assert_success(client.post("/transcriptions/", json=body), "Transcription created successfully")

    assert set(created) == TRANSCRIPTION_KEYS
    assert (created["project_id"], created["language"], created["model_used"]) == (project_id, "en", "tiny")
    assert (created["segments"], created["speakers"], created["metadata"]) == ([], {}, {})
    assert (created["is_complete"], created["is_edited"], created["speaker_count"]) == (False, False, 0)
    assert (created["processing_time"], created["confidence_score"], created["version"]) == (None, None, 1)
    assert parse_utc(created["created_at"]) == parse_utc(created["updated_at"])
    assert read(client, project_id) == created


def test_the_address_works_without_its_slash(client: FlaskClient, project_id: str) -> None:
    assert_success(client.post("/transcriptions", json={"project_id": project_id}))


def test_the_spelling_of_the_frontends_is_taken(client: FlaskClient, project_id: str) -> None:
    words = [{"word": "a", "start_time": 1, "endTime": 2, "isFiller": True}]
    segment = {"startTime": 1, "endTime": 2, "text": "a", "editedText": "b", "isEdited": True, "words": words}
    body = {"projectId": project_id, "modelUsed": "tiny", "isComplete": True, "segments": [segment]}

    created = assert_success(client.post("/transcriptions", json=body))

    stored = created["segments"][0]
    assert (created["model_used"], created["is_complete"], created["is_edited"]) == ("tiny", True, True)
    assert (stored["start_time"], stored["end_time"], stored["edited_text"]) == (1, 2, "b")
    assert (stored["words"][0]["text"], stored["words"][0]["start"], stored["words"][0]["is_filler"]) == ("a", 1, True)


def test_a_second_transcription_is_a_conflict(client: FlaskClient, transcribed_id: str) -> None:
    before = read(client, transcribed_id)

    assert_error(client.post("/transcriptions/", json={"project_id": transcribed_id}), 409, "conflict")

    assert read(client, transcribed_id) == before


ADDRESSES: list[tuple[str, str, Any]] = [
    ("GET", "", None),
    ("PUT", "", {"language": "de"}),
    ("DELETE", "", None),
    ("POST", "/segments", [WORLD]),
    ("PUT", "/segments/world", {"text": "x"}),
    ("DELETE", "/segments/world", None),
    ("PUT", "/metadata", {"a": 1}),
]


@pytest.mark.parametrize(("method", "address", "body"), ADDRESSES)
def test_a_project_without_a_transcription_answers_404(
    client: FlaskClient, project_id: str, method: str, address: str, body: Any
) -> None:
    response = client.open(f"/transcriptions/{project_id}{address}", method=method, json=body)

    assert_error(response, 404, "transcription_not_found")


@pytest.mark.parametrize(("method", "address", "body"), [*ADDRESSES, ("POST", None, {"project_id": UNKNOWN_ID})])
def test_an_unknown_project_answers_404(client: FlaskClient, method: str, address: str | None, body: Any) -> None:
    path = "/transcriptions/" if address is None else f"/transcriptions/{UNKNOWN_ID}{address}"

    assert_error(client.open(path, method=method, json=body), 404, "project_not_found")


def test_segments_are_added_behind_the_others(client: FlaskClient, transcribed_id: str) -> None:
    new = [{"start_time": 4, "end_time": 5, "text": "again"}, {"start_time": 5, "end_time": 6, "text": "and again"}]

    changed = assert_success(client.post(f"/transcriptions/{transcribed_id}/segments", json=new), "Added 2 segments")

    assert texts(changed) == ["Um hello", "world", "again", "and again"]
    assert all(set(segment) == SEGMENT_KEYS for segment in changed["segments"])
    assert len({segment["id"] for segment in changed["segments"]}) == 4
    assert read(client, transcribed_id) == changed


def test_a_segment_is_corrected_and_counts_as_edited(client: FlaskClient, transcribed_id: str) -> None:
    before = read(client, transcribed_id)

    changed = assert_success(client.put(f"/transcriptions/{transcribed_id}/segments/world", json={"text": "World!"}))

    assert changed["segments"][1] == {**before["segments"][1], "text": "World!", "is_edited": True}
    assert changed["segments"][0] == before["segments"][0]
    assert (changed["is_edited"], changed["version"]) == (True, before["version"] + 1)
    assert read(client, transcribed_id) == changed


def test_a_segment_is_deleted(client: FlaskClient, transcribed_id: str) -> None:
    changed = assert_success(client.delete(f"/transcriptions/{transcribed_id}/segments/hello"))

    assert texts(changed) == texts(read(client, transcribed_id)) == ["world"]
    response = client.delete(f"/transcriptions/{transcribed_id}/segments/hello")
    assert_error(response, 404, "transcription_not_found")


def test_an_update_changes_what_it_names(client: FlaskClient, transcribed_id: str) -> None:
    before = read(client, transcribed_id)
    values = {"is_complete": True, "processing_time": 2.5, "speaker_count": 3, "speakers": {"ann": {"name": "Ann"}}}

    changed = assert_success(client.put(f"/transcriptions/{transcribed_id}", json=values))

    follows = {"version": before["version"] + 1, "updated_at": changed["updated_at"]}
    assert changed == {**before, **values, **follows}


def test_metadata_is_replaced_by_any_object(client: FlaskClient, transcribed_id: str) -> None:
    metadata = {"a.b": [1, 1.5, None, {"": "ü"}], "source": "phone"}
    client.put(f"/transcriptions/{transcribed_id}/metadata", json={"old": 1})

    changed = assert_success(client.put(f"/transcriptions/{transcribed_id}/metadata", json=metadata))

    assert changed["metadata"] == read(client, transcribed_id)["metadata"] == metadata


def test_a_deleted_transcription_is_gone_and_makes_room(client: FlaskClient, transcribed_id: str) -> None:
    assert assert_success(client.delete(f"/transcriptions/{transcribed_id}")) is None

    assert_error(client.get(f"/transcriptions/{transcribed_id}"), 404, "transcription_not_found")
    assert assert_success(client.get(f"/projects/{transcribed_id}"))["transcript_state"] is None
    assert_success(client.post("/transcriptions/", json={"project_id": transcribed_id}))


def test_a_project_shows_its_transcript_at_once_after_each_change(client: FlaskClient, transcribed_id: str) -> None:
    for text in ("eins", "zwei", "drei"):
        client.put(f"/transcriptions/{transcribed_id}/segments/world", json={"text": text})
        shown = assert_success(client.get(f"/projects/{transcribed_id}"))["transcript_state"]
        assert texts(shown) == ["Um hello", text]


def test_a_project_shows_the_words_as_transcribing_answers_them(client: FlaskClient, transcribed_id: str) -> None:
    transcription = read(client, transcribed_id)

    shown = assert_success(client.get(f"/projects/{transcribed_id}"))["transcript_state"]

    words = shown.pop("transcript")
    assert words == [{**word, "isFiller": word["is_filler"]} for word in HELLO["words"]]
    assert shown.pop("duration") is None
    assert [segment.pop("words") for segment in transcription["segments"]] == [words, []]
    assert shown == transcription


def test_a_list_of_projects_carries_no_transcripts(client: FlaskClient, owner: str) -> None:
    project_id = create_project(client, **{"X-User-Id": owner})
    client.post("/transcriptions", json={"project_id": project_id, "segments": [HELLO]})

    listed = assert_success(client.get("/projects", headers={"X-User-Id": owner}))

    assert [project["transcript_state"] for project in listed] == [None]


def test_recognised_speech_is_the_projects_transcript(client: FlaskClient, backend: Backend, project_id: str) -> None:
    words = [{"text": "Well", "start": 0.1, "end": 0.4, "confidence": 0.9, "is_filler": True}]
    heard = RecognisedSpeech(words=words, language="en", model_used="tiny", processing_time=1.0, duration=3.0)

    backend.transcripts.store_recognised(ProjectKey(project_id), heard)

    shown = assert_success(client.get(f"/projects/{project_id}"))["transcript_state"]
    assert (shown["transcript"], shown["duration"]) == ([{**words[0], "isFiller": True}], 3.0)
    assert texts(read(client, project_id)) == ["Well"]


def test_the_filler_words_of_the_transcript_are_found_and_cut(client: FlaskClient, filmed_id: str) -> None:
    body = {"project_id": filmed_id, "segments": [{**HELLO, "end_time": 1}]}
    assert_success(client.post("/transcriptions", json=body))

    cut = assert_success(client.post("/media/remove-fillers", json={"project_id": filmed_id, "auto_detect": True}))

    assert cut["removed_segments"] == [{"start": 0, "end": 0.25}]


def test_the_transcript_comes_back_with_its_project_from_the_trash(client: FlaskClient, transcribed_id: str) -> None:
    before = read(client, transcribed_id)
    client.delete(f"/projects/{transcribed_id}")
    assert_error(client.get(f"/transcriptions/{transcribed_id}"), 404, "project_not_found")

    client.post(f"/projects/{transcribed_id}/restore")

    assert read(client, transcribed_id) == before


def test_the_loser_of_two_tabs_is_told_and_overwrites_nothing(client: FlaskClient, transcribed_id: str) -> None:
    old = client.get(f"/transcriptions/{transcribed_id}").headers["ETag"]
    address = f"/transcriptions/{transcribed_id}/segments/world"
    won = client.put(address, json={"text": "first"}, headers={"If-Match": old})

    lost = client.put(address, json={"text": "second"}, headers={"If-Match": old})

    body = assert_error(lost, 412, "precondition_failed")
    assert lost.headers["ETag"] == won.headers["ETag"] == client.get(f"/transcriptions/{transcribed_id}").headers["ETag"]
    assert body["currentVersion"] == assert_success(won)["version"]
    assert texts(read(client, transcribed_id)) == ["Um hello", "first"]


def test_a_transcription_that_the_client_has_is_not_sent_again(client: FlaskClient, transcribed_id: str) -> None:
    etag = client.get(f"/transcriptions/{transcribed_id}").headers["ETag"]

    response = client.get(f"/transcriptions/{transcribed_id}", headers={"If-None-Match": etag})

    assert (response.status_code, response.data) == (304, b"")


def test_segments_sent_again_under_the_same_key_are_added_once(client: FlaskClient, transcribed_id: str) -> None:
    new = [{"start_time": 4, "end_time": 5, "text": "again"}]

    for _ in range(2):
        headers = {"Idempotency-Key": f"again-{transcribed_id}"}
        assert_success(client.post(f"/transcriptions/{transcribed_id}/segments", json=new, headers=headers))

    assert texts(read(client, transcribed_id)) == ["Um hello", "world", "again"]


GOOD = {"start_time": 0, "end_time": 1, "text": "a"}
WORD = {"text": "a", "start": 0, "end": 1}


@pytest.mark.parametrize(
    ("segments", "place"),
    [
        ({"text": "no list"}, []),
        (["no object"], [0]),
        ([GOOD, {"start_time": 0, "text": "a"}], [1, "end_time"]),
        ([{**GOOD, "start_time": "0"}], [0, "start_time"]),
        ([{**GOOD, "start_time": True}], [0, "start_time"]),
        ([{**GOOD, "start_time": -1}], [0, "start_time"]),
        ([{**GOOD, "start_time": 2}], [0, "end_time"]),
        ([{**GOOD, "text": "x" * 10_001}], [0, "text"]),
        ([{**GOOD, "confidence": "high"}], [0, "confidence"]),
        ([{**GOOD, "words": {}}], [0, "words"]),
        ([{**GOOD, "words": [WORD, {"text": "a"}]}], [0, "words", 1, "start"]),
        ([{**GOOD, "words": [WORD] * 2_001}], [0, "words"]),
        ([{**GOOD, "words": [{**WORD, "end": -1}]}], [0, "words", 0]),
        ([{**GOOD, "id": "world"}], [0, "id"]),
        ([{**GOOD, "id": "a"}, {**GOOD, "id": "a"}], [1, "id"]),
        ([{**GOOD, "id": 5}], [0, "id"]),
    ],
)
def test_wrong_segments_are_refused_by_name_and_none_is_added(
    client: FlaskClient, transcribed_id: str, segments: Any, place: list[str | int]
) -> None:
    before = read(client, transcribed_id)

    response = client.post(f"/transcriptions/{transcribed_id}/segments", json=segments)

    assert_field_refused(response, "body", *place)
    assert read(client, transcribed_id) == before


@pytest.mark.parametrize(
    ("address", "body", "place"),
    [
        ("", [], []),
        ("", {"language": 5}, ["language"]),
        ("", {"processing_time": -1}, ["processing_time"]),
        ("", {"is_complete": "yes"}, ["is_complete"]),
        ("", {"speaker_count": 1.5}, ["speaker_count"]),
        ("", {"speakers": []}, ["speakers"]),
        ("", {"speakers": {"$set": 1}}, ["speakers", "$set"]),
        ("", {"metadata": {"a": {"b\0": 1}}}, ["metadata", "a", "b\0"]),
        ("", {"segments": [GOOD, {}]}, ["segments", 1, "text"]),
        ("", {"segments": [GOOD, {**GOOD, "end_time": -1}]}, ["segments", 1, "end_time"]),
        ("/metadata", [1], []),
        ("/metadata", {"a": [{"$where": 1}]}, ["a", 0, "$where"]),
        ("/segments/world", [], []),
        ("/segments/world", {"text": None}, ["text"]),
        ("/segments/world", {"end_time": 0.5}, ["end_time"]),
    ],
)
def test_a_wrong_change_is_refused_by_name_and_changes_nothing(
    client: FlaskClient, transcribed_id: str, address: str, body: Any, place: list[str | int]
) -> None:
    before = read(client, transcribed_id)

    response = client.put(f"/transcriptions/{transcribed_id}{address}", json=body)

    assert_field_refused(response, "body", *place)
    assert read(client, transcribed_id) == before


def test_a_creation_must_name_its_project(client: FlaskClient) -> None:
    assert_field_refused(client.post("/transcriptions/", json={"language": "en"}), "body", "project_id")


def test_a_transcription_beyond_all_bounds_is_refused_in_plain_words(client: FlaskClient, transcribed_id: str) -> None:
    segments = [{**GOOD, "text": "x" * 10_000}] * 900

    response = client.post(f"/transcriptions/{transcribed_id}/segments", json=segments)

    assert "transcript is too large" in assert_error(response, 413, "body_too_large")["error"]
    assert texts(read(client, transcribed_id)) == ["Um hello", "world"]
