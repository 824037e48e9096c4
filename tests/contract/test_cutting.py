"""Contract 3.5 to 3.7: videos are cut for real, and what cannot be done here is said in plain words."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.contract.calls import UNKNOWN_ID, trim
from tests.contract.conftest import Film
from tests.contract.shapes import assert_success
from tests.errors_shape import assert_error, assert_field_refused
from tests.media_samples import decoded_duration

FRAME = 0.04


@pytest.mark.parametrize(
    "segments",
    [
        [(0.5, 1)],
        [(0.48, 1.2)],
        [(0, 1), (2, 0.5)],
        [(0, 0.4), (1, 0.4), (2, 0.4)],
        [(2, 0.4), (0, 0.4), (1, 0.4)],
        [(0, 1), (0, 1)],
    ],
)
def test_segments_are_cut_out_and_joined(
    client: FlaskClient, film: Film, media_dir: Path, segments: list[tuple[float, float]]
) -> None:
    data = assert_success(trim(client, film.id, *segments))

    asked = sum(length for _, length in segments)
    assert set(data) == {"trimmed_video_path", "new_duration"}
    assert data["trimmed_video_path"] != film.file_path
    assert data["new_duration"] == pytest.approx(asked, abs=FRAME)
    assert decoded_duration(media_dir / data["trimmed_video_path"]) == pytest.approx(asked, abs=FRAME)


def test_a_cut_video_can_be_fetched(client: FlaskClient, film: Film, media_dir: Path) -> None:
    path = assert_success(trim(client, film.id, (0.5, 1)))["trimmed_video_path"]

    with client.get(f"/static/{path}") as response:
        assert response.status_code == 200
        assert response.mimetype == "video/mp4"
        assert response.get_data() == (media_dir / path).read_bytes()


def test_the_same_cut_asked_twice_is_the_same_cut(client: FlaskClient, film: Film, media_dir: Path) -> None:
    first = assert_success(trim(client, film.id, (0.2, 1), (1.4, 0.6)))
    written = (media_dir / first["trimmed_video_path"]).stat().st_ino

    second = assert_success(trim(client, film.id, (0.2, 1), (1.4, 0.6)))

    assert second == first
    assert (media_dir / first["trimmed_video_path"]).stat().st_ino == written


def test_the_same_cut_asked_at_the_same_time_is_one_cut(app: Flask, film: Film) -> None:
    def ask(_: int) -> dict[str, Any]:
        data: dict[str, Any] = assert_success(trim(app.test_client(), film.id, (0.28, 1), (1.48, 0.6)))
        return data

    with ThreadPoolExecutor(4) as editors:
        answers = list(editors.map(ask, range(4)))

    assert answers == [answers[0]] * 4


def test_different_cuts_at_the_same_time_do_not_mix(app: Flask, film: Film) -> None:
    def ask(number: int) -> float:
        duration: float = assert_success(trim(app.test_client(), film.id, (0, 0.4 * number)))["new_duration"]
        return duration

    with ThreadPoolExecutor(3) as editors:
        assert list(editors.map(ask, [1, 2, 3])) == pytest.approx([0.4, 0.8, 1.2], abs=FRAME)


@pytest.mark.parametrize("segments", [[], [(0, 3)], [(0, 3.0)], [(0, 100)], [(-1, 100)], [(0, 1.5), (1.5, 1.5)]])
def test_what_leaves_nothing_out_is_the_original(client: FlaskClient, film: Film, segments: list[tuple[float, float]]) -> None:
    data = assert_success(trim(client, film.id, *segments))

    assert data["trimmed_video_path"] == film.file_path
    assert data["new_duration"] == pytest.approx(3.0, abs=0.05)


def test_a_segment_is_cut_to_what_lies_inside_the_video(client: FlaskClient, film: Film) -> None:
    begins_before = assert_success(trim(client, film.id, (-0.5, 1)))
    ends_after = assert_success(trim(client, film.id, (2.5, 60)))

    assert begins_before["new_duration"] == pytest.approx(0.5, abs=FRAME)
    assert ends_after["new_duration"] == pytest.approx(0.5, abs=FRAME)


@pytest.mark.parametrize(
    ("segments", "place"),
    [
        ([(3.5, 1)], (0, "startTime")),
        ([(-5, 1)], (0, "startTime")),
        ([(0, 1), (1000, 1)], (1, "startTime")),
        ([(0, 0)], (0, "duration")),
        ([(0, -1)], (0, "duration")),
    ],
)
def test_a_segment_with_nothing_of_the_video_is_refused(
    client: FlaskClient, film: Film, segments: list[tuple[float, float]], place: tuple[int, str]
) -> None:
    assert_field_refused(trim(client, film.id, *segments), "body", "segments", *place)


def test_segments_are_in_camel_case_only(client: FlaskClient, film: Film) -> None:
    body = {"project_id": film.id, "segments": [{"start_time": 0, "duration": 1}]}

    assert_field_refused(client.post("/media/trim-video", json=body), "body", "segments", 0, "startTime")


def test_more_keys_of_a_segment_are_ignored(client: FlaskClient, film: Film) -> None:
    segment = {"startTime": 0.5, "duration": 1, "endTime": 99, "id": "x"}

    data = assert_success(client.post("/media/trim-video", json={"project_id": film.id, "segments": [segment]}))

    assert data["new_duration"] == pytest.approx(1.0, abs=FRAME)


def test_nothing_is_cut_without_a_project_or_a_video(client: FlaskClient, project_id: str) -> None:
    assert assert_error(trim(client, UNKNOWN_ID, (0, 1)), 404, "project_not_found")["error"] == "Project not found"
    assert assert_error(trim(client, project_id, (0, 1)), 404, "video_not_found")["error"] == "Video file not found"


def test_cutting_does_not_change_the_project(client: FlaskClient, film: Film) -> None:
    before = client.get(f"/projects/{film.id}").get_data()

    assert_success(trim(client, film.id, (0.5, 0.52)))

    assert client.get(f"/projects/{film.id}").get_data() == before


@pytest.mark.parametrize("form", ["multipart/form-data", "application/x-www-form-urlencoded"])
def test_transcription_is_said_to_be_missing_in_plain_words(client: FlaskClient, film: Film, form: str) -> None:
    response = client.post("/media/transcribe", data={"project_id": film.id}, content_type=form)

    body = assert_error(response, 503, "speech_unavailable")
    assert "Transcription is not available" in body["error"]
    assert int(response.headers["Retry-After"]) > 0


def test_nothing_is_transcribed_without_a_project_or_a_video(client: FlaskClient, project_id: str) -> None:
    assert_error(client.post("/media/transcribe", data={"project_id": UNKNOWN_ID}), 404, "project_not_found")
    assert_error(client.post("/media/transcribe", data={"project_id": project_id}), 404, "video_not_found")


def test_transcription_wants_a_form(client: FlaskClient, film: Film) -> None:
    for response in (
        client.post("/media/transcribe", json={"project_id": film.id}),
        client.post("/media/transcribe", data={"project": film.id}),
        client.post("/media/transcribe"),
    ):
        assert_field_refused(response, "body", "project_id")


@pytest.mark.parametrize("key", ["selectedWords", "selected_words"])
def test_selected_words_are_cut_out_in_both_spellings(client: FlaskClient, film: Film, media_dir: Path, key: str) -> None:
    body = {"project_id": film.id, key: ["0.2-0.6", "1-1.4"]}

    data = assert_success(client.post("/media/remove-fillers", json=body))

    assert set(data) == {"processed_video_path", "removed_segments"}
    assert data["removed_segments"] == [{"start": 0.2, "end": 0.6}, {"start": 1.0, "end": 1.4}]
    assert data["processed_video_path"] != film.file_path
    assert decoded_duration(media_dir / data["processed_video_path"]) == pytest.approx(3.0 - 0.8, abs=0.1)


@pytest.mark.parametrize("asked", [{"auto_detect": True}, {"selectedWords": []}, {}, {"selectedWords": None}])
def test_without_words_to_remove_the_original_stays(client: FlaskClient, film: Film, asked: dict[str, Any]) -> None:
    data = assert_success(client.post("/media/remove-fillers", json={"project_id": film.id, **asked}))

    assert data == {"processed_video_path": film.file_path, "removed_segments": []}


def test_no_words_are_removed_without_a_project_or_a_video(client: FlaskClient, project_id: str) -> None:
    def remove(identity: str) -> Any:
        return client.post("/media/remove-fillers", json={"project_id": identity, "auto_detect": True})

    assert_error(remove(UNKNOWN_ID), 404, "project_not_found")
    assert_error(remove(project_id), 404, "video_not_found")
