"""How each candidate is asked for the same things."""

from __future__ import annotations

import json
from urllib.parse import quote

from bench.timelines import compact, timeline
from bench.wire import Reply, exchange, request_bytes

OWNER = "bench"


class Dialect:
    """The requests of projectapi's frontends; the peers in bench/peers take them too."""

    created_status = 200
    save_path = "/timeline/"

    def open(self, project_id: str, **headers: str) -> bytes:
        """Return the request that opens a project with its timeline."""
        return request_bytes("GET", f"/projects/{project_id}", b"", **headers)

    def list(self, owner: str = OWNER) -> bytes:
        """Return the request for the newest 50 projects of an owner."""
        return request_bytes("GET", "/projects/", X_User_Id=owner)

    def create(self, owner: str = OWNER) -> bytes:
        """Return the request that creates a project."""
        return request_bytes("POST", "/projects/", compact({"name": "A film"}), X_User_Id=owner)

    def save(self, project_id: str, clips: int) -> bytes:
        """Return the request that saves a timeline of so many clips."""
        return request_bytes("POST", self.save_path, compact({"project_id": project_id, "timeline_state": timeline(clips)}))

    def created_id(self, reply: Reply) -> str:
        """Return the id in the answer to `create`."""
        return str(json.loads(reply.body)["data"]["_id"])

    def new_project(self, port: int, clips: int | None = None) -> str:
        """Create a project, save a timeline in it if `clips` is given, and return its id."""
        project_id = self.created_id(exchange(port, self.create(), self.created_status))
        if clips is not None:
            exchange(port, self.save(project_id, clips))
        return project_id


class ProjectapiDialect(Dialect):
    """projectapi: the oldest frontend's URL for saving, which like the peers' does not send the timeline back."""

    save_path = "/timeline/save"


class EveDialect(Dialect):
    """Eve's URLs: a save is a PATCH of the project."""

    created_status = 201

    def list(self, owner: str = OWNER) -> bytes:
        """See `Dialect.list`."""
        query = f"where={quote(json.dumps({'user_id': owner}))}&projection={quote(json.dumps({'timeline_state': 0}))}"
        return request_bytes("GET", f"/projects?{query}")

    def create(self, owner: str = OWNER) -> bytes:
        """See `Dialect.create`."""
        return request_bytes("POST", "/projects", compact({"name": "A film", "user_id": owner}))

    def save(self, project_id: str, clips: int) -> bytes:
        """See `Dialect.save`."""
        return request_bytes("PATCH", f"/projects/{project_id}", compact({"timeline_state": timeline(clips)}))

    def created_id(self, reply: Reply) -> str:
        """See `Dialect.created_id`."""
        return str(json.loads(reply.body)["_id"])


class ConstantDialect(Dialect):
    """The limits: the number of clips is the id, and nothing is stored."""

    def new_project(self, port: int, clips: int | None = None) -> str:
        """See `Dialect.new_project`."""
        return str(clips)
