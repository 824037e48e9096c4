"""Contract 1.4 and issue-wide: whatever goes wrong, the answer has the one shape, and says nothing of the inside."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from projectapi.errors import PreconditionFailed, ProjectApiError
from tests.conftest import AppMaker
from tests.contract.calls import UNKNOWN_ID, create_project, history, post_video, save, trim, upload
from tests.contract.timelines import make_clip, make_state
from tests.errors_shape import assert_error
from tests.media_samples import small_mp4_bytes


@dataclass(frozen=True)
class World:
    """A client and what it finds: an empty project, one with a video and two versions, and those versions' documents."""

    client: FlaskClient
    empty: str
    full: str
    current: str
    earlier: str


@pytest.fixture(scope="module")
def world(app: Flask) -> World:
    client = app.test_client()
    empty, full = create_project(client), create_project(client)
    upload(client, full, small_mp4_bytes())
    save(client, full, make_state(), "One")
    save(client, full, make_state(make_clip("second")), "Two")
    current, earlier = history(client, full)
    return World(client, empty, full, current["_id"], earlier["_id"])


def raw(world: World, path: str, body: bytes, content_type: str = "application/json", method: str = "POST") -> TestResponse:
    return world.client.open(path, method=method, data=body, content_type=content_type)


def save_with(world: World, if_match: str) -> TestResponse:
    body = {"project_id": world.full, "timeline_state": make_state()}
    return world.client.post("/timeline/", json=body, headers={"If-Match": if_match})


Failure = tuple[Callable[[World], TestResponse], int, str]

FAILURES: dict[str, Failure] = {
    # 400
    "malformed JSON": (lambda w: raw(w, "/projects", b"{"), 400, "malformed_json"),
    "malformed JSON in a save": (lambda w: raw(w, "/timeline/", b"[1,"), 400, "malformed_json"),
    "an empty JSON body": (lambda w: raw(w, "/media/trim-video", b""), 400, "malformed_json"),
    "no video": (lambda w: post_video(w.client, w.empty, b"text"), 400, "invalid_video"),
    "a malformed precondition": (lambda w: save_with(w, "rubbish"), 400, "invalid_precondition"),
    # 404
    "an unknown address": (lambda w: w.client.get("/nowhere"), 404, "not_found"),
    "an unknown address for a write": (lambda w: w.client.post("/nowhere/at/all", json={}), 404, "not_found"),
    "an unknown file": (lambda w: w.client.get("/static/videos/none.mp4"), 404, "not_found"),
    "an unknown project": (lambda w: w.client.get(f"/projects/{UNKNOWN_ID}"), 404, "project_not_found"),
    "a project of old times": (lambda w: w.client.get("/projects/project_12"), 404, "project_not_carried_over"),
    "no video yet": (lambda w: w.client.get(f"/media/{w.empty}/video"), 404, "video_not_found"),
    "no video to cut": (lambda w: trim(w.client, w.empty, (0, 1)), 404, "video_not_found"),
    "no thumbnail yet": (lambda w: w.client.get(f"/media/{w.empty}/thumbnail"), 404, "thumbnail_not_found"),
    "no such version": (lambda w: w.client.get(f"/timeline/{w.full}/version/99"), 404, "timeline_version_not_found"),
    "no current version": (lambda w: w.client.get(f"/timeline/{w.empty}/current"), 404, "timeline_version_not_found"),
    "nothing to restore": (lambda w: w.client.post(f"/timeline/{w.empty}/restore/1"), 404, "timeline_version_not_found"),
    # 405
    "a method that nobody knows": (lambda w: w.client.open("/projects/", method="BREW"), 405, "method_not_allowed"),
    "a method of another address": (lambda w: w.client.delete("/media/upload"), 405, "method_not_allowed"),
    "writing to the root": (lambda w: w.client.post("/"), 405, "method_not_allowed"),
    # 409, 412
    "deleting the current version": (lambda w: w.client.delete(f"/timeline/{w.current}"), 409, "conflict"),
    "a version that is no longer current": (lambda w: save_with(w, '"1-0123456789abcdef"'), 412, "precondition_failed"),
    "a tag of another server": (lambda w: save_with(w, '"abc"'), 412, "precondition_failed"),
    "a weak tag": (lambda w: save_with(w, 'W/"1-0123456789abcdef"'), 412, "precondition_failed"),
    # 413
    "a body over the limit": (lambda w: raw(w, "/projects", bytes(33 * 2**20)), 413, "body_too_large"),
    "a timeline over MongoDB's limit": (
        lambda w: w.client.post("/timeline/", json={"project_id": w.full, "timeline_state": {"note": "x" * 2**24}}),
        413,
        "timeline_too_large",
    ),
    # 415
    "a patch of an unknown kind": (
        lambda w: w.client.patch(f"/projects/{w.full}", data=b"{}", content_type="text/plain"),
        415,
        "unsupported_media_type",
    ),
    # 422
    "a missing field": (lambda w: w.client.post("/projects", json={}), 422, "validation_failed"),
    "a wrong field": (lambda w: w.client.post("/projects", json={"name": 7}), 422, "validation_failed"),
    "a body that is no object": (lambda w: w.client.post("/projects", json=[1]), 422, "validation_failed"),
    "a form in place of JSON": (lambda w: w.client.post("/projects", data={"name": "x"}), 422, "validation_failed"),
    "no body": (lambda w: w.client.post("/projects"), 422, "validation_failed"),
    "a wrong query": (lambda w: w.client.get("/projects?limit=x"), 422, "validation_failed"),
    "a wrong header": (lambda w: w.client.get("/projects", headers={"X-User-Id": "x" * 129}), 422, "validation_failed"),
    "a wrong form": (lambda w: w.client.post("/media/transcribe", data={}), 422, "validation_failed"),
    "an upload without a file": (lambda w: w.client.post("/media/upload"), 422, "validation_failed"),
    "a segment outside of the video": (lambda w: trim(w.client, w.full, (9, 1)), 422, "validation_failed"),
    "a wrong timeline": (
        lambda w: w.client.post("/timeline/", json={"project_id": w.full, "timeline_state": {"layers": 1}}),
        422,
        "validation_failed",
    ),
    # 501, 503
    "signing in": (lambda w: w.client.post("/auth/login", json={"password": "x"}), 501, "not_offered"),
    "transcription": (
        lambda w: w.client.post("/media/transcribe", data={"project_id": w.full}),
        503,
        "speech_unavailable",
    ),
}


@pytest.mark.parametrize("name", FAILURES)
def test_every_failure_has_the_one_shape(world: World, name: str) -> None:
    fail, status, code = FAILURES[name]

    assert_error(fail(world), status, code)


def test_a_failure_changes_nothing(world: World) -> None:
    def stored() -> list[object]:
        paths = (f"/projects/{world.full}", f"/timeline/{world.full}", f"/timeline/{world.full}/history")
        return [world.client.get(path).get_json() for path in paths]

    before = stored()

    for fail, _, _ in FAILURES.values():
        fail(world)

    assert stored() == before


def kinds(parent: type[ProjectApiError] = ProjectApiError) -> Iterator[type[ProjectApiError]]:
    """Return every kind of error there is, in whatever module it is."""
    yield parent
    for child in parent.__subclasses__():
        yield from kinds(child)


@pytest.mark.parametrize("kind", list(kinds()), ids=lambda kind: kind.__name__)
def test_every_kind_of_error_has_the_one_shape(
    make_app: AppMaker, monkeypatch: pytest.MonkeyPatch, kind: type[ProjectApiError]
) -> None:
    app = make_app()
    extra = {"currentVersion": 3} if issubclass(kind, PreconditionFailed) else None

    def fail(*_: object) -> None:
        raise kind(extra=extra) from ValueError("pymongo said: mongodb://user:secret@host in /tmp/x")

    monkeypatch.setattr(app.extensions["projectapi"].projects, "list_projects", fail)

    response = app.test_client().get("/projects")

    assert_error(response, kind.status, kind.code)
    assert "secret" not in response.get_data(as_text=True)
    assert ("Retry-After" in response.headers) == (kind.status in (423, 429, 503))


def test_codes_are_told_apart() -> None:
    codes = [kind.code for kind in kinds()]

    assert len(codes) == len(set(codes))


@pytest.mark.parametrize("path", ["/projects/", "/projects"])
def test_a_wrong_method_is_told_the_right_ones(client: FlaskClient, path: str) -> None:
    response = client.delete(path)

    body = assert_error(response, 405, "method_not_allowed")
    assert body["detail"] == "Method Not Allowed"
    assert {"GET", "POST"} <= {method.strip() for method in response.headers["Allow"].split(",")}


def test_an_unknown_address_is_said_as_it_always_was(client: FlaskClient) -> None:
    assert assert_error(client.get("/nowhere"), 404, "not_found")["detail"] == "Not Found"


def test_a_lost_race_is_told_with_the_current_version(world: World) -> None:
    response = save_with(world, '"1-0123456789abcdef"')

    body = assert_error(response, 412, "precondition_failed")
    assert body["currentVersion"] == 2


def test_a_refused_field_is_named_with_its_place_and_a_reason(client: FlaskClient) -> None:
    body = assert_error(client.post("/projects", json={"name": "x" * 256, "description": 7}), 422, "validation_failed")

    assert {tuple(problem["loc"]) for problem in body["detail"]} == {("body", "name"), ("body", "description")}
    assert body["error"].startswith("name: ")


@pytest.mark.parametrize("sent", ["abc-123", "0123456789abcdef", "a" * 128])
def test_a_requests_own_id_comes_back(client: FlaskClient, sent: str) -> None:
    body = assert_error(client.get("/nowhere", headers={"X-Request-Id": sent}), 404, "not_found")

    assert body["requestId"] == sent


@pytest.mark.parametrize("sent", ["", "a" * 129, "has spaces", "<script>", "ünï"])
def test_an_id_that_is_not_fit_for_a_log_is_replaced(client: FlaskClient, sent: str) -> None:
    response = client.get("/nowhere", headers={"X-Request-Id": sent})

    body: dict[str, Any] = assert_error(response, 404, "not_found")
    assert body["requestId"] != sent
