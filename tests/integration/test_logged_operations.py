"""The log of a bad day: every operation is in it, and neither a secret nor anything that somebody wrote."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from pymongo import MongoClient

from config import Config
from projectapi import create_app
from projectapi.devstack.servers import MONGODB, EmbeddedServer
from tests.harness.caller import Caller
from tests.harness.failing_server import failing
from tests.harness.killable import GunicornApp, running
from tests.harness.stores import state
from tests.harness.whole_app import wait_for

JsonObject = dict[str, Any]
AppOnServer = Callable[..., Flask]

# What users write, in all the places where they can, and what operators must keep to themselves.
NAME, DESCRIPTION, CLIP, PASSWORD = "MARKNAME", "MARKDESCRIPTION", "MARKCLIP", "MARKPASSWORD"
MARKERS = ("MARK", "s3cret")


BAD_LUCK: list[tuple[str, JsonObject]] = [
    ("find", {"errorCode": 91}),
    ("insert", {"closeConnection": True}),
    ("update", {"errorCode": 8000}),
    ("update", {"errorCode": 10334}),
]


@pytest.fixture
def make(
    failing_uri: str,
    redis_url: str,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[AppOnServer]:
    """Make applications that log everything there is."""
    made = []
    root = logging.getLogger()
    handlers = root.handlers[:]
    # As in a process of its own: what other libraries say must come to the same place.
    root.handlers[:] = []

    def make(**settings: Any) -> Flask:
        given = {"mongodb_uri": failing_uri, "redis_url": redis_url, "log_level": "DEBUG", "log_format": "json", **settings}
        # What stands in for a Redis that is not given has its data there: one folder for this process, and no other's.
        folders = {"media_dir": tmp_path, "instance_dir": tmp_path_factory.getbasetemp() / "instance"}
        app = create_app(Config(app_env="testing", access_log=True, **folders, **given))
        made.append(app)
        return app

    yield make
    for app in made:
        app.extensions["projectapi"].close()
    root.handlers[:] = handlers


def lines_of(capsys: pytest.CaptureFixture[str]) -> list[JsonObject]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def use(app: Flask, request_id: str) -> list[int]:
    """Do what an editor does and return the statuses."""
    client = app.test_client()
    headers = {"X-Request-Id": request_id, "Idempotency-Key": f"MARKKEY-{request_id}"}
    created = client.post("/projects", json={"name": NAME, "description": DESCRIPTION}, headers=headers)
    statuses = [created.status_code]
    project_id = (created.get_json()["data"] or {}).get("_id", "0" * 24)
    saved = state(clips=2, title=CLIP)
    body = {"project_id": project_id, "timeline_state": saved, "description": DESCRIPTION}
    tracing = {"X-Request-Id": request_id}
    statuses.append(client.post("/timeline/", json=body, headers=tracing).status_code)
    statuses.append(client.get(f"/projects/{project_id}", headers=tracing).status_code)
    statuses.append(client.get(f"/projects/?search={NAME}", headers=tracing).status_code)
    broken = {"project_id": project_id, "timeline_state": {"layers": CLIP}}
    statuses.append(client.post("/timeline/", json=broken, headers=tracing).status_code)
    return statuses


def assert_nothing_is_given_away(lines: list[JsonObject]) -> None:
    assert lines
    assert [line for line in lines if any(marker in json.dumps(line) for marker in MARKERS)] == []


def test_every_operation_is_told_with_the_request_that_it_was_for(
    make: AppOnServer, capsys: pytest.CaptureFixture[str]
) -> None:
    app = make()
    app.extensions["projectapi"].schema.set_up()
    capsys.readouterr()

    assert use(app, "editor-1") == [200, 200, 200, 200, 422]

    lines = lines_of(capsys)
    operations = [line for line in lines if line.get("event") == "database" and line["requestId"] == "editor-1"]
    done = {(line["command"], line["collection"], line["outcome"]) for line in operations}
    assert {
        ("insert", "projects", "ok"),
        ("find", "projects", "ok"),
        ("update", "timeline_states", "ok"),
        ("update", "projects", "ok"),
    } <= done
    assert all(line["level"] == "DEBUG" and line["attempt"] == 1 and line["milliseconds"] > 0 for line in operations)
    assert {line["event"] for line in lines if "event" in line} >= {"database", "cache", "request"}
    assert len([line for line in lines if line.get("event") == "request"]) == 5
    assert_nothing_is_given_away(lines)


def test_failures_are_loud_and_show_attempt_and_code(
    make: AppOnServer, admin: MongoClient[JsonObject], capsys: pytest.CaptureFixture[str]
) -> None:
    app = make(redis_url=None)
    app.extensions["projectapi"].schema.set_up()
    use(app, "before")
    capsys.readouterr()

    # Out of time: an error that the driver does not repeat by itself.
    with failing(admin, "find", {"times": 1}, errorCode=50):
        assert use(app, "editor-2") == [200, 200, 200, 200, 422]

    lines = lines_of(capsys)
    failures = [line for line in lines if line.get("event") == "database" and line["outcome"] != "ok"]
    assert [(line["command"], line["level"], line["attempt"]) for line in failures] == [("find", "WARNING", 1)]
    assert (failures[0]["outcome"][-3:], failures[0]["requestId"]) == (" 50", "editor-2")
    assert any(line.get("command") == "find" and line["attempt"] == 2 and line["outcome"] == "ok" for line in lines)
    assert [(line["attempt"], line["requestId"]) for line in lines if line.get("event") == "retry"] == [(1, "editor-2")]
    assert [line["outcome"] for line in lines if line.get("event") == "retried"] == ["recovered"]
    assert_nothing_is_given_away(lines)


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_a_day_on_which_everything_fails_gives_nothing_away(
    make: AppOnServer, admin: MongoClient[JsonObject], log_format: str, capsys: pytest.CaptureFixture[str]
) -> None:
    app = make(log_format=log_format, database_deadline_seconds=0.5)
    app.extensions["projectapi"].schema.set_up()
    use(app, "before")

    for command, how in BAD_LUCK:
        with failing(admin, command, "alwaysOn", **how):
            assert max(use(app, "editor-3")[:-1]) > 400

    shown = capsys.readouterr().err
    assert "WARNING" in shown
    assert "editor-3" in shown
    assert [line for line in shown.splitlines() if any(marker in line for marker in MARKERS)] == []


def test_passwords_that_are_wrong_stay_secret(
    make: AppOnServer, failing_uri: str, redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    host, redis_host = failing_uri.partition("://")[2].rstrip("/").partition("/")[0], redis_url.partition("://")[2]
    away, impatient = "127.0.0.1:1", {"database_deadline_seconds": 0.5}
    apps = [
        make(mongodb_uri=f"mongodb://editor:{PASSWORD}@{host}/?authSource=admin", redis_url=None, **impatient),
        make(mongodb_uri=f"mongodb://editor:{PASSWORD}@{away}/?serverSelectionTimeoutMS=300", redis_url=None, **impatient),
        make(redis_url=f"redis://:{PASSWORD}@{redis_host}"),
        make(redis_url=f"redis://user:{PASSWORD}@{away}/0"),
    ]

    statuses = [use(app, "editor-4")[0] for app in apps]

    assert statuses[1] == 503
    lines = lines_of(capsys)
    assert any(line.get("role") == "lost" for line in lines)
    assert any(line.get("event") == "circuit" and line["open"] for line in lines)
    assert_nothing_is_given_away(lines)


def test_a_server_that_is_lost_and_found_is_told_once_each(
    make: AppOnServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    embedded = EmbeddedServer(MONGODB, tmp_path / "mongodb")
    embedded.start()
    embedded.wait_until_ready()
    app = make(mongodb_uri=embedded.uri, redis_url=None)
    seen: list[JsonObject] = []

    def roles() -> list[str]:
        seen.extend(lines_of(capsys))
        return [line["role"] for line in seen if line.get("event") == "server"]

    try:
        app.extensions["projectapi"].schema.set_up()
        assert roles() == ["RSPrimary"]
    finally:
        embedded.stop()

    wait_for(lambda: roles() == ["RSPrimary", "lost"], 10, "the loss to be told")


def test_slow_operations_are_told_whatever_the_level(make: AppOnServer, capsys: pytest.CaptureFixture[str]) -> None:
    app = make(log_level="WARNING", slow_database_operation_ms=1)
    app.extensions["projectapi"].schema.set_up()

    slow = [line for line in lines_of(capsys) if line.get("event") == "database"]

    assert slow
    assert all(line["level"] == "WARNING" and line["milliseconds"] >= 1 for line in slow)


def test_a_whole_server_writes_nothing_but_json_from_its_first_line_to_its_last(
    failing_uri: str, redis_url: str, tmp_path: Path
) -> None:
    loud = {"LOG_FORMAT": "json", "LOG_LEVEL": "DEBUG", "ACCESS_LOG": "1"}
    secret = {"SECRET_KEY": "MARKKEY", "METRICS_TOKEN": "MARKTOKEN"}
    app = GunicornApp(tmp_path, mongodb_uri=failing_uri, redis_url=redis_url, workers=1, **loud, **secret)

    with running(app), Caller([app.port], "MARKOWNER") as caller:
        caller.call("POST", "/projects", {"name": NAME}, X_Request_Id="editor-5")
        caller.call("GET", "/projects/", X_Request_Id="editor-6")

    lines = [json.loads(line) for line in app.log.read_text().splitlines()]
    assert {line["logger"] for line in lines} >= {"gunicorn.error", "projectapi.access", "projectapi.database"}
    told = {line["requestId"]: line for line in lines if line.get("event") == "request"}
    assert told["editor-5"]["path"] == "/projects"
    assert told["editor-6"]["path"] == "/projects/"
    assert_nothing_is_given_away(lines)
