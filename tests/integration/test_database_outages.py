"""MongoDB vanishes, hangs, is away at the start and comes back: nobody waits long, and nothing has to be restarted."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from flask.testing import FlaskClient
from pymongo import MongoClient
from werkzeug.test import TestResponse

from projectapi.project import new_id
from tests.contract.calls import create_project, save
from tests.contract.shapes import assert_success
from tests.contract.timelines import make_state
from tests.errors_shape import assert_error
from tests.harness.caller import Caller
from tests.harness.failing_server import ALL_COMMANDS, failing
from tests.harness.killable import GunicornApp, running, set_up_database
from tests.harness.outages import ClientMaker, Servers, take_away
from tests.harness.tcp_proxy import Mode, TcpProxy
from tests.harness.whole_app import ROOT, wait_for

FALL_BACK_SECONDS = 2.0
PATIENCE_SECONDS = 6.5
AT_ONCE_SECONDS = 0.3
NORMAL_SECONDS = 1.0
HEALTH_SECONDS = 1.0
HANG_SECONDS = 10.0


@pytest.fixture
def client(make_client: ClientMaker) -> FlaskClient:
    """A client of one application, with the deadlines that everybody has."""
    return make_client()


@pytest.fixture
def opened(client: FlaskClient) -> str:
    """The address of a project with a timeline that somebody has just opened from the cache."""
    project_id = create_project(client, "Holiday")
    save(client, project_id, make_state())
    path = f"/projects/{project_id}"
    wait_for(lambda: client.get(path).headers["X-Cache"] == "HIT", HANG_SECONDS, "the project to be in the cache")
    return path


def timed(call: Callable[[], TestResponse]) -> tuple[float, TestResponse]:
    """Return how long an answer took, and the answer."""
    started = time.monotonic()
    response = call()
    return time.monotonic() - started, response


def unopened(client: FlaskClient) -> TestResponse:
    """Ask for something that no cache has."""
    return client.get("/projects", headers={"X-User-Id": new_id()})


def through(proxy: TcpProxy) -> str:
    """Return the URI of MongoDB behind a proxy; the server names itself a replica set and would be found past it."""
    return f"mongodb://127.0.0.1:{proxy.port}/?directConnection=true"


def create_unwatched(client: FlaskClient) -> TestResponse:
    """Create a project, which may fail."""
    return client.post("/projects", json={"name": "Lost"})


def rename(client: FlaskClient, path: str, name: str) -> TestResponse:
    """Rename a project."""
    return client.put(path, json={"name": name})


def seconds_until_normal(client: FlaskClient, path: str) -> float:
    """Return how long it takes until reads are current and writes are taken again."""
    started = time.monotonic()
    wait_for(lambda: client.get(path).headers.get("X-Cache") != "STALE", HANG_SECONDS, "a current answer")
    wait_for(lambda: rename(client, path, "Back").status_code == 200, HANG_SECONDS, "a write to be taken")
    return time.monotonic() - started


@pytest.mark.parametrize("how", ["killed", "frozen"])
def test_the_first_read_falls_back_soon_later_ones_at_once_and_all_is_normal_within_a_second(
    client: FlaskClient, servers: Servers, opened: str, how: str
) -> None:
    known = client.get(opened).get_data()

    # When MongoDB is gone
    take_away(servers.mongodb, how)

    # Then the first read that notices has the last known state soon, and the next ones have it at once
    took, answer = timed(lambda: client.get(opened))
    while answer.headers["X-Cache"] != "STALE":
        took, answer = timed(lambda: client.get(opened))
        assert answer.status_code == 200
    assert answer.get_data() == known
    assert took < FALL_BACK_SECONDS
    later = [timed(lambda: client.get(opened)) for _ in range(5)]
    assert {answer.headers["X-Cache"] for _, answer in later} == {"STALE"}
    # Not the longest: it is one that the machine was busy during.
    assert median(seconds for seconds, _ in later) < AT_ONCE_SECONDS
    assert max(seconds for seconds, _ in later) < NORMAL_SECONDS

    # And what has nothing to fall back to is refused: first after an election's time, then at once
    took, refused = timed(lambda: unopened(client))
    assert_error(refused, 503, "database_unavailable")
    assert int(refused.headers["Retry-After"]) > 0
    assert took < PATIENCE_SECONDS
    for call in (unopened, lambda client: rename(client, opened, "Lost"), create_unwatched):
        took, refused = timed(lambda call=call: call(client))
        assert_error(refused, 503, "database_unavailable")
        assert took < AT_ONCE_SECONDS

    # When it answers again, then a second later nothing reminds of it
    servers.mongodb.thaw_or_start()
    assert seconds_until_normal(client, opened) < NORMAL_SECONDS
    assert assert_success(client.get(opened))["name"] == "Back"


def test_a_restart_of_mongodb_is_ridden_out_by_whoever_saves(
    client: FlaskClient, servers: Servers, opened: str
) -> None:
    servers.mongodb.kill()
    back = threading.Timer(1.0, servers.mongodb.start)
    back.start()

    answer = rename(client, opened, "Saved")
    back.join()

    assert assert_success(answer)["name"] == "Saved"


def test_connections_that_drop_for_a_second_are_noticed_by_nobody_who_saves(
    make_client: ClientMaker, servers: Servers
) -> None:
    with TcpProxy(servers.mongodb.port) as proxy:
        client = make_client(mongodb_uri=through(proxy))
        path = f"/projects/{create_project(client)}"
        proxy.switch(Mode.DROP)
        # Also by those who begin when it is known already
        wait_for(lambda: client.get("/health/ready").status_code == 503, HANG_SECONDS, "MongoDB to be missed")
        threading.Timer(1.0, lambda: proxy.switch(Mode.PASS)).start()

        assert [rename(client, path, name).status_code for name in "abc"] == [200] * 3
        assert assert_success(client.get(path))["name"] == "c"
        client.application.extensions["projectapi"].close()


def test_a_mongodb_that_swallows_everything_holds_nobody_for_long(make_client: ClientMaker, servers: Servers) -> None:
    with TcpProxy(servers.mongodb.port) as proxy:
        client = make_client(mongodb_uri=through(proxy))
        path = f"/projects/{create_project(client)}"
        proxy.switch(Mode.BLACKHOLE)

        took, answer = timed(lambda: rename(client, path, "Lost"))
        assert answer.status_code == 503 and took < HANG_SECONDS
        took, answer = timed(lambda: rename(client, path, "Lost"))
        assert answer.status_code == 503 and took < AT_ONCE_SECONDS

        proxy.switch(Mode.PASS)
        wait_for(lambda: rename(client, path, "Kept").status_code == 200, HANG_SECONDS, "a write to be taken")
        client.application.extensions["projectapi"].close()


@dataclass(frozen=True)
class SlowDatabase:
    """An application on a MongoDB that takes its time for commands, though not for heartbeats, while `slow` says so."""

    client: FlaskClient
    admin: MongoClient[dict[str, Any]]

    def slow(self, milliseconds: int) -> AbstractContextManager[None]:
        """Have every command take so long while the block runs."""
        how = {"blockConnection": True, "blockTimeMS": milliseconds, "appName": "projectapi"}
        return failing(self.admin, ALL_COMMANDS, "alwaysOn", **how)


@pytest.fixture
def slow_database(
    make_client: ClientMaker, servers: Servers, failing_uri: str, admin: MongoClient[dict[str, Any]]
) -> SlowDatabase:
    """An application on a database that can be made slow."""
    set_up_database(failing_uri, servers.redis.uri, servers.media_dir)
    return SlowDatabase(make_client(mongodb_uri=failing_uri), admin)


def save_timeline(client: FlaskClient, project_id: str) -> TestResponse:
    return client.post("/timeline/", json={"project_id": project_id, "timeline_state": make_state()})


def create_with_key(client: FlaskClient, _project_id: str) -> TestResponse:
    return client.post("/projects", json={"name": "Slow"}, headers={"Idempotency-Key": new_id()})


def open_project(client: FlaskClient, project_id: str) -> TestResponse:
    return client.get(f"/projects/{project_id}")


def test_a_mongodb_that_is_slow_for_every_command_holds_nobody_longer_than_one_deadline(
    slow_database: SlowDatabase,
) -> None:
    client = slow_database.client
    project_id = create_project(client)

    # When each command takes so long that the deadlines of a request's operations, one after the other, would be a long time
    with slow_database.slow(4500), ThreadPoolExecutor() as users:
        calls = (save_timeline, create_with_key, open_project)
        begun = [users.submit(timed, partial(call, client.application.test_client(), project_id)) for call in calls]
        answers = [user.result() for user in begun]

    # Then every request is answered within the time that one request has
    assert [seconds for seconds, _ in answers if seconds >= HANG_SECONDS] == []
    assert {answer.status_code for _, answer in answers} <= {200, 503}
    # And what was refused can be done afterwards
    assert_success(save_timeline(client, project_id))


def test_started_while_mongodb_is_away_it_says_so_refuses_and_recovers_by_itself(servers: Servers, tmp_path: Path) -> None:
    servers.mongodb.kill()
    uris = {"mongodb_uri": servers.mongodb.uri, "redis_url": servers.redis.uri}
    app = GunicornApp(tmp_path, **uris, workers=1, DATABASE_DEADLINE_SECONDS="2")
    with running(app), Caller([app.port], new_id()) as caller:
        wait_for(lambda: "MongoDB cannot be reached" in app.log.read_text(), HANG_SECONDS, "a line in the log")
        refused = caller.call("POST", "/projects", {"name": "Early"})
        assert refused.status == 503 and int(refused.headers["Retry-After"]) > 0
        wait_for(lambda: caller.call("GET", "/health/ready").status == 503, HANG_SECONDS, "the checkup to miss MongoDB")
        assert app.log.read_text().count("MongoDB cannot be reached") == 1

        servers.mongodb.start()

        started = time.monotonic()
        wait_for(lambda: caller.call("GET", "/projects").status == 200, HANG_SECONDS, "a read to be answered")
        assert time.monotonic() - started < NORMAL_SECONDS
        # The first write of a worker waits until nobody can know an older state of the cache
        assert caller.call("POST", "/projects", {"name": "Now"}).status == 200
        wait_for(lambda: "MongoDB is back" in app.log.read_text(), HANG_SECONDS, "a line in the log")


def test_a_release_without_mongodb_fails_in_plain_words(tmp_path: Path) -> None:
    uri = {"MONGODB_URI": "mongodb://user:swordfish@127.0.0.1:9/", "DATABASE_DEADLINE_SECONDS": "1"}
    environment = {"HOME": str(tmp_path), "APP_ENV": "production", **uri}
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "db", "init"]

    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)

    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("Error: The database was not set up: MongoDB cannot be reached.")
    assert "Traceback" not in done.stderr and "Topology" not in done.stderr and "swordfish" not in done.stderr


@pytest.mark.parametrize("how", ["killed", "frozen"])
def test_readiness_says_quickly_that_mongodb_is_away_and_that_it_is_back(
    client: FlaskClient, servers: Servers, how: str
) -> None:
    wait_for(lambda: client.get("/health/ready").status_code == 200, HANG_SECONDS, "what an outage before this one left")

    take_away(servers.mongodb, how)

    took, answer = timed(lambda: client.get("/health/ready"))
    assert took < HEALTH_SECONDS
    wait_for(lambda: client.get("/health/ready").status_code == 503, HANG_SECONDS, "MongoDB to be missed")
    took, answer = timed(lambda: client.get("/health/ready"))
    checks = answer.get_json()["checks"]
    assert took < HEALTH_SECONDS
    assert [checks[name]["state"] for name in ("mongodb", "redis", "disk")] == ["unhealthy", "healthy", "healthy"]
    assert client.get("/health/readiness").status_code == 503
    assert client.get("/health").status_code == client.get("/health/liveness").status_code == 200
    assert "127.0.0.1" not in answer.get_data(as_text=True)

    servers.mongodb.thaw_or_start()
    started = time.monotonic()
    wait_for(lambda: client.get("/health/ready").status_code == 200, HANG_SECONDS, "MongoDB to be found")
    assert time.monotonic() - started < NORMAL_SECONDS


@pytest.mark.parametrize("how", ["killed", "frozen"])
def test_without_redis_work_is_accepted_and_readiness_says_what_is_missing(
    client: FlaskClient, servers: Servers, how: str
) -> None:
    take_away(servers.redis, how)

    took, answer = timed(lambda: client.get("/health/ready"))

    assert took < HEALTH_SECONDS
    assert (answer.status_code, answer.get_json()["status"]) == (200, "degraded")
    assert answer.get_json()["checks"]["redis"]["state"] == "degraded"
