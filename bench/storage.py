"""What history costs: bytes and time per save against the timeline's size, and lists at any number of projects."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import bson
from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient
from pymongo.database import Database

from bench.candidates import PROJECTAPI, Servers
from bench.load import Load, run
from bench.measure import Batches, Figures, Task, side_by_side
from bench.processes import Running
from bench.timelines import MARKER, compact
from bench.wire import request_bytes
from projectapi.stores.documents import new_project_document

SIZES = {20: 64, 200: 64, 2_000: 32, 20_000: 6}
"""How many saves are made of each size: one run of revisions that share a keyframe, where that does not take minutes."""

OWNERS = (1_000, 10_000, 100_000)
_BULK = 5_000


@dataclass(frozen=True)
class Saves:
    """So many saves of one size, done one way: means per save, and the median time."""

    way: str
    clips: int
    saves: int
    sent_bytes: int
    stored_bytes: float
    p50_ms: float
    cpu_ms: float


@dataclass(frozen=True)
class Listing:
    """The list of an owner with so many projects: its first page, uncached and cached; None where it failed."""

    projects: int
    uncached: Figures | None
    cached: Figures | None


def measure_saves(servers: Servers, sizes: dict[int, int]) -> list[Saves]:
    """Return what full saves and one-clip patches cost at each size."""
    with PROJECTAPI.run(servers, cached=True) as application, _database(servers) as database:
        return [
            _saves(application, database, way, clips, count)
            for clips, count in sizes.items()
            for way in ("full save", "patch of one clip")
        ]


def measure_long_history(servers: Servers, saves: int, clips: int = 2_000) -> Saves:
    """Return what so many saves of one timeline cost, each of which changes something small."""
    with PROJECTAPI.run(servers, cached=True) as application, _database(servers) as database:
        return _saves(application, database, "full save", clips, saves)


def measure_lists(servers: Servers, batches: Batches, owners: Sequence[int] = OWNERS) -> list[Listing]:
    """Return what the list costs owners of so many projects."""
    with (
        PROJECTAPI.run(servers, cached=True) as cached,
        PROJECTAPI.run(servers, cached=False) as uncached,
        _database(servers) as database,
    ):
        for projects in owners:
            _insert_projects(database, projects)
        dialect = PROJECTAPI.dialect
        figures = side_by_side(
            {
                f"{kind} {projects}": Task(application, [dialect.list(_owner(projects))])
                for projects in owners
                for kind, application in (("uncached", uncached), ("cached", cached))
            },
            batches,
        )
        return [Listing(number, figures.get(f"uncached {number}"), figures.get(f"cached {number}")) for number in owners]


def _saves(application: Running, database: Database[Any], way: str, clips: int, saves: int) -> Saves:
    project = PROJECTAPI.dialect.new_project(application.port, clips)
    request = PROJECTAPI.dialect.save(project, clips) if way == "full save" else _patch(project)
    before, cpu_before = stored_bytes(database, project), application.cpu_seconds()
    outcome = run(Load(application.port, [request], count=saves, seconds=1_000.0))
    cpu = application.cpu_seconds() - cpu_before
    stored = stored_bytes(database, project) - before
    median = outcome.latencies[len(outcome.latencies) // 2] * 1000
    body = len(request.partition(b"\r\n\r\n")[2])
    return Saves(way, clips, saves, body, stored / saves, median, cpu / saves * 1000)


def _patch(project: str) -> bytes:
    """Return a JSON Patch (RFC 6902) that moves the third clip of the second layer to another time at every sending."""
    moved = [{"op": "replace", "path": "/layers/1/clips/2/start_time", "value": float(MARKER)}]
    return request_bytes("PATCH", f"/timeline/{project}", compact(moved), Content_Type="application/json-patch+json")


def stored_bytes(database: Database[Any], project: str) -> int:
    """Return how many bytes of BSON the history of a project takes."""
    revisions = database.get_collection("timeline_states", bson.CodecOptions(document_class=RawBSONDocument))
    return sum(len(document.raw) for document in revisions.find({"projectId": project}))


def _insert_projects(database: Database[Any], count: int) -> None:
    owner, start = _owner(count), datetime(2026, 1, 1, tzinfo=UTC)
    for first in range(0, count, _BULK):
        numbers = range(first, min(count, first + _BULK))
        database.projects.insert_many([_project(owner, number, start + timedelta(minutes=number)) for number in numbers])


def _project(owner: str, number: int, at: datetime) -> dict[str, Any]:
    identity = f"{owner}-{number:07}"
    document = new_project_document(project_id=identity, name=f"Film {number}", description=None, owner=owner, at=at)
    return document | {"lastWrite": "0123456789abcdef", "recentWrites": ["0123456789abcdef"]}


def _owner(projects: int) -> str:
    return f"owner-of-{projects}"


@contextmanager
def _database(servers: Servers) -> Iterator[Database[Any]]:
    with MongoClient[dict[str, Any]](servers.mongodb_uri()) as client:
        yield client[PROJECTAPI.database]
