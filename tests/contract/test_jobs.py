"""Work that outlasts its request: 202, /jobs, cancelling, and transcription in the background."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from projectapi.api import background
from projectapi.errors import ProjectApiError, SpeechUnavailable
from tests.conftest import AppMaker
from tests.contract.calls import UNKNOWN_ID, create_project, trim, upload
from tests.contract.shapes import JsonObject, assert_success
from tests.errors_shape import assert_error
from tests.harness.jobs import FakeRecogniser, job_in_state
from tests.media_samples import make_video, small_mp4_bytes

ASYNC = {"Prefer": "respond-async"}
JOB_KEYS = {
    *("_id", "kind", "project_id", "owner", "state", "progress", "result", "error"),
    *("created_at", "started_at", "finished_at"),
}


@pytest.fixture
def recogniser() -> Iterator[FakeRecogniser]:
    """A recogniser that hears three words as soon as `may_go_on` is set; no thread of it outlasts the test."""
    fake = FakeRecogniser()
    yield fake
    fake.may_go_on.set()


@pytest.fixture
def listening(make_app: AppMaker, recogniser: FakeRecogniser) -> FlaskClient:
    """A client of an application that can listen, to one video at a time."""
    return make_app(recogniser=recogniser, jobs_at_once=1).test_client()


@pytest.fixture
def spoken_id(listening: FlaskClient) -> str:
    """A project with a video, in that application."""
    project_id = create_project(listening)
    upload(listening, project_id, small_mp4_bytes())
    return project_id


@pytest.fixture
def in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests wait for their jobs for a moment only."""
    monkeypatch.setattr(background, "WAIT_SECONDS", 0.1)


def transcribe(client: FlaskClient, project_id: str, **headers: str) -> TestResponse:
    return client.post("/media/transcribe", data={"project_id": project_id}, headers=headers)


def job_of(response: TestResponse) -> JsonObject:
    """Return the job of a 202, which is the same in the body as at the address."""
    assert response.status_code == 202
    body: JsonObject = response.get_json()
    assert set(body) == {"success", "data", "message", "error"} and body["success"] is True
    assert set(body["data"]) == JOB_KEYS
    assert response.headers["Location"] == f"/jobs/{body['data']['_id']}"
    data: JsonObject = body["data"]
    return data


def test_who_prefers_not_to_wait_gets_a_job_and_the_result_there(client: FlaskClient, filmed_id: str) -> None:
    body = {"project_id": filmed_id, "segments": [{"startTime": 0.2, "duration": 0.4}]}

    response = client.post("/media/trim-video", json=body, headers=ASYNC)

    assert response.headers["Preference-Applied"] == "respond-async"
    job = job_in_state(client, job_of(response)["_id"], "finished", "failed")
    assert (job["state"], job["progress"], job["kind"], job["error"]) == ("finished", 100, "trim-video", None)
    assert job["result"] == assert_success(trim(client, filmed_id, (0.2, 0.4)))
    assert job["created_at"] <= job["started_at"] <= job["finished_at"]


@pytest.mark.parametrize("prefer", ["respond-async, wait=5", "return=minimal, Respond-Async"])
def test_the_preference_may_stand_among_others(listening: FlaskClient, spoken_id: str, prefer: str) -> None:
    assert transcribe(listening, spoken_id, Prefer=prefer).status_code == 202


def test_what_is_there_already_is_answered_at_once_whatever_is_preferred(client: FlaskClient, filmed_id: str) -> None:
    first = assert_success(trim(client, filmed_id, (0.2, 0.4)))
    body = {"project_id": filmed_id, "segments": [{"startTime": 0.2, "duration": 0.4}]}

    assert assert_success(client.post("/media/trim-video", json=body, headers=ASYNC)) == first


@pytest.mark.parametrize(
    ("address", "body"),
    [
        ("/media/trim-video", {"segments": [{"startTime": 0.2, "duration": 0.4}]}),
        ("/media/remove-fillers", {"selectedWords": ["0.2-0.4"]}),
        ("/timeline/{id}/render-preview", {}),
    ],
)
@pytest.mark.usefixtures("in_a_hurry")
def test_what_takes_longer_than_a_request_goes_on_as_a_job(
    client: FlaskClient, filmed_id: str, monkeypatch: pytest.MonkeyPatch, address: str, body: JsonObject
) -> None:
    monkeypatch.setattr(background, "WAIT_SECONDS", 0)

    def ask() -> TestResponse:
        return client.post(address.format(id=filmed_id), json={"project_id": filmed_id, **body})

    job = job_of(ask())
    result = job_in_state(client, job["_id"], "finished", "failed")["result"]

    assert result is not None and assert_success(ask()) == result


def test_equal_requests_share_a_job(listening: FlaskClient, spoken_id: str, recogniser: FakeRecogniser) -> None:
    first, second = (job_of(transcribe(listening, spoken_id, **ASYNC)) for _ in range(2))

    assert first["_id"] == second["_id"]
    recogniser.may_go_on.set()
    job_in_state(listening, first["_id"], "finished")
    assert recogniser.calls == 1


def test_an_unknown_job_is_not_found_in_plain_words(client: FlaskClient) -> None:
    for response in (
        client.get(f"/jobs/{UNKNOWN_ID}"),
        client.delete(f"/jobs/{UNKNOWN_ID}"),
        client.post("/jobs/x/cancel"),
    ):
        assert "Ask for the same thing again" in assert_error(response, 404, "job_not_found")["error"]


def test_how_a_job_stands_is_never_cached(client: FlaskClient, filmed_id: str) -> None:
    body = {"project_id": filmed_id, "segments": [{"startTime": 0.1, "duration": 0.4}]}
    job_id = job_of(client.post("/media/trim-video", json=body, headers=ASYNC))["_id"]

    assert client.get(f"/jobs/{job_id}").headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("verb", ["delete", "cancel"])
def test_a_job_is_cancelled_and_its_work_left(
    listening: FlaskClient, spoken_id: str, recogniser: FakeRecogniser, verb: str
) -> None:
    job_id = job_of(transcribe(listening, spoken_id, **ASYNC))["_id"]
    running = job_in_state(listening, job_id, "running")
    assert running["result"] is None and running["finished_at"] is None

    address = f"/jobs/{job_id}"
    cancelled = assert_success(listening.delete(address) if verb == "delete" else listening.post(f"{address}/cancel"))

    assert cancelled["state"] == "cancelled"
    assert not recogniser.may_go_on.is_set()
    # Its place is free: the work was left, not merely forgotten.
    again = job_of(transcribe(listening, spoken_id, **ASYNC))["_id"]
    assert again != job_id
    job_in_state(listening, again, "running")
    recogniser.may_go_on.set()
    job_in_state(listening, again, "finished")
    assert assert_success(listening.get(address))["state"] == "cancelled"


def test_with_ownership_enforced_only_who_asked_may_know_of_a_job(make_app: AppMaker, recogniser: FakeRecogniser) -> None:
    client = make_app(ownership="enforced", recogniser=recogniser).test_client()
    ann, bob = {"X-User-Id": "ann"}, {"X-User-Id": "bob"}
    project_id = create_project(client, **ann)
    upload(client, project_id, small_mp4_bytes(), headers=ann)
    assert_error(transcribe(client, project_id, **ASYNC, **bob), 404, "project_not_found")
    job_id = job_of(transcribe(client, project_id, **ASYNC, **ann))["_id"]

    for stranger in (bob, {}):
        assert_error(client.get(f"/jobs/{job_id}", headers=stranger), 404, "job_not_found")
        assert_error(client.delete(f"/jobs/{job_id}", headers=stranger), 404, "job_not_found")

    assert assert_success(client.get(f"/jobs/{job_id}", headers=ann))["owner"] == "ann"
    recogniser.may_go_on.set()


def test_words_come_with_the_first_answer_when_listening_is_quick(
    listening: FlaskClient, spoken_id: str, recogniser: FakeRecogniser
) -> None:
    recogniser.may_go_on.set()

    data = assert_success(transcribe(listening, spoken_id))

    assert data["duration"] == pytest.approx(1.0, abs=0.05)
    assert data["transcript"][1] == {
        **{"text": "um", "start": 0.3, "end": 0.5, "confidence": 0.8},
        **{"is_filler": True, "isFiller": True},
    }


@pytest.mark.usefixtures("in_a_hurry")
def test_who_waits_too_long_for_words_is_told_to_come_back_and_gets_them_then(
    listening: FlaskClient, spoken_id: str, recogniser: FakeRecogniser
) -> None:
    response = transcribe(listening, spoken_id)

    assert_error(response, 503, "still_listening")
    assert int(response.headers["Retry-After"]) > 0
    job_id = response.headers["Location"].removeprefix("/jobs/")

    recogniser.may_go_on.set()
    job = job_in_state(listening, job_id, "finished")
    assert job["result"] == {"transcription": f"/transcriptions/{spoken_id}"}
    assert len(assert_success(transcribe(listening, spoken_id))["transcript"]) == 3
    assert recogniser.calls == 1


def test_the_words_survive_a_reload(listening: FlaskClient, spoken_id: str, recogniser: FakeRecogniser) -> None:
    recogniser.may_go_on.set()
    words = assert_success(transcribe(listening, spoken_id))["transcript"]

    assert assert_success(listening.get(f"/projects/{spoken_id}"))["transcript_state"]["transcript"] == words
    segments = assert_success(listening.get(f"/transcriptions/{spoken_id}"))["segments"]
    assert [word["text"] for segment in segments for word in segment["words"]] == ["So", "um", "hello"]


def test_another_video_is_listened_to_anew(
    listening: FlaskClient, spoken_id: str, recogniser: FakeRecogniser, tmp_path: Any
) -> None:
    recogniser.may_go_on.set()
    assert_success(transcribe(listening, spoken_id))
    upload(listening, spoken_id, make_video(tmp_path / "other.mp4", seconds=0.8).read_bytes())
    recogniser.words = []

    assert assert_success(transcribe(listening, spoken_id))["transcript"] == []
    assert recogniser.calls == 2


def test_words_that_somebody_edited_are_never_replaced(
    listening: FlaskClient, spoken_id: str, recogniser: FakeRecogniser, tmp_path: Any
) -> None:
    recogniser.may_go_on.set()
    assert_success(transcribe(listening, spoken_id))
    (segment,) = assert_success(listening.get(f"/transcriptions/{spoken_id}"))["segments"]
    assert_success(listening.put(f"/transcriptions/{spoken_id}/segments/{segment['id']}", json={"text": "Mine."}))
    upload(listening, spoken_id, make_video(tmp_path / "other.mp4", seconds=0.8).read_bytes())

    assert_success(transcribe(listening, spoken_id))

    assert recogniser.calls == 1


def test_filler_words_that_were_heard_are_removed_from_the_video(
    listening: FlaskClient, spoken_id: str, recogniser: FakeRecogniser
) -> None:
    recogniser.may_go_on.set()
    assert_success(transcribe(listening, spoken_id))

    body = {"project_id": spoken_id, "auto_detect": True}
    data = assert_success(listening.post("/media/remove-fillers", json=body))

    assert data["removed_segments"] == [{"start": 0.3, "end": 0.5}]
    assert data["processed_video_path"].startswith("trimmed/")


@pytest.mark.parametrize(
    ("trouble", "status", "code"),
    [
        (SpeechUnavailable("The model is missing."), 503, "speech_unavailable"),
        (ProjectApiError(), 500, "internal_error"),
        (RuntimeError("secret /path"), 500, "internal_error"),
    ],
)
def test_what_fails_in_the_background_is_told_to_who_waits_and_to_who_asks_later(
    listening: FlaskClient, spoken_id: str, recogniser: FakeRecogniser, trouble: Exception, status: int, code: str
) -> None:
    recogniser.trouble = trouble
    recogniser.may_go_on.set()

    assert "secret" not in transcribe(listening, spoken_id).text
    assert_error(transcribe(listening, spoken_id), status, code)

    job_id = job_of(transcribe(listening, spoken_id, **ASYNC))["_id"]
    job = job_in_state(listening, job_id, "failed")
    assert job["error"]["code"] == code and "secret" not in job["error"]["message"]


def test_a_project_that_goes_while_it_is_listened_to_is_not_found(
    listening: FlaskClient, spoken_id: str, recogniser: FakeRecogniser
) -> None:
    job_id = job_of(transcribe(listening, spoken_id, **ASYNC))["_id"]
    job_in_state(listening, job_id, "running")
    assert_success(listening.delete(f"/projects/{spoken_id}"))

    recogniser.may_go_on.set()

    assert job_in_state(listening, job_id, "failed", "finished")["error"]["code"] == "project_not_found"


def test_with_too_many_waiting_the_next_is_not_kept_waiting(make_app: AppMaker, recogniser: FakeRecogniser) -> None:
    # Half of two threads may wait: one.
    app = make_app(recogniser=recogniser, web_threads=2)
    client = app.test_client()
    project_id = create_project(client)
    upload(client, project_id, small_mp4_bytes())
    desk: Any = app.extensions["projectapi"].jobs
    assert desk._waiting.acquire(blocking=False)

    assert_error(transcribe(client, project_id), 503, "still_listening")
