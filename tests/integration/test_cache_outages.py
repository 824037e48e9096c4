"""The cached application while MongoDB or Redis is away, over HTTP."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import partial

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.contract.calls import create_project, save
from tests.contract.shapes import assert_success
from tests.contract.timelines import make_state
from tests.errors_shape import assert_error
from tests.harness.outages import ClientMaker, Servers, take_away
from tests.harness.whole_app import wait_for

HANG_SECONDS = 10.0
DEADLINE_SECONDS = 0.5
RECOVERY_SECONDS = 20.0


@pytest.fixture
def make_client(make_client: ClientMaker) -> ClientMaker:
    """Make clients of applications that wait for the database only shortly."""
    return partial(make_client, database_deadline_seconds=DEADLINE_SECONDS)


@pytest.fixture
def client(make_client: ClientMaker) -> FlaskClient:
    """A client of one application."""
    return make_client()


@pytest.fixture
def project_id(client: FlaskClient) -> str:
    """A project with a saved timeline."""
    project_id = create_project(client, "Holiday")
    save(client, project_id, make_state())
    return project_id


def timed(call: Callable[[], TestResponse]) -> TestResponse:
    """Return an answer that must not take long."""
    started = time.monotonic()
    response = call()
    assert time.monotonic() - started < HANG_SECONDS
    return response


def read_until_hit(client: FlaskClient, path: str) -> TestResponse:
    """Return the first answer that comes from the cache."""

    def hit() -> TestResponse | None:
        response = client.get(path)
        return response if response.status_code == 200 and response.headers["X-Cache"] == "HIT" else None

    answer: TestResponse = wait_for(hit, RECOVERY_SECONDS, f"{path} to come from the cache")
    return answer


def wait_for_stale(client: FlaskClient, path: str) -> None:
    """Wait until the cache is trusted no more, since MongoDB has confirmed it too long ago."""
    wait_for(lambda: client.get(path).headers.get("X-Cache") == "STALE", HANG_SECONDS, f"{path} to be marked as stale")


def test_without_mongodb_what_was_read_before_can_still_be_opened(
    client: FlaskClient, servers: Servers, project_id: str
) -> None:
    # Given a project that somebody has opened
    paths = [f"/projects/{project_id}", f"/timeline/{project_id}", f"/timeline/{project_id}/history", "/projects/"]
    known = {path: read_until_hit(client, path) for path in paths}

    # When the database is gone for longer than the cache is trusted without it
    servers.mongodb.kill()
    wait_for_stale(client, paths[0])

    # Then everything is shown as it was last known, marked as such
    for path in paths:
        answer = timed(lambda path=path: client.get(path))
        assert (answer.status_code, answer.headers["X-Cache"]) == (200, "STALE"), path
        assert answer.headers["Warning"] == '110 - "Response is Stale"'
        assert 0 <= int(answer.headers["Age"]) <= RECOVERY_SECONDS
        assert answer.headers["Server-Timing"].startswith("cache;desc=STALE, ")
        assert answer.get_data() == known[path].get_data()

    # And whoever has it already is told so
    again = client.get(paths[0], headers={"If-None-Match": known[paths[0]].headers["ETag"]})
    assert (again.status_code, again.headers["X-Cache"]) == (304, "STALE")


def test_what_was_saved_last_can_be_opened_though_nobody_opened_it_before_mongodb_went_away(
    client: FlaskClient, make_client: ClientMaker, servers: Servers, project_id: str
) -> None:
    # Given another worker, and a save that was acknowledged
    other = make_client()
    read_until_hit(other, f"/projects/{project_id}")
    save(client, project_id, make_state(zoom=7))

    # When the database is gone before anybody reads
    servers.mongodb.kill()

    # Then what was saved is shown, by every worker
    for one in (client, other):
        wait_for_stale(one, f"/projects/{project_id}")
        assert one.get(f"/projects/{project_id}").get_json()["data"]["timeline_state"]["zoom"] == 7
        assert one.get(f"/timeline/{project_id}").get_json()["data"]["zoom"] == 7


def test_without_mongodb_nothing_is_taken_that_would_be_lost_and_afterwards_all_is_as_before(
    client: FlaskClient, servers: Servers, project_id: str
) -> None:
    path, body = f"/projects/{project_id}", {"project_id": project_id, "timeline_state": make_state()}
    known = read_until_hit(client, path).get_data()
    servers.mongodb.kill()

    for write in (
        lambda: client.post("/timeline/", json=body),
        lambda: client.put(path, json={"name": "Lost"}),
        lambda: client.post("/projects", json={"name": "Lost"}),
    ):
        refused = timed(write)
        assert_error(refused, 503, "database_unavailable")
        assert int(refused.headers["Retry-After"]) > 0

    servers.mongodb.start()
    wait_for(lambda: client.get(path).headers.get("X-Cache") in ("MISS", "HIT", "BYPASS"), RECOVERY_SECONDS, "a current answer")
    answer = client.get(path)
    assert answer.get_data() == known
    assert "Warning" not in answer.headers and "Age" not in answer.headers
    assert_success(client.put(path, json={"name": "Kept"}))
    assert assert_success(client.get(path))["name"] == "Kept"


def test_the_last_known_state_is_shown_to_nobody_who_may_not_see_it_and_not_if_it_is_switched_off(
    client: FlaskClient, make_client: ClientMaker, servers: Servers, project_id: str
) -> None:
    # Given an application that shows projects to their owners only, one that shows nothing stale, and a project of which
    # nothing is known since its transcript was changed
    guarded, strict = make_client(ownership="enforced"), make_client(stale_if_error=False)
    path, unknown = f"/projects/{project_id}", create_project(client)
    assert_success(client.post("/transcriptions/", json={"project_id": unknown}))
    for one in (guarded, strict):
        read_until_hit(one, path)

    servers.mongodb.kill()
    wait_for_stale(guarded, path)

    assert_error(timed(lambda: guarded.get(path, headers={"X-User-Id": "a stranger"})), 404, "project_not_found")
    assert_error(timed(lambda: strict.get(path)), 503, "database_unavailable")
    assert_error(timed(lambda: client.get(f"/projects/{unknown}")), 503, "database_unavailable")


@pytest.mark.parametrize("trouble", ["killed", "frozen"])
def test_without_redis_everything_works_and_afterwards_it_is_used_again(
    client: FlaskClient, servers: Servers, project_id: str, trouble: str
) -> None:
    # Given a project in the cache
    path = f"/projects/{project_id}"
    read_until_hit(client, path)

    # When Redis is gone, or does not answer
    take_away(servers.redis, trouble)

    # Then reads and writes go to the database
    for number in range(5):
        renamed = timed(lambda number=number: client.put(path, json={"name": f"Name {number}"}))
        assert renamed.status_code == 200
        answer = timed(lambda: client.get(path))
        assert (answer.headers["X-Cache"], answer.get_json()["data"]["name"]) == ("BYPASS", f"Name {number}")

    # And once it is back, to the cache again, with nothing of the time before
    servers.redis.thaw_or_start()
    assert read_until_hit(client, path).get_json()["data"]["name"] == "Name 4"


def test_without_mongodb_and_redis_a_worker_shows_what_it_holds_itself(
    client: FlaskClient, servers: Servers, project_id: str
) -> None:
    path = f"/projects/{project_id}"
    known = read_until_hit(client, path).get_data()
    servers.mongodb.kill()
    servers.redis.kill()

    answer = timed(lambda: client.get(path))

    assert (answer.headers["X-Cache"], answer.get_data()) == ("STALE", known)


def test_without_a_redis_url_in_production_nothing_is_cached(make_client: ClientMaker) -> None:
    client = make_client(app_env="production", redis_url=None)
    path = f"/projects/{create_project(client)}"

    assert [client.get(path).headers["X-Cache"] for _ in range(3)] == ["BYPASS"] * 3


def test_the_log_says_once_that_there_is_no_cache(
    make_client: ClientMaker, caplog: pytest.LogCaptureFixture
) -> None:
    logger = logging.getLogger("projectapi")
    logger.addHandler(caplog.handler)
    try:
        make_client(app_env="production", redis_url=None)
    finally:
        logger.removeHandler(caplog.handler)

    assert ["REDIS_URL" in message for message in caplog.messages].count(True) == 1
