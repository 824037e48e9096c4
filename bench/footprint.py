"""What editing asks of MongoDB: commands and stored bytes, against the limits of Atlas' free tier."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import bson
from flask.testing import FlaskClient
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

from bench.candidates import Servers
from bench.storage import stored_bytes
from bench.timelines import timeline
from config import Config
from projectapi import create_app
from projectapi.infra.redis_client import connect

PAUSE_SECONDS = 1.2
"""Between two requests, as people make them: a worker believes what it knows of the cache for one second."""

STYLES = {"saves every 10 s": 360, "saves every 30 s": 120, "saves every 10 min": 6}
"""Saves in an hour of editing."""

_NO_OPERATIONS = frozenset({"hello", "ping", "endSessions"})


@dataclass(frozen=True)
class Activity:
    """What one request asks of MongoDB, by the mean: commands by name, and bytes that stay."""

    name: str
    commands: dict[str, float]
    stored_bytes: float = 0.0

    @property
    def operations(self) -> float:
        """Return how many commands it takes."""
        return sum(self.commands.values())


@dataclass(frozen=True)
class Footprint:
    """The activities, and how large a project of so many clips is in the database before its history."""

    activities: list[Activity]
    clips: int
    project_bytes: int


class _Counting(CommandListener):
    """Counts the commands that a client sends."""

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()

    def started(self, event: CommandStartedEvent) -> None:
        if event.command_name not in _NO_OPERATIONS:
            self.seen[event.command_name] += 1

    def succeeded(self, event: CommandSucceededEvent) -> None:
        pass

    def failed(self, event: CommandFailedEvent) -> None:
        pass


def measure_footprint(
    servers: Servers, *, reads: int, saves: int, clips: int, pause_seconds: float = PAUSE_SECONDS
) -> Footprint:
    """Return what an editor's requests ask of MongoDB; a run of 32 saves shares one keyframe."""
    counting = _Counting()
    redis_client = connect(servers.redis.uri)
    name = "bench_footprint"
    config = Config(
        app_env="testing", mongodb_uri=servers.mongodb_uri(), mongodb_database=name, media_dir=servers.folder / "media"
    )
    with MongoClient[dict[str, Any]](servers.mongodb_uri(), tz_aware=True, event_listeners=[counting]) as client:
        app = create_app(config, mongo_client=client, redis_client=redis_client)
        backend = app.extensions["projectapi"]
        backend.schema.set_up()
        try:
            editor = _Editor(app.test_client(), client[name], counting, clips, pause_seconds)
            return editor.work(reads, saves, forget=backend.cache.purge)
        finally:
            backend.close()


class _Editor:
    def __init__(
        self,
        client: FlaskClient,
        database: Database[dict[str, Any]],
        counting: _Counting,
        clips: int,
        pause_seconds: float,
    ) -> None:
        self._client = client
        self._database = database
        self._counting = counting
        self._clips = clips
        self._pause_seconds = pause_seconds
        self._saves = 0
        self._project = client.post("/projects", json={"name": "A film"}).get_json()["data"]["_id"]

    def work(self, reads: int, saves: int, *, forget: Callable[[], None]) -> Footprint:
        """Read and save as editors do, each so many times; `forget` empties the cache."""
        self._save()
        path = f"/projects/{self._project}"
        # The first request of a worker asks what the following ones know.
        self._get(path)
        activities = [
            self._activity("open a project, cached", lambda: self._get(path), reads),
            self._activity("open a project, not cached", lambda: self._get(path), reads, before=forget),
            self._activity("list the projects, cached", lambda: self._get("/projects/"), reads),
            self._activity("look at the history", lambda: self._get(f"/timeline/{self._project}/history"), reads),
            self._activity("save the timeline", self._save, saves),
        ]
        project = self._database["projects"].find_one({"projectId": self._project})
        return Footprint(activities, self._clips, len(bson.encode(project or {})))

    def _activity(
        self, name: str, act: Callable[[], None], times: int, *, before: Callable[[], None] | None = None
    ) -> Activity:
        counted: Counter[str] = Counter()
        stored = stored_bytes(self._database, self._project)
        for _ in range(times):
            if before:
                before()
            time.sleep(self._pause_seconds)
            self._counting.seen.clear()
            act()
            counted += self._counting.seen
        stored = stored_bytes(self._database, self._project) - stored
        commands = {command: count / times for command, count in sorted(counted.items())}
        return Activity(name, commands, stored / times)

    def _get(self, path: str) -> None:
        assert self._client.get(path).status_code == 200

    def _save(self) -> None:
        self._saves += 1
        state = timeline(self._clips) | {"playhead_time": float(self._saves)}
        answer = self._client.post("/timeline/save", json={"project_id": self._project, "timeline_state": state})
        assert answer.status_code == 200
