"""Every query that the stores send is answered from an index: the server itself says so, command by command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from bson import ObjectId, json_util
from pymongo import MongoClient
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

from projectapi.errors import ProjectApiError, ProjectNotFound, TimelineVersionNotFound
from projectapi.infra.retry import Retry
from projectapi.project import EntityTag, ListQuery, ProjectKey, SortField, TimelineSave, Video, new_id, new_write_id, now
from projectapi.protocols import RecordedAnswer
from projectapi.schemas import answers
from projectapi.stores.assembly import Stores, mongo_stores
from projectapi.stores.collections import PROJECTS, TIMELINE_STATES
from projectapi.stores.history_sweep import HistorySweep
from projectapi.stores.trash import Trash
from projectapi.timeline.patching import apply_merge_patch
from projectapi.timeline.retention import RetentionPolicy
from projectapi.transcript import RecognisedSpeech
from tests.harness.stores import connect, prepare, state, tag_of

JsonObject = dict[str, Any]

WITH_A_PLAN = {"find", "aggregate", "count", "distinct", "update", "delete", "findAndModify"}
_NOT_EXPLAINED = {"lsid", "txnNumber", "$clusterTime", "$db", "maxTimeMS", "writeConcern", "readConcern", "$readPreference"}


class Recorder(CommandListener):
    """Keeps the commands that have a query plan, one for each shape."""

    def __init__(self) -> None:
        self.commands: dict[str, JsonObject] = {}

    def started(self, event: CommandStartedEvent) -> None:
        if event.command_name in WITH_A_PLAN:
            command = {name: value for name, value in event.command.items() if name not in _NOT_EXPLAINED}
            self.commands.setdefault(shape_of(command), command)

    def succeeded(self, event: CommandSucceededEvent) -> None:
        """See `CommandListener`."""

    def failed(self, event: CommandFailedEvent) -> None:
        """See `CommandListener`."""


def shape_of(command: JsonObject) -> str:
    """Return what two commands have in common that have the same plan: all but the values and what is written."""
    verb, collection = next(iter(command.items()))
    queries = [command.get(name) for name in ("filter", "query", "sort", "pipeline")]
    queries += [part.get("q") for part in (*command.get("updates", ()), *command.get("deletes", ()))]
    return f"{verb} {collection} {json_util.dumps([without_values(query) for query in queries if query])}"


def without_values(query: Any) -> Any:
    if isinstance(query, dict):
        return {name: without_values(value) for name, value in query.items()}
    if isinstance(query, list) and query and all(isinstance(part, dict) for part in query):
        return [without_values(part) for part in query]
    return "?"


def stages(plan: Any) -> Iterator[str]:
    """Yield the stages of a winning plan."""
    if isinstance(plan, dict):
        if isinstance(plan.get("stage"), str):
            yield plan["stage"]
        for name, value in plan.items():
            if name != "rejectedPlans":
                yield from stages(value)
    elif isinstance(plan, list):
        for part in plan:
            yield from stages(part)


@pytest.fixture(scope="module")
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture(scope="module")
def client(mongodb_uri: str, recorder: Recorder) -> Iterator[MongoClient[JsonObject]]:
    """A client whose database holds the projects of several owners, each with a history."""
    with connect(mongodb_uri) as plain:
        name = f"explain_{new_id()}"
        stores = mongo_stores(prepare(plain[name]), Retry(), answers)
        for number in range(40):
            project = stores.projects.create_project(name=f"p{number}", description=None, owner=f"owner {number % 5}")
            for playhead in range(3):
                stores.timelines.save_timeline(ProjectKey(project.id), TimelineSave(state=state(playhead)))
    with connect(mongodb_uri, event_listeners=[recorder]) as listening:
        listening.get_database(name).name  # noqa: B018
        yield listening
