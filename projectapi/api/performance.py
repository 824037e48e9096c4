"""The addresses below `/performance`: what the worker that answers knows of its own speed.

Each worker process counts for itself; figures of all of them together are what a monitoring system collects.
"""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

from flask import Blueprint, Flask, Response, current_app

from projectapi.api.checkup import described, overall
from projectapi.api.context import backend
from projectapi.api.documentation import documented, plain
from projectapi.api.health import checkup, fresh, uptime_seconds
from projectapi.project import now
from projectapi.schemas.shapes.health import (
    PERFORMANCE_DATABASE,
    PERFORMANCE_MESSAGE,
    PERFORMANCE_METRICS,
    PERFORMANCE_METRICS_IN_DETAIL,
    PERFORMANCE_STATUS,
    PERFORMANCE_SUGGESTIONS,
)
from projectapi.schemas.times import wire_time

blueprint = Blueprint("performance", __name__, url_prefix="/performance")

_COUNTS = "projectapi.cache_counts"
_GOOD_HIT_RATIO = 0.8
_ENOUGH_READS = 100
"""Before this many reads a share says nothing."""


class CacheCounts:
    """How this worker's reads were answered since the last reset, by kind of answer and outcome."""

    def __init__(self) -> None:
        self._before: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()

    def now(self) -> Counter[tuple[str, str]]:
        """Return the counts since the last reset."""
        with self._lock:
            return _all_counts() - self._before

    def reset(self) -> None:
        """Count from zero from now on."""
        with self._lock:
            self._before = _all_counts()


def init_app(app: Flask) -> None:
    """Give `app` its counts."""
    app.extensions[_COUNTS] = CacheCounts()


@blueprint.get("/metrics")
@documented(answer=plain(PERFORMANCE_METRICS), stores=False)
def show_metrics() -> Response:
    """Show how this worker's reads were answered, and how long each part took to answer."""
    took = {name: check["milliseconds"] for name, check in described(checkup().results()).items()}
    return _data({"uptime_seconds": uptime_seconds(), "cache": _summary(_counts().now()), "check_milliseconds": took})


@blueprint.get("/metrics/detailed")
@documented(answer=plain(PERFORMANCE_METRICS_IN_DETAIL), stores=False)
def show_metrics_in_detail() -> Response:
    """Show the same by kind of answer, and how each part is."""
    counts = _counts().now()
    by_kind: dict[str, dict[str, int]] = {}
    for (kind, outcome), count in sorted(counts.items()):
        by_kind.setdefault(kind, {})[outcome.lower()] = count
    cache = {**_summary(counts), "by_kind": by_kind}
    return _data({"uptime_seconds": uptime_seconds(), "cache": cache, "checks": described(checkup().results())})


@blueprint.get("/database")
@documented(answer=plain(PERFORMANCE_DATABASE), stores=False)
def show_database() -> Response:
    """Show how MongoDB is, how long a ping took, and the database's schema version."""
    checks = described(checkup().results())
    return _data({name: checks[name] for name in ("mongodb", "schema")})


@blueprint.get("/optimization/suggestions")
@documented(answer=plain(PERFORMANCE_SUGGESTIONS), stores=False)
def suggest() -> Response:
    """Say what whoever runs this service can do for it."""
    checks, cache = described(checkup().results()), _summary(_counts().now())
    found = [{"area": name, "suggestion": check["advice"]} for name, check in checks.items() if "advice" in check]
    if cache["reads"] >= _ENOUGH_READS and cache["hit_ratio"] < _GOOD_HIT_RATIO:
        advice = "Fewer than four in five reads come from the cache: look at Redis' memory limit and at CACHE_TTL_SECONDS."
        found.append({"area": "cache", "suggestion": advice})
    return _data({"suggestions": found})


@blueprint.get("/status")
@documented(answer=plain(PERFORMANCE_STATUS), stores=False)
def show_status() -> Response:
    """Say how this service is, and that it is always being measured."""
    state = overall(checkup().results())
    return _data({"status": state.value, "monitoring": True, "uptime_seconds": uptime_seconds()})


@blueprint.post("/monitoring/start")
@documented(answer=plain(PERFORMANCE_MESSAGE), stores=False)
def start_monitoring() -> Response:
    """Say that there is nothing to be started."""
    return _message("Monitoring is always on; there is nothing to start.")


@blueprint.post("/monitoring/stop")
@documented(answer=plain(PERFORMANCE_MESSAGE), stores=False)
def stop_monitoring() -> Response:
    """Say that monitoring goes on."""
    return _message("Monitoring costs nothing and stays on.")


@blueprint.post("/metrics/reset")
@documented(answer=plain(PERFORMANCE_MESSAGE), stores=False)
def reset_metrics() -> Response:
    """Let the worker that answers count from zero."""
    _counts().reset()
    return _message("The worker that answered counts from zero again.")


def _counts() -> CacheCounts:
    found = current_app.extensions[_COUNTS]
    assert isinstance(found, CacheCounts)
    return found


def _all_counts() -> Counter[tuple[str, str]]:
    cache = backend().cache
    return Counter(cache.status().counts) if cache is not None else Counter()


def _summary(counts: Counter[tuple[str, str]]) -> dict[str, Any]:
    outcomes: Counter[str] = Counter()
    for (_, outcome), count in counts.items():
        outcomes[outcome.lower()] += count
    reads = outcomes.total()
    return {"reads": reads, "hit_ratio": round(outcomes["hit"] / reads, 4) if reads else None, **outcomes}


def _data(data: dict[str, Any]) -> Response:
    return fresh({"success": True, "data": data, "timestamp": wire_time(now())})


def _message(message: str) -> Response:
    return fresh({"success": True, "message": message, "timestamp": wire_time(now())})
