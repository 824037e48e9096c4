"""The collections as MongoDB keeps them: names, indexes and validators, and their idempotent set-up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.database import Database
from pymongo.errors import CollectionInvalid, OperationFailure

from projectapi.infra.driver_errors import translated
from projectapi.project import DESCRIPTION_MAX, NAME_MAX, OWNER_MAX
from projectapi.stores.documents import Document

PROJECTS = "projects"
TIMELINE_STATES = "timeline_states"
IDEMPOTENCY_KEYS = "idempotency_keys"
JOBS = "jobs"

IDEMPOTENCY_SECONDS = 24 * 3600
"""For how long a repeated request gets the first answer."""

JOB_SECONDS = 24 * 3600
"""For how long a job is remembered."""

BY_PROJECT = "projectId_version"
"""Name of the index over all revisions, committed or not."""

_NOT_AUTHORISED = (13, 8000)
"""MongoDB's own code for a user without the right, and the one that Atlas' shared tiers answer in its place."""

_TEXT = {"bsonType": "string"}
_NUMBER = ["int", "long", "double"]
_WHOLE = ["int", "long"]

INDEXES: dict[str, list[IndexModel]] = {
    PROJECTS: [
        IndexModel([("projectId", ASCENDING)], name="projectId", unique=True),
        IndexModel(
            [("createdBy", ASCENDING), ("isDeleted", ASCENDING), ("updatedAt", DESCENDING), ("_id", DESCENDING)],
            name="owner_updatedAt",
        ),
        IndexModel(
            [("createdBy", ASCENDING), ("isDeleted", ASCENDING), ("createdAt", DESCENDING), ("_id", DESCENDING)],
            name="owner_createdAt",
        ),
        IndexModel(
            [("createdBy", ASCENDING), ("isDeleted", ASCENDING), ("name", ASCENDING), ("_id", ASCENDING)],
            name="owner_name",
        ),
        IndexModel([("createdAt", ASCENDING)], name="createdAt"),
        IndexModel([("isDeleted", ASCENDING), ("deletedAt", ASCENDING), ("_id", ASCENDING)], name="trash_deletedAt"),
        IndexModel(
            [("purgeClaimed", ASCENDING), ("deletedAt", ASCENDING), ("_id", ASCENDING)],
            name="purgeClaimed",
            partialFilterExpression={"purgeClaimed": True},
        ),
        IndexModel([("schemaVersion", ASCENDING)], name="schemaVersion"),
    ],
    TIMELINE_STATES: [
        IndexModel(
            [("projectId", ASCENDING), ("version", DESCENDING)],
            name="projectId_version_committed",
            unique=True,
            partialFilterExpression={"committed": True},
        ),
        IndexModel([("projectId", ASCENDING), ("version", DESCENDING)], name=BY_PROJECT),
        IndexModel([("schemaVersion", ASCENDING)], name="schemaVersion"),
    ],
    IDEMPOTENCY_KEYS: [IndexModel([("createdAt", ASCENDING)], name="expiry", expireAfterSeconds=IDEMPOTENCY_SECONDS)],
    JOBS: [
        IndexModel([("createdAt", ASCENDING)], name="expiry", expireAfterSeconds=JOB_SECONDS),
        IndexModel(
            [("key", ASCENDING), ("active", ASCENDING)],
            name="key_active",
            unique=True,
            partialFilterExpression={"active": True},
        ),
        IndexModel([("active", ASCENDING), ("projectId", ASCENDING)], name="active_projectId"),
        IndexModel([("key", ASCENDING), ("finishedAt", DESCENDING)], name="key_finishedAt"),
    ],
}


def _nullable(kind: str, **limits: Any) -> Document:
    return {"bsonType": [kind, "null"], **limits}


def validators(timeline: Document) -> dict[str, Document]:
    """Return the `$jsonSchema` of each collection that has one; `timeline` is the part that describes a timeline's state."""
    claimed = {"purgeClaimed": {"bsonType": "bool"}}
    leaving = {"discardedAt": _nullable("date"), "orphanedAt": {"bsonType": "date"}}
    return {
        PROJECTS: _strict(_project_fields(timeline), optional=claimed),
        TIMELINE_STATES: _strict(_revision_fields(), optional=leaving),
        JOBS: _job_validator(),
    }


def _project_fields(timeline: Document) -> Document:
    return {
        "projectId": {"bsonType": "string", "minLength": 1, "maxLength": 200},
        "name": {"bsonType": "string", "maxLength": NAME_MAX},
        "description": _nullable("string", maxLength=DESCRIPTION_MAX),
        "createdBy": {"bsonType": "string", "minLength": 1, "maxLength": OWNER_MAX},
        "createdAt": {"bsonType": "date"},
        "updatedAt": {"bsonType": "date"},
        "isDeleted": {"bsonType": "bool"},
        "deletedAt": _nullable("date"),
        "version": {"bsonType": _WHOLE, "minimum": 1},
        "schemaVersion": {"bsonType": _WHOLE, "minimum": 1},
        "lastWrite": _TEXT,
        "recentWrites": {"bsonType": "array", "items": _TEXT},
        "videoPath": _nullable("string"),
        "duration": {"bsonType": [*_NUMBER, "null"], "minimum": 0},
        "thumbnail": _nullable("string"),
        "video": _nullable("object"),
        "timelineState": {**timeline, "bsonType": ["object", "null"]},
        "timelineVersion": {"bsonType": _WHOLE, "minimum": 0},
        "timelineHead": _nullable("object"),
        "unsettledRevisions": {"bsonType": "array", "items": {"bsonType": "objectId"}},
        "transcriptState": _nullable("object"),
    }


def _revision_fields() -> Document:
    return {
        "projectId": {"bsonType": "string", "minLength": 1, "maxLength": 200},
        "version": {"bsonType": _WHOLE, "minimum": 1},
        "parent": _nullable("objectId"),
        "committed": {"bsonType": "bool"},
        "description": _nullable("string", maxLength=DESCRIPTION_MAX * 2),
        "changeSummary": _nullable("string", maxLength=DESCRIPTION_MAX),
        "createdBy": {"bsonType": "string", "minLength": 1, "maxLength": OWNER_MAX},
        "createdAt": {"bsonType": "date"},
        "updatedAt": {"bsonType": "date"},
        "schemaVersion": {"bsonType": _WHOLE, "minimum": 1},
        "encoding": {"enum": ["full", "delta"]},
        "keyframe": {"bsonType": "objectId"},
        "rawBytes": {"bsonType": _WHOLE, "minimum": 2},
        "sha256": _TEXT,
        "state": {"bsonType": "binData"},
    }


def _job_validator() -> Document:
    """Return the `$jsonSchema` of jobs, which are forgotten before any of them could need a migration."""
    required: Document = {
        "projectId": {"bsonType": "string", "minLength": 1, "maxLength": 200},
        "createdBy": {"bsonType": "string", "minLength": 1, "maxLength": OWNER_MAX},
        "key": _TEXT,
        "kind": _TEXT,
        "video": {"bsonType": "object"},
        "arguments": {"bsonType": "object"},
        "state": {"enum": ["queued", "running", "finished", "failed", "cancelled"]},
        "progress": {"bsonType": _NUMBER, "minimum": 0, "maximum": 100},
        "attempts": {"bsonType": _WHOLE, "minimum": 0},
        "createdAt": {"bsonType": "date"},
    }
    dates = {name: {"bsonType": "date"} for name in ("startedAt", "finishedAt", "leaseUntil")}
    flags = {name: {"bsonType": "bool"} for name in ("active", "untold")}
    outcome = {"holder": _TEXT, "result": {"bsonType": "object"}, "error": {"bsonType": "object"}}
    return _strict(required, optional=dates | flags | outcome)


def _strict(required: Document, *, optional: Document) -> Document:
    properties = {**required, **optional}
    return {"$jsonSchema": {"bsonType": "object", "required": sorted(required), "properties": properties}}


def set_up(database: Database[Document], timeline: Document) -> Sequence[str]:
    """Create what is missing, bring validators and indexes up to date, and return a line about each collection.

    It may run at any time and any number of times. A user without the right to change validators (Atlas' `readWrite` lacks
    `collMod`) gets a line that says so; everything else is still done. Raises DatabaseUnavailable.
    """
    report = []
    with translated():
        existing = set(database.list_collection_names())
        checks = validators(timeline)
        for name, indexes in INDEXES.items():
            if name in checks:
                report.append(_set_up_validator(database, name, checks[name], name in existing))
            report.append(_set_up_indexes(database, name, indexes))
    return report


def _set_up_indexes(database: Database[Document], name: str, indexes: list[IndexModel]) -> str:
    try:
        return f"{name}: {len(database[name].create_indexes(indexes))} indexes in place"
    except OperationFailure as error:
        if error.code not in _NOT_AUTHORISED:
            raise
        return (
            f"{name}: WARNING: this database user may not create indexes, so some may be missing and reads may be slow. "
            "Run `flask db init` once as a user with the role readWrite or dbAdmin."
        )


def _set_up_validator(database: Database[Document], name: str, validator: Document, exists: bool) -> str:
    strictly: dict[str, Any] = {"validator": validator, "validationLevel": "strict", "validationAction": "error"}
    try:
        if not exists:
            try:
                database.create_collection(name, **strictly)
                return f"{name}: created, with its validator"
            except CollectionInvalid:
                # Another release step was quicker; its collection still gets this code's validator.
                pass
        database.command("collMod", name, **strictly)
        return f"{name}: validator up to date"
    except OperationFailure as error:
        if error.code not in _NOT_AUTHORISED:
            raise
        return (
            f"{name}: WARNING: this database user may not change validators, so the old one (or none) stays in force. "
            "The API checks everything itself; to add the second check, run `flask db init` once as a user with dbAdmin."
        )
