"""The addresses that say who this is and whether it is well; none of them needs a database to answer."""

from __future__ import annotations

import time
from collections.abc import Mapping

from flask import Blueprint, Flask, Response, current_app, jsonify

from projectapi.api.checkup import Checkup, Result, described, overall
from projectapi.api.context import backend
from projectapi.api.documentation import documented, plain
from projectapi.errors import Unavailable
from projectapi.project import FRESH_START, JsonObject, now
from projectapi.protocols import State
from projectapi.schemas.shapes.fields import Answer
from projectapi.schemas.shapes.health import (
    Alive,
    Description,
    Greeting,
    HealthMetrics,
    Readiness,
    ReadinessInDetail,
    Status,
    StatusSince,
)
from projectapi.schemas.times import wire_time

blueprint = Blueprint("health", __name__)

_CHECKUP = "projectapi.checkup"
_STARTED = time.monotonic()


def _unready(shape: type[Answer]) -> JsonObject:
    """Return the documentation of the same answer with the status of trouble."""
    error = {"$ref": "#/components/schemas/Error"}
    # Under allOf, where it takes the place of the list that errors alone have.
    content = {"application/json": {"schema": {"allOf": [{"anyOf": [shape, error]}]}}}
    return {"responses": {"503": {"description": "No work can be accepted now.", "content": content}}}


def init_app(app: Flask) -> None:
    """Give `app` its checkup."""
    app.extensions[_CHECKUP] = Checkup(app.extensions["projectapi"].checks)


def checkup() -> Checkup:
    """Return the checkup of this application."""
    found = current_app.extensions[_CHECKUP]
    assert isinstance(found, Checkup)
    return found


def uptime_seconds() -> float:
    """Return for how long this worker process runs."""
    return round(time.monotonic() - _STARTED, 3)


def fresh(body: JsonObject, status: int = 200) -> Response:
    """Return an answer that nobody on the way keeps; one with status 503 says when to ask again."""
    response = jsonify(body)
    response.status_code = status
    response.headers["Cache-Control"] = "no-store"
    if status == 503:
        response.headers["Retry-After"] = str(Unavailable.retry_after_seconds)
    return response


@blueprint.get("/")
@documented(answer=plain(Description), stores=False)
def describe() -> Response:
    """Say which API this is, where its documentation lies, and that storage is permanent now."""
    return jsonify({"message": "projectapi", "version": backend().version, "docs": "/docs", "notice": FRESH_START})


@blueprint.get("/health")
@documented(answer=plain(Alive), stores=False)
def check_alive() -> Response:
    """Say that this process answers."""
    return fresh({"status": "healthy"})


@blueprint.get("/health/ready")
@documented(answer=plain(Readiness), stores=False, more=_unready(Readiness))
def check_ready() -> Response:
    """Say how each part is; 503 only when work cannot be accepted."""
    results = checkup().results()
    return fresh(_report(results), 503 if overall(results) is State.UNHEALTHY else 200)


@blueprint.get("/health/health")
@documented(answer=plain(StatusSince), stores=False)
def check_health() -> Response:
    """Say that this process answers, since when and in which version."""
    return fresh(_signed({"status": "healthy", "uptime_seconds": uptime_seconds()}))


@blueprint.get("/health/health/detailed")
@documented(answer=plain(ReadinessInDetail), stores=False)
def check_in_detail() -> Response:
    """Say how each part is; always 200, as this address is for people."""
    return fresh({**_report(checkup().results()), "uptime_seconds": uptime_seconds()})


@blueprint.get("/health/status")
@documented(answer=plain(StatusSince), stores=False)
def show_status() -> Response:
    """Say in one word how this service is."""
    return fresh(_signed({"status": overall(checkup().results()).value, "uptime_seconds": uptime_seconds()}))


@blueprint.get("/health/metrics")
@documented(answer=plain(HealthMetrics), stores=False)
def show_metrics() -> Response:
    """Say how long each part took to answer, in milliseconds, and for how long this worker runs."""
    results = checkup().results()
    took = {name: round(result.seconds * 1000, 1) for name, result in results.items()}
    return fresh(_signed({"uptime_seconds": uptime_seconds(), "check_milliseconds": took}))


@blueprint.get("/health/readiness")
@documented(answer=plain(Status), stores=False, more=_unready(Status))
def check_readiness() -> Response:
    """Say whether work can be accepted; 503 when it cannot."""
    is_ready = overall(checkup().results()) is not State.UNHEALTHY
    return fresh(_signed({"status": "ready" if is_ready else "not ready"}), 200 if is_ready else 503)


@blueprint.get("/health/liveness")
@documented(answer=plain(Status), stores=False)
def check_liveness() -> Response:
    """Say that this process answers."""
    return fresh(_signed({"status": "alive"}))


@blueprint.route("/test", methods=["GET", "POST"])
@documented(answer=plain(Greeting), stores=False)
def test_connection() -> Response:
    """Answer whoever wants to see whether the API can be reached."""
    return jsonify({"message": "projectapi can be reached"})


def _report(results: Mapping[str, Result]) -> JsonObject:
    return _signed({"status": overall(results).value, "checks": described(results)})


def _signed(body: JsonObject) -> JsonObject:
    return {**body, "version": backend().version, "timestamp": wire_time(now())}
