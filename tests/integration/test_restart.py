"""The main job: whatever is killed, an editor finds everything again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.whole_app import WholeApp
from tests.media_samples import small_mp4_bytes

TIMELINE = {
    "zoom": 1,
    "layers": [
        {
            "id": "video-layer-1",
            "name": "Main",
            "type": "video",
            "is_main_video": True,
            "clips": [
                {
                    "id": "c1",
                    "type": "video",
                    "start_time": 0,
                    "duration": 3.04,
                    "end_time": 6,
                    "properties": {"volume": 1, "$ref": "kept", "a.b": {"$id": 2}},
                    "unknown": {"z": 1, "a": [1, 1.0, None]},
                }
            ],
        }
    ],
    "playhead_time": 0.0,
    "not_in_any_schema": "kept",
}


@pytest.fixture
def whole_app(tmp_path: Path) -> Iterator[WholeApp]:
    app = WholeApp(tmp_path)
    app.start()
    yield app
    app.stop()


def everything(app: WholeApp, project_ids: list[str]) -> dict[str, Any]:
    """Return all that a frontend can see, as the bytes that it gets."""
    seen: dict[str, Any] = {"/projects/": app.request("GET", "/projects/").body}
    for project_id in project_ids:
        for path in (
            f"/projects/{project_id}",
            f"/timeline/{project_id}",
            f"/timeline/{project_id}/history?include_state=true",
            f"/media/{project_id}/video",
            f"/media/{project_id}/thumbnail",
        ):
            reply = app.request("GET", path)
            seen[path] = (reply.status, reply.body) if reply.status == 200 else reply.status
    return seen


def test_killing_application_database_and_cache_loses_nothing_twice_in_a_row(whole_app: WholeApp) -> None:
    # Given two projects, one with a video, both with saved timelines
    video, ids = small_mp4_bytes(), list[str]()
    for name in ("Holiday", "Wedding"):
        ids.append(whole_app.request("POST", "/projects", {"name": name}).data["_id"])
    assert whole_app.upload(ids[0], video).status == 200
    for number, project_id in enumerate([ids[0], ids[1], ids[0]]):
        saved = {"project_id": project_id, "timeline_state": {**TIMELINE, "duration": number}, "description": f"cut {number}"}
        assert whole_app.request("POST", "/timeline/", saved).status == 200
    before = everything(whole_app, ids)
    assert before[f"/media/{ids[0]}/video"] == (200, video)

    for _ in range(2):
        # When everything is killed and started again on the same data
        whole_app.kill()
        whole_app.start()

        # Then all answers are equal, to the byte
        assert everything(whole_app, ids) == before

    # And work goes on where it stopped
    more = {"project_id": ids[0], "timeline_state": TIMELINE, "description": "after the crash"}
    assert whole_app.request("POST", "/timeline/", more).data["version"] == 3
