"""Contract 7, column PRE: the oldest frontend from its first page to its last, click by click."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from tests.contract.browser import ORIGIN, Browser
from tests.contract.calls import post_video
from tests.contract.conftest import Film
from tests.contract.shapes import STORE_KEYS_OF_THE_OLDEST_FRONTEND, assert_success
from tests.errors_shape import assert_error


def test_the_oldest_frontend_works_from_the_first_page_to_the_last(client: FlaskClient, film: Film) -> None:
    browser = Browser(client)

    # Upload page: a project named after the file, then the file; no token, and a page of another origin.
    body = {"name": "film", "description": "Video uploaded on 11/22/2026"}
    project_id = assert_success(browser.call("POST", "/projects", json=body))["_id"]
    uploaded = post_video(client, project_id, film.video, headers={"Origin": ORIGIN})
    assert uploaded.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert assert_success(uploaded, "Video uploaded successfully")

    # Transcript page: the project, its video in a <video>, and buttons that need what is not installed.
    project = assert_success(browser.call("GET", f"/projects/{project_id}"), "Project found")
    assert project["_id"] == project_id
    assert project["name"] == "film"
    assert project["createdAt"].endswith("Z")
    played = browser.show(f"/media/{project_id}/video", Range="bytes=0-")
    assert played.status_code == 206
    assert played.get_data() == film.video
    form = {"project_id": project_id}
    refused = browser.call("POST", "/media/transcribe", data=form, content_type="multipart/form-data")
    assert isinstance(assert_error(refused, 503, "speech_unavailable")["error"], str)
    fillers = browser.call("POST", "/media/remove-fillers", json={"project_id": project_id, "auto_detect": True})
    assert assert_success(fillers)["removed_segments"] == []

    # Projects page: the list, with a picture that shows and a date that is one.
    listed = assert_success(browser.call("GET", "/projects"))
    card = next(card for card in listed if card["_id"] == project_id)
    assert card["createdAt"] == project["createdAt"]
    assert browser.show(card["thumbnail"]).mimetype == "image/jpeg"

    # Timeline page: the envelope is copied over the store, a clip is built from the duration, and seeking works.
    opened = browser.call("GET", f"/timeline/{project_id}")
    assert_success(opened)
    assert not set(opened.get_json()) & STORE_KEYS_OF_THE_OLDEST_FRONTEND
    duration = assert_success(browser.call("GET", f"/projects/{project_id}"))["duration"]
    assert duration == pytest.approx(3.0, abs=0.05)
    sought = browser.show(f"/media/{project_id}/video", Range="bytes=1000-")
    assert sought.status_code == 206
    assert sought.get_data() == film.video[1000:]

    # Two seconds later the full clip is trimmed; after a split, two clips; after deleting the first, the rest from zero.
    for segments in ([(0, duration)], [(0, 1.5), (1.5, 1.5)], [(0, 1.5)]):
        sent = [{"startTime": start, "duration": length} for start, length in segments]
        trimmed = browser.call("POST", "/media/trim-video", json={"project_id": project_id, "segments": sent})
        asked = sum(length for _, length in segments)
        assert assert_success(trimmed)["new_duration"] == pytest.approx(asked, abs=0.05)
    assert browser.show(f"/media/{project_id}/video").get_data() == film.video

    # Back on the projects page the card is deleted, and stays away.
    assert_success(browser.call("DELETE", f"/projects/{project_id}"), "Project deleted successfully")
    assert project_id not in [card["_id"] for card in assert_success(browser.call("GET", "/projects"))]
    assert browser.call("GET", f"/projects/{project_id}").status_code == 404
    assert browser.show(f"/media/{project_id}/video").status_code == 404


def test_the_later_revision_shows_pictures_by_their_own_address(client: FlaskClient, film: Film) -> None:
    browser = Browser(client)
    project = assert_success(browser.call("GET", f"/projects/{film.id}"))

    assert project["thumbnail"], "without it no picture is asked for"
    assert browser.show(f"/media/{film.id}/thumbnail").mimetype == "image/jpeg"
