"""What hosts, monitoring systems and people ask: is it alive, can it work, how is each part."""

from __future__ import annotations

import shutil
import threading
import time
from collections import namedtuple
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from projectapi.api import checkup
from projectapi.api.checkup import Checkup
from projectapi.protocols import Finding, State
from tests.conftest import AppMaker
from tests.contract.calls import create_project

JsonObject = dict[str, Any]


def test_a_sound_installation_is_alive_and_ready(client: FlaskClient) -> None:
    assert client.get("/health").get_json() == {"status": "healthy"}

    answer = client.get("/health/ready")
    body = answer.get_json()

    assert answer.status_code == 200 and answer.headers["Cache-Control"] == "no-store"
    assert list(body["checks"]) == ["mongodb", "redis", "disk", "videos", "schema"]
    assert body["status"] == "healthy", body
    for check in body["checks"].values():
        assert check["state"] == "healthy" and check["milliseconds"] >= 0
    assert body["checks"]["disk"]["free_bytes"] > 0 and body["checks"]["disk"]["writable"] is True
    assert body["checks"]["schema"]["set_up"] is True
    assert body["checks"]["schema"]["database_version"] == body["checks"]["schema"]["code_version"]


HEALTH: dict[str, tuple[str, set[str]]] = {
    "/health/health": ("healthy", {"uptime_seconds"}),
    "/health/health/detailed": ("healthy", {"checks", "uptime_seconds"}),
    "/health/status": ("healthy", {"uptime_seconds"}),
    "/health/readiness": ("ready", set()),
    "/health/liveness": ("alive", set()),
}


@pytest.mark.parametrize("path", HEALTH)
def test_the_addresses_of_an_older_backend_answer_without_an_envelope(client: FlaskClient, path: str) -> None:
    status, more = HEALTH[path]

    answer = client.get(path)

    assert answer.status_code == 200 and answer.get_json()["status"] == status
    assert answer.get_json().keys() == {"status", "timestamp", "version"} | more


def test_health_metrics_name_every_part(client: FlaskClient) -> None:
    body = client.get("/health/metrics").get_json()

    assert body["check_milliseconds"].keys() == {"mongodb", "redis", "disk", "videos", "schema"}
    assert body["uptime_seconds"] > 0


def test_a_database_that_nobody_set_up_is_told_and_work_is_accepted(light_client: FlaskClient) -> None:
    answer = light_client.get("/health/ready")

    schema = answer.get_json()["checks"]["schema"]
    assert (answer.status_code, answer.get_json()["status"]) == (200, "degraded")
    assert (schema["set_up"], schema["advice"]) == (False, "Run `flask db init`.")
    assert answer.get_json()["checks"]["redis"]["configured"] is False


def test_a_database_that_is_newer_than_the_program_takes_no_work(light_app: Flask) -> None:
    database = light_app.extensions["projectapi"].schema._database
    database["metadata"].insert_one({"_id": "main", "schemaVersion": 999})

    answer = light_app.test_client().get("/health/ready")

    assert (answer.status_code, answer.get_json()["checks"]["schema"]["state"]) == (503, "unhealthy")
    assert int(answer.headers["Retry-After"]) > 0
    assert light_app.test_client().get("/health/readiness").status_code == 503


def test_an_address_for_people_answers_200_whatever_it_tells_and_asks_nobody_to_come_back(light_app: Flask) -> None:
    database = light_app.extensions["projectapi"].schema._database
    database["metadata"].insert_one({"_id": "main", "schemaVersion": 999})

    answer = light_app.test_client().get("/health/health/detailed")

    assert (answer.status_code, answer.get_json()["status"]) == (200, "unhealthy")
    assert "Retry-After" not in answer.headers


def test_a_full_disk_is_told_and_saves_are_still_accepted(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(100, 100, 0))

    answer = client.get("/health/ready")

    disk = answer.get_json()["checks"]["disk"]
    assert (answer.status_code, disk["state"], disk["free_bytes"]) == (200, "degraded", 0)


class Broken:
    """A check that does what it should not."""

    name = "broken"
    when_silent = Finding(State.DEGRADED, {"seen": False})

    def __init__(self, look: Callable[[], Finding]) -> None:
        self.look = look


def test_a_check_that_hangs_holds_nobody_up_and_is_not_started_twice() -> None:
    hanging, runs = threading.Event(), []

    def hang() -> Finding:
        runs.append(1)
        hanging.wait(30)
        return Finding(State.HEALTHY)

    doctor = Checkup([Broken(hang)], seconds=0.05)
    started = time.monotonic()
    found = [doctor.results()["broken"].finding.state for _ in range(3)]
    took = time.monotonic() - started
    hanging.set()

    assert found == [State.DEGRADED] * 3 and len(runs) == 1
    assert took < 5


def test_a_check_that_fails_says_nothing_of_its_inside(caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> Finding:
        raise RuntimeError("the password is swordfish")

    results = Checkup([Broken(fail)], seconds=5).results()

    assert "swordfish" not in str(checkup.described(results))
    assert checkup.described(results)["broken"]["state"] == "degraded"
    assert [record.getMessage() for record in caplog.records] == ["the check of broken failed"]


PERFORMANCE_READS: dict[str, set[str]] = {
    "metrics": {"uptime_seconds", "cache", "check_milliseconds"},
    "metrics/detailed": {"uptime_seconds", "cache", "checks"},
    "database": {"mongodb", "schema"},
    "optimization/suggestions": {"suggestions"},
    "status": {"status", "monitoring", "uptime_seconds"},
}


@pytest.mark.parametrize("path", PERFORMANCE_READS)
def test_figures_of_performance_come_with_success_data_and_a_timestamp(client: FlaskClient, path: str) -> None:
    answer = client.get(f"/performance/{path}")

    body = answer.get_json()
    assert answer.status_code == 200 and body["success"] is True
    assert body.keys() == {"success", "data", "timestamp"} and body["timestamp"].endswith("Z")
    assert body["data"].keys() == PERFORMANCE_READS[path]


@pytest.mark.parametrize("path", ["monitoring/start", "monitoring/stop", "metrics/reset"])
def test_orders_to_performance_are_answered_by_a_message(client: FlaskClient, path: str) -> None:
    answer = client.post(f"/performance/{path}")

    assert answer.status_code == 200 and answer.get_json().keys() == {"success", "message", "timestamp"}
    assert client.get("/performance/status").get_json()["data"]["monitoring"] is True


def test_the_cache_s_figures_are_those_of_the_reads_since_the_last_reset(client: FlaskClient) -> None:
    path = f"/projects/{create_project(client)}"
    client.post("/performance/metrics/reset")

    sources = [client.get(path).headers["X-Cache"].lower() for _ in range(5)]

    cache: JsonObject = client.get("/performance/metrics/detailed").get_json()["data"]["cache"]
    assert cache["reads"] == 5 and cache["hit"] == sources.count("hit")
    assert cache["hit_ratio"] == sources.count("hit") / 5
    assert cache["by_kind"] == {"project": {source: sources.count(source) for source in set(sources)}}


def test_suggestions_say_what_to_do_and_nothing_when_all_is_well(client: FlaskClient, make_app: AppMaker) -> None:
    client.post("/performance/metrics/reset")
    bare = make_app().test_client()

    assert client.get("/performance/optimization/suggestions").get_json()["data"]["suggestions"] == []
    found = bare.get("/performance/optimization/suggestions").get_json()["data"]["suggestions"]
    assert {suggestion["area"] for suggestion in found} == {"redis", "schema"}
