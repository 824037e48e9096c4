"""What successful answers look like, down to the last key."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from werkzeug.test import TestResponse

JsonObject = dict[str, Any]

STATE_KEYS = {
    "layers",
    "playhead_time",
    "zoom",
    "duration",
    "markers",
    "selected_clips",
    "is_playing",
    "is_snapping",
}
EMPTY_STATE: JsonObject = {
    "layers": [],
    "playhead_time": 0.0,
    "zoom": 1.0,
    "duration": 0.0,
    "markers": [],
    "selected_clips": [],
    "is_playing": False,
    "is_snapping": True,
}
PROJECT_KEYS = {
    "_id",
    "name",
    "description",
    "user_id",
    "created_at",
    "createdAt",
    "updated_at",
    "updatedAt",
    "thumbnail",
    "duration",
    "timeline_state",
    "transcript_state",
    "status",
    "is_deleted",
    "deleted_at",
    "version",
}
VERSION_KEYS = {
    "_id",
    "project_id",
    "version",
    "previous_version_id",
    "is_current",
    "timeline_state",
    "description",
    "change_summary",
    "created_by",
    "created_at",
    "updated_at",
}
STORE_KEYS_OF_THE_OLDEST_FRONTEND = {
    "layers",
    "playheadTime",
    "zoom",
    "duration",
    "markers",
    "selectedClips",
    "isPlaying",
    "isSnapping",
    "undoStack",
    "redoStack",
    "selectedLayer",
    "trimState",
    "validationState",
}


def assert_success(response: TestResponse, message: str | None = None) -> Any:
    """Check that an answer is 200 in the envelope of four keys, with this message if one is given; return its `data`."""
    assert response.status_code == 200, f"{response.status_code}: {response.get_data()[:500]!r}"
    assert response.mimetype == "application/json"
    body = response.get_json()
    assert set(body) == {"success", "data", "message", "error"}
    assert body["success"] is True
    assert body["error"] is None
    assert isinstance(body["message"], str)
    assert body["message"]
    if message is not None:
        assert body["message"] == message
    return body["data"]


def assert_project(data: JsonObject) -> None:
    """Check the keys, types and dates of a project on the wire."""
    assert set(data) == PROJECT_KEYS
    assert isinstance(data["_id"], str)
    assert data["created_at"] == data["createdAt"]
    assert data["updated_at"] == data["updatedAt"]
    assert parse_utc(data["created_at"]) <= parse_utc(data["updated_at"])
    assert data["status"] == "active"
    assert data["is_deleted"] is False
    assert data["deleted_at"] is None


def assert_version(data: JsonObject) -> None:
    """Check the keys, types and dates of a version document on the wire."""
    assert set(data) == VERSION_KEYS
    assert isinstance(data["_id"], str)
    assert type(data["version"]) is int
    assert data["version"] >= 1
    assert data["previous_version_id"] is None
    assert type(data["is_current"]) is bool
    assert parse_utc(data["created_at"]) <= parse_utc(data["updated_at"])


def parse_utc(text: str) -> datetime:
    """Return the moment that a date on the wire names; it must be of now and say that it is UTC."""
    assert text.endswith("Z"), text
    moment = datetime.fromisoformat(text)
    assert moment.tzinfo is not None
    assert abs(datetime.now(UTC) - moment) < timedelta(minutes=10)
    return moment


def exactly(value: Any) -> str:
    """Return JSON in which order of keys, integers, floats and booleans all make a difference, for comparing."""
    return json.dumps(value, ensure_ascii=True)


def exact_json(value: Any) -> bytes:
    """Return JSON for a request as Python writes it: integers may be of any size."""
    return json.dumps(value).encode()
