"""Contract 7, column LATEST: the newest frontend from signing in to restoring a checkpoint, click by click."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from tests.contract.browser import ORIGIN, Browser
from tests.contract.calls import post_video
from tests.contract.conftest import Film
from tests.contract.shapes import JsonObject, assert_success, exactly, parse_utc
from tests.contract.timelines import make_clip, make_layer, make_state

TOKEN = "Bearer eyJhbGciOiJIUzI1NiJ9.e30.of-another-backend"


class Page:
    """One browser tab of the newest frontend: every call carries a token that means nothing here."""

    def __init__(self, client: FlaskClient) -> None:
        self._client = client
        self.browser = Browser(client, authorization=TOKEN)

    def load(self) -> None:
        """Load a page, which first asks who is signed in and believes any 200."""
        assert self.browser.call("GET", "/auth/me").status_code == 200

    def open_timeline(self, project_id: str) -> tuple[int, JsonObject]:
        """Open the timeline page; return the highest version (0 without history) and the state that the editor shows."""
        self.load()
        project = assert_success(self.browser.call("GET", f"/projects/{project_id}"))
        history_path = f"/timeline/{project_id}/history"
        entries, again = (assert_success(self.browser.call("GET", history_path)) for _ in range(2))
        assert entries == again
        with self.browser.call("GET", f"/media/{project_id}/video") as video:
            assert video.status_code == 200
            assert video.mimetype == "video/mp4"
        if not entries:
            data = assert_success(self.browser.call("GET", f"/timeline/{project_id}"))
            version, shown = 0, {key: data[key] for key in ("layers", "playhead_time", "zoom", "duration", "markers")}
        else:
            for entry in entries:
                assert isinstance(entry["description"] or "Unnamed Save", str)
                parse_utc(entry["created_at"])
            version = max(entry["version"] for entry in entries)
            shown = assert_success(self.browser.call("POST", f"{history_path[:-8]}/restore/{version}"))["timeline_state"]
        self.trim(project_id, (0, project["duration"]))
        return version, shown

    def save(self, project_id: str, state: JsonObject, description: str) -> None:
        """Choose Quick Save or Named Save from the menu; the video is trimmed once more."""
        summary = "Manual save" if description == "Quick Save" else f"Named save: {description}"
        body = {
            "project_id": project_id,
            "timeline_state": state,
            "description": description,
            "change_summary": summary,
        }
        assert self.browser.call("POST", "/timeline/", json=body).status_code in (200, 201)
        self.trim(project_id, (0, 1.5), (2, 1))

    def trim(self, project_id: str, *segments: tuple[float, float]) -> None:
        sent = [{"startTime": start, "duration": length} for start, length in segments]
        data = assert_success(self.browser.call("POST", "/media/trim-video", json={"project_id": project_id, "segments": sent}))
        assert data["new_duration"] == pytest.approx(sum(length for _, length in segments), abs=0.05)

    def upload(self, name: str, video: bytes) -> str:
        """Upload a video on the upload page and return the new project's id."""
        self.load()
        body = {"name": name, "description": "Video uploaded on 11/22/2026"}
        project_id: str = assert_success(self.browser.call("POST", "/projects", json=body))["_id"]
        self.browser.preflight("POST", "/media/upload", "authorization")
        headers = {"Origin": ORIGIN, "Authorization": TOKEN}
        assert assert_success(post_video(self._client, project_id, video, headers=headers))
        return project_id


def split_timeline(project_id: str) -> JsonObject:
    """Return what the editor sends after a split: the first clip keeps the end that it had."""
    source = f"http://localhost:8001/media/{project_id}/video"
    first = make_clip(f"video-clip-{project_id}", end_time=3, duration=1.5, source_path=source)
    second = make_clip(
        f"video-clip-{project_id}_split_1763828429507",
        start_time=1.5,
        end_time=3,
        duration=1,
        original_start_time=2,
        source_path=source,
    )
    layer = make_layer(first, second, id=f"video-layer-{project_id}")
    return make_state(layers=[layer], duration=3, playhead_time=1.52, selected_clips=[])


def test_the_newest_frontend_works_from_signing_in_to_restoring(client: FlaskClient, film: Film) -> None:
    page = Page(client)

    # Upload, then the transcript page, which fetches the whole video with the token (twice).
    project_id = page.upload("film", film.video)
    page.load()
    assert assert_success(page.browser.call("GET", f"/projects/{project_id}"))["name"] == "film"
    for _ in range(2):
        with page.browser.call("GET", f"/media/{project_id}/video") as fetched:
            assert fetched.get_data() == film.video

    # The first visit of the timeline finds nothing saved, and the editor keeps the clip that it makes itself.
    version, shown = page.open_timeline(project_id)
    assert version == 0
    assert shown["layers"] == []

    # A split is saved quickly; the next visit shows it exactly, and visits add nothing.
    first = split_timeline(project_id)
    page.save(project_id, first, "Quick Save")
    for _ in range(3):
        version, shown = page.open_timeline(project_id)
        assert version == 1
        assert exactly(shown) == exactly(first)

    # More is cut and saved under a name.
    second = {**first, "layers": [make_layer(make_clip("kept", duration=0.5), id=f"video-layer-{project_id}")], "zoom": 2}
    page.save(project_id, second, "Rough cut")
    version, shown = page.open_timeline(project_id)
    assert version == 2
    assert exactly(shown) == exactly(second)

    # The dialog names both; the first is brought back and is still there after the next visit.
    entries = assert_success(page.browser.call("GET", f"/timeline/{project_id}/history"))
    assert [(entry["version"], entry["description"]) for entry in entries] == [(2, "Rough cut"), (1, "Quick Save")]
    restored = assert_success(page.browser.call("POST", f"/timeline/{project_id}/restore/1"))
    assert exactly(restored["timeline_state"]) == exactly(first)
    version, shown = page.open_timeline(project_id)
    assert version == 3
    assert exactly(shown) == exactly(first)

    # The original is what plays, whatever was trimmed.
    with page.browser.call("GET", f"/media/{project_id}/video") as fetched:
        assert fetched.get_data() == film.video

    # The projects page shows the picture by the project's address, without a token, and deletes the card.
    page.load()
    cards = assert_success(page.browser.call("GET", "/projects"))
    card = next(card for card in cards if card["_id"] == project_id)
    assert card["thumbnail"]
    assert page.browser.show(f"/media/{project_id}/thumbnail").mimetype == "image/jpeg"
    assert_success(page.browser.call("DELETE", f"/projects/{project_id}"), "Project deleted successfully")
    cards = assert_success(page.browser.call("GET", "/projects"))
    assert project_id not in [card["_id"] for card in cards]


def test_a_visit_of_a_project_that_is_gone_does_not_sign_the_user_out(client: FlaskClient) -> None:
    page = Page(client)

    for path in ("/projects/gone", "/timeline/gone", "/timeline/gone/history", "/media/gone/video"):
        assert page.browser.call("GET", path).status_code == 404
    assert page.browser.call("POST", "/timeline/gone/restore/1").status_code == 404
    page.load()


def test_a_token_that_ran_out_is_refreshed(client: FlaskClient) -> None:
    browser = Browser(client, authorization=TOKEN)

    response = browser.call("POST", "/auth/refresh", json={"refresh_token": "of-another-backend"})

    assert assert_success(response)["access_token"] == "of-another-backend"
