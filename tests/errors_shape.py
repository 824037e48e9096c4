"""The one assertion on the one shape of errors."""

from __future__ import annotations

from typing import Any

from werkzeug.test import TestResponse

_KEYS = {"success", "data", "message", "error", "detail", "code", "requestId"}
_LOST_RACE_KEYS = {"currentVersion"}
_MORE_LOST_RACE_KEYS = {"currentETag", "currentUpdatedAt"}
_FIELD_ERROR_KEYS = {"type", "loc", "msg"}
_NEVER_FOR_CLIENTS = ("Traceback", "pymongo", "werkzeug", "ffmpeg", "libav", "/tmp/", "site-packages", "<html", "<!doctype")


def assert_error(response: TestResponse, status: int, code: str) -> dict[str, Any]:
    """Check that an answer is this error in the shape that every frontend can read, and return its body."""
    assert response.status_code == status, f"{response.status_code}: {response.get_data()[:500]!r}"
    assert response.mimetype == "application/json"
    body: dict[str, Any] = response.get_json()
    assert_keys(body, status)
    assert body["success"] is False
    assert body["data"] is None
    assert isinstance(body["error"], str)
    assert body["error"].strip()
    assert body["message"] == body["error"]
    assert body["code"] == code
    assert body["requestId"]
    assert body["requestId"] == response.headers["X-Request-Id"]
    _assert_detail(body)
    _assert_nothing_internal(response)
    return body


def assert_keys(body: dict[str, Any], status: int) -> None:
    """Check that an error has just its keys; who lost a race is told what is current."""
    optional = _MORE_LOST_RACE_KEYS if status == 412 else set()
    required = _KEYS | _LOST_RACE_KEYS if status == 412 else _KEYS
    assert set(body) - optional == required


def assert_field_refused(response: TestResponse, *place: str | int) -> None:
    """Check that an answer refuses the request because of the field at this place, which both the list and the text name."""
    body = assert_error(response, 422, "validation_failed")
    places = [problem["loc"] for problem in body["detail"]]
    assert list(place) in places, places


def _assert_detail(body: dict[str, Any]) -> None:
    if isinstance(body["detail"], str):
        assert body["detail"] == body["error"]
        return
    assert body["detail"], "an empty list explains nothing"
    for problem in body["detail"]:
        assert set(problem) == _FIELD_ERROR_KEYS
        assert isinstance(problem["type"], str)
        assert isinstance(problem["msg"], str)
        assert problem["loc"][0] in ("body", "query", "form", "header")


def _assert_nothing_internal(response: TestResponse) -> None:
    text = response.get_data(as_text=True).lower()
    for word in _NEVER_FOR_CLIENTS:
        assert word.lower() not in text
