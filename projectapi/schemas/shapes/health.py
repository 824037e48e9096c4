"""Answers of the addresses that say who this is and whether it is well."""

from __future__ import annotations

from projectapi.project import JsonObject
from projectapi.schemas.shapes.fields import EXAMPLE_MOMENT, Answer, moment_field, number_field, object_field, text_field

_CHECKS: JsonObject = {
    "mongodb": {"state": "healthy", "milliseconds": 1.2, "circuit": "closed"},
    "redis": {"state": "healthy", "milliseconds": 0.4, "configured": True, "circuit": "closed", "cache": "on"},
    "disk": {"state": "healthy", "milliseconds": 0.1, "free_bytes": 53_000_000_000, "writable": True},
    "schema": {"state": "healthy", "milliseconds": 0.9, "set_up": True, "database_version": 1, "code_version": 1},
}
_CHECKS_MEANING = (
    "Each part by its name: `state` (healthy, degraded, unhealthy, unknown), `milliseconds` that the look took, facts about "
    "it, and `advice` where something can be done."
)
_STATE = "healthy; degraded: works, with less; unhealthy: no work can be accepted."
_MILLISECONDS = {name: check["milliseconds"] for name, check in _CHECKS.items()}


class Description(Answer):
    """Who answers."""

    message = text_field("The name of the API.", "projectapi")
    version = text_field("Its version.", "1.0.0")
    docs = text_field("Where its documentation lies.", "/docs")
    notice = text_field("What users of the backend before should know.")


class Alive(Answer):
    """This process answers."""

    status = text_field("Always the same.", "healthy")


class Greeting(Answer):
    """The API can be reached."""

    message = text_field("For people.", "projectapi can be reached")


class Signed(Answer):
    """Who says so, and when."""

    version = text_field("The version of projectapi.", "1.0.0")
    timestamp = moment_field("When this was said.")


class SignedSince(Signed):
    """Who says so, when, and for how long the worker runs."""

    uptime_seconds = number_field("For how long the worker that answered runs, in seconds.", 86_400.5)


class Status(Signed):
    """How this service is, in one word."""

    status = text_field("In one word.", "healthy")


class StatusSince(Status, SignedSince):
    """How this service is, and for how long the worker runs."""


class Readiness(Signed):
    """How each part is."""

    status = text_field(_STATE, "healthy")
    checks = object_field(_CHECKS_MEANING, _CHECKS)


class ReadinessInDetail(Readiness, SignedSince):
    """How each part is, and for how long the worker runs."""


class HealthMetrics(SignedSince):
    """How long each part took to answer."""

    check_milliseconds = object_field("How long the look at each part took, in milliseconds.", _MILLISECONDS)


def performance_of(description: str, example: JsonObject) -> JsonObject:
    """Return the JSON Schema of an answer below `/performance` with this `data`."""
    return {
        "type": "object",
        "properties": {
            "success": {"const": True, "examples": [True]},
            "data": {"type": "object", "description": description, "examples": [example]},
            "timestamp": _TIMESTAMP,
        },
        "required": ["success", "data", "timestamp"],
    }


_TIMESTAMP: JsonObject = {
    "type": "string",
    "format": "date-time",
    "description": "ISO 8601, UTC.",
    "examples": [EXAMPLE_MOMENT],
}

PERFORMANCE_MESSAGE: JsonObject = {
    "type": "object",
    "properties": {
        "success": {"const": True, "examples": [True]},
        "message": {"type": "string", "description": "For people.", "examples": ["Monitoring costs nothing and stays on."]},
        "timestamp": _TIMESTAMP,
    },
    "required": ["success", "message", "timestamp"],
}

_READS: JsonObject = {"reads": 1200, "hit_ratio": 0.97, "hit": 1164, "miss": 36}

PERFORMANCE_METRICS = performance_of(
    "This worker's reads by where they were answered from, and milliseconds that each part took.",
    {"uptime_seconds": 86_400.5, "cache": _READS, "check_milliseconds": _MILLISECONDS},
)
PERFORMANCE_METRICS_IN_DETAIL = performance_of(
    "The same by kind of answer, and how each part is.",
    {"uptime_seconds": 86_400.5, "cache": {**_READS, "by_kind": {"project": {"hit": 1164, "miss": 36}}}, "checks": _CHECKS},
)
PERFORMANCE_DATABASE = performance_of(
    "How MongoDB is, and the version of its schema.", {name: _CHECKS[name] for name in ("mongodb", "schema")}
)
PERFORMANCE_SUGGESTIONS = performance_of(
    "What can be done, by area.", {"suggestions": [{"area": "schema", "suggestion": "Run `flask db init`."}]}
)
PERFORMANCE_STATUS = performance_of(
    "How this service is.", {"status": "healthy", "monitoring": True, "uptime_seconds": 86_400.5}
)
