"""A usual Flask backend: nested marshmallow schemas, and Flask-Caching's `memoize` on the read."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from flask import Flask, Response, abort, jsonify, request
from flask_caching import Cache
from marshmallow import EXCLUDE, Schema, fields
from pymongo import DESCENDING, MongoClient

app = Flask(__name__)
redis_url = os.environ.get("REDIS_URL")
cache_settings = {"CACHE_TYPE": "RedisCache", "CACHE_REDIS_URL": redis_url} if redis_url else {"CACHE_TYPE": "NullCache"}
cache = Cache(app, config={**cache_settings, "CACHE_DEFAULT_TIMEOUT": 300, "CACHE_NO_NULL_WARNING": True})
projects = MongoClient[dict[str, Any]](os.environ["MONGODB_URI"], tz_aware=True)[os.environ["MONGODB_DATABASE"]].projects


class Lenient(Schema):
    """Lets unknown fields pass by."""

    class Meta:
        """Options of the schema."""

        unknown = EXCLUDE


class ClipSchema(Lenient):
    """One clip."""

    id = fields.String(required=True)
    type = fields.String(required=True)
    start_time = fields.Float(required=True)
    end_time = fields.Float(required=True)
    duration = fields.Float(required=True)
    source_path = fields.String(allow_none=True)
    content = fields.String(allow_none=True)
    properties = fields.Dict(allow_none=True)
    keyframes = fields.List(fields.Raw(), allow_none=True)


class LayerSchema(Lenient):
    """One layer."""

    id = fields.String(required=True)
    name = fields.String(required=True)
    type = fields.String(required=True)
    order = fields.Integer()
    clips = fields.List(fields.Nested(ClipSchema))


class TimelineSchema(Lenient):
    """A timeline."""

    layers = fields.List(fields.Nested(LayerSchema))
    playhead_time = fields.Float(allow_none=True)
    zoom = fields.Float(allow_none=True)
    duration = fields.Float(allow_none=True)
    markers = fields.List(fields.Dict())


class SaveSchema(Lenient):
    """The body of a save."""

    project_id = fields.String(required=True)
    timeline_state = fields.Nested(TimelineSchema, required=True)


class ProjectSchema(Lenient):
    """A project."""

    id = fields.String(attribute="_id", data_key="_id", dump_only=True)
    name = fields.String(required=True)
    user_id = fields.String()
    updated_at = fields.DateTime()
    version = fields.Integer()
    timeline_state = fields.Nested(TimelineSchema, allow_none=True, dump_only=True)


PROJECT, SUMMARY, SAVE = ProjectSchema(), ProjectSchema(exclude=["timeline_state"]), SaveSchema()


@cache.memoize()
def find_project(project_id: str) -> dict[str, Any] | None:
    """Return a project as it goes out, or None."""
    document = projects.find_one({"_id": project_id})
    return PROJECT.dump(document) if document else None


@app.post("/projects/")
def create_project() -> Response:
    """Create a project."""
    owner = request.headers.get("X-User-Id", "anonymous")
    document = {"_id": uuid4().hex, **PROJECT.load(request.get_json()), "user_id": owner, "version": 1}
    document |= {"updated_at": datetime.now(UTC), "timeline_state": None}
    projects.insert_one(document)
    return jsonify(success=True, data=PROJECT.dump(document))


@app.get("/projects/")
def list_projects() -> Response:
    """List the newest projects of an owner."""
    owner = request.headers.get("X-User-Id", "anonymous")
    found = projects.find({"user_id": owner}, {"timeline_state": False}).sort("updated_at", DESCENDING).limit(50)
    return jsonify(success=True, data=SUMMARY.dump(found, many=True))


@app.get("/projects/<project_id>")
def get_project(project_id: str) -> Response:
    """Return a project with its timeline."""
    project = find_project(project_id) or abort(404)
    response = jsonify(success=True, data=project)
    response.set_etag(str(project["version"]))
    response.make_conditional(request)
    return response


@app.post("/timeline/")
def save_timeline() -> Response:
    """Save the timeline."""
    body = SAVE.load(request.get_json())
    changed = {"timeline_state": body["timeline_state"], "updated_at": datetime.now(UTC)}
    result = projects.update_one({"_id": body["project_id"]}, {"$set": changed, "$inc": {"version": 1}})
    if not result.matched_count:
        abort(404)
    cache.delete_memoized(find_project, body["project_id"])
    return jsonify(success=True, data=None)


# gunicorn imports this module in the worker, so no client is used on both sides of a fork.
projects.create_index([("user_id", 1), ("updated_at", DESCENDING)])
