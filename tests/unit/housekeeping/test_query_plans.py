"""No query of the housekeeping scans a collection."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from bson import ObjectId
from pymongo import MongoClient
from pymongo.monitoring import CommandStartedEvent

from projectapi.project import now
from projectapi.stores.collections import INDEXES, PROJECTS, TIMELINE_STATES
from tests.harness.commands import StartedCommands
from tests.harness.housekeeping_world import LONG_AGO, World

Command = dict[str, Any]


class Recorder(StartedCommands):
    """Keeps the filters, orders and hints of all commands to the two collections."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, Command, Command]] = []

    def started(self, event: CommandStartedEvent) -> None:
        """Keep what the command looks for."""
        command = dict(event.command)
        collection = command.get(event.command_name)
        if collection not in (PROJECTS, TIMELINE_STATES):
            return
        for conditions in _conditions_of(event.command_name, command):
            options = {name: command[name] for name in ("sort", "hint") if command.get(name)}
            self.seen.append((str(collection), conditions, options))


def _conditions_of(name: str, command: Command) -> list[Command]:
    if name == "find":
        return [command["filter"]]
    if name == "findAndModify":
        return [command["query"]]
    if name in ("update", "delete"):
        return [statement["q"] for statement in command[f"{name}s"]]
    if name == "aggregate":
        return [stage["$match"] for stage in command["pipeline"] if "$match" in stage]
    return []


def usable_index(collection: str, query: Command) -> Command | None:
    """Return the key of an index whose first field the query bounds, or sorts by where it bounds nothing.

    The stand-in's planner overlooks indexes when other fields are asked for too, which MongoDB's does not.
    """
    if "_id" in query["filter"]:
        return {"_id": 1}
    bounded = _bounded(query["filter"]) or set(query.get("sort", {}))
    for index in INDEXES[collection]:
        key = dict(index.document["key"])
        partial = index.document.get("partialFilterExpression", {})
        if next(iter(key)) in bounded and partial.items() <= query["filter"].items():
            return key
    return None


def _bounded(conditions: Command) -> set[str]:
    nested: set[str] = set().union(*(_bounded(part) for part in conditions.get("$and", [])))
    return nested | {name for name in conditions if not name.startswith("$")}


def stages(plan: Any) -> set[str]:
    """Return the names of all stages of a query plan."""
    if isinstance(plan, list):
        return set().union(*map(stages, plan))
    if not isinstance(plan, dict):
        return set()
    own = {plan["stage"]} if isinstance(plan.get("stage"), str) else set()
    return own | set().union(*map(stages, plan.values()))


def test_every_query_uses_an_index(wire_world: World, mongodb_uri: str, tmp_path: Path) -> None:
    # Given one of everything that housekeeping looks for, and much else
    world = wire_world
    for number in range(20):
        world.save(world.create(f"film {number}"), 1)
    project_id = world.create()
    for number in range(4):
        world.save(project_id, number, ago=timedelta(days=400, seconds=-number))
    world.save(project_id, 5)
    revision = world.revisions.find_one({"projectId": project_id, "version": 5})
    assert revision is not None
    stray = {**revision, "committed": False, "updatedAt": now() - LONG_AGO}
    world.revisions.insert_many([{**stray, "_id": ObjectId()}, {**stray, "_id": ObjectId(), "projectId": "gone"}])
    trashed = world.create()
    world.save(trashed, 1)
    world.delete(trashed, ago=timedelta(days=40))
    recorder = Recorder()

    # When all of it runs
    with MongoClient[dict[str, Any]](mongodb_uri, tz_aware=True, event_listeners=[recorder]) as client:
        watched = World(client[world.database.name], tmp_path / "media")
        watched.sweep(dry_run=True)
        assert watched.sweep().forgotten
        assert watched.housekeeping.sweep_files() == []
        assert len(list(watched.housekeeping.list_trash())) == 1
        assert list(watched.housekeeping.list_trash("nobody")) == []
        assert watched.purge(dry_run=True).projects == 1
        assert watched.purge().projects == 1
        watched.schema.migrate()
        watched.schema.status()

    # Then each query is answered from an index
    seen = list(recorder.seen)
    assert len(seen) > 40
    for collection, conditions, options in seen:
        query = {"find": collection, "filter": conditions, **options}
        index = usable_index(collection, query)
        assert index, query
        explained = world.database.command("explain", {**query, "hint": index}, verbosity="queryPlanner")
        assert "COLLSCAN" not in stages(explained["queryPlanner"]["winningPlan"]), (query, explained)
