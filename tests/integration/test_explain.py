"""Every query that the stores send is answered from an index: the server itself says so, command by command."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import takewhile
from typing import Any, cast

import pytest
from bson import json_util
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.monitoring import CommandStartedEvent

from projectapi.errors import PreconditionFailed, ProjectApiError
from projectapi.infra.retry import Retry
from projectapi.project import ListQuery, Project, ProjectKey, SortField, TimelineSave, new_id, new_write_id, now
from projectapi.protocols import (
    IdempotencyStore,
    JobStore,
    ProjectStore,
    RecordedAnswer,
    TimelineStore,
    TranscriptStore,
    VideoFiles,
)
from projectapi.schemas import answers
from projectapi.stores.assembly import Stores, mongo_stores
from projectapi.stores.collections import PROJECTS, TIMELINE_STATES
from projectapi.stores.history_sweep import HistorySweep
from projectapi.stores.trash import Trash
from projectapi.timeline.patching import apply_merge_patch
from projectapi.timeline.retention import RetentionPolicy
from projectapi.transcript import RecognisedSpeech
from tests.harness.commands import StartedCommands
from tests.harness.jobs import job_request
from tests.harness.stores import connect, prepare, state, tag_of
from tests.media_samples import video_record

JsonObject = dict[str, Any]

WITH_A_PLAN = {"find", "aggregate", "count", "distinct", "update", "delete", "findAndModify"}
_NOT_EXPLAINED = {"lsid", "txnNumber", "$clusterTime", "$db", "maxTimeMS", "writeConcern", "readConcern", "$readPreference"}


class Recorder(StartedCommands):
    """Keeps the commands that have a query plan, one for each shape."""

    def __init__(self) -> None:
        self.commands: dict[str, JsonObject] = {}

    def started(self, event: CommandStartedEvent) -> None:
        if event.command_name in WITH_A_PLAN:
            command = {name: value for name, value in event.command.items() if name not in _NOT_EXPLAINED}
            self.commands.setdefault(shape_of(command), command)


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


def stages(plan: Any) -> list[str]:
    """Return the stages of a plan."""
    return list(values_of(plan, "stage"))


def values_of(plan: Any, field: str) -> Iterator[str]:
    """Yield the values of a field at any depth of a plan."""
    if isinstance(plan, dict):
        if isinstance(plan.get(field), str):
            yield plan[field]
        for value in plan.values():
            yield from values_of(value, field)
    elif isinstance(plan, list):
        for part in plan:
            yield from values_of(part, field)


@pytest.fixture(scope="module")
def commands(mongodb_uri: str) -> dict[str, JsonObject]:
    """Every command with a plan that the stores send, each shape once, as sent to a database with some projects in it."""
    recorder, name = Recorder(), f"explain_{new_id()}"
    with connect(mongodb_uri) as plain:
        fill(mongo_stores(prepare(plain[name]), Retry(), answers))
    with connect(mongodb_uri, event_listeners=[recorder]) as client:
        stores = mongo_stores(client[name], Retry(), answers)
        use_projects(stores)
        use_timelines(stores)
        use_transcripts(stores)
        use_idempotency(stores)
        use_jobs(stores)
        use_housekeeping(client[name])
    return {shape: {"explain": command, "$db": name} for shape, command in recorder.commands.items()}


def fill(stores: Stores) -> None:
    """Store what an index is worth having for."""
    for number in range(10):
        project = stores.projects.create_project(name=f"p{number}", description=None, owner=f"owner {number % 2}")
        for playhead in range(2):
            stores.timelines.save_timeline(ProjectKey(project.id), TimelineSave(state=state(playhead)))


def new_project(stores: Stores) -> Project:
    return stores.projects.create_project(name="x", description=None, owner="ann", write_id=new_write_id())


def use_projects(stores: Stores) -> None:
    """Call everything that a `ProjectStore` has, with and without what is optional."""
    projects, created = stores.projects, new_project(stores)
    for key in (ProjectKey(created.id), ProjectKey(created.id, "ann")):
        projects.get_project(key)
        seen = projects.get_summary(key)
        projects.update_project(key, {"name": "y"}, tag_of(seen), write_id=new_write_id())
        with pytest.raises(PreconditionFailed):
            projects.update_project(key, {"name": "z"}, tag_of(seen))
        projects.edit_project(key, lambda values: values)
        projects.set_video(key, video_record())
        projects.delete_project(key)
        projects.restore_project(key, write_id=new_write_id())
    projects.find_owner(created.id)
    projects.owns_file(created.owner, "videos/00000000-0000-4000-8000-000000000000.mp4")
    for sort in SortField:
        for descending in (True, False):
            for search in (None, "p"):
                query = ListQuery(owner="owner 1", limit=3, sort=sort, descending=descending, search=search)
                page = projects.list_projects(query)
                projects.list_projects(replace(query, after=page.next))
    projects.list_projects(ListQuery(owner="ann", deleted=True))


def use_timelines(stores: Stores) -> None:
    """Call everything that a `TimelineStore` has, with and without what is optional."""
    timelines, created = stores.timelines, new_project(stores)
    for key in (ProjectKey(created.id), ProjectKey(created.id, "ann")):
        for playhead in range(20):
            saved = timelines.save_timeline(key, TimelineSave(state=state(playhead)))
        timelines.save_timeline(key, TimelineSave(state=state(50)), tag_of(saved), write_id=new_write_id())
        with pytest.raises(PreconditionFailed):
            timelines.save_timeline(key, TimelineSave(state=state(51)), tag_of(saved))
        timelines.edit_timeline(key, lambda old: apply_merge_patch(old, {"zoom": old["zoom"] + 1}), saved_by="ann")
        timelines.get_timeline(key)
        for entry in timelines.list_revisions(key, limit=2, skip=1, with_state=True):
            timelines.describe_revision(entry, {"description": "new"})
            timelines.delete_revision(timelines.find_revision(entry.id, "ann"))
        current = timelines.list_revisions(key, limit=1)[0]
        timelines.describe_revision(current, {"description": "newer"})
        timelines.get_revision(key, 1)
        timelines.restore_revision(key, 1, restored_by="ann")


def use_transcripts(stores: Stores) -> None:
    """Call everything that a `TranscriptStore` has."""
    transcripts, key = stores.transcripts, ProjectKey(new_project(stores).id)
    words: JsonObject = {"words": [], "speaker_id": None, "confidence": None, "is_edited": False, "edited_text": None}
    segment = {"id": None, "start_time": 0, "end_time": 1, "text": "hello", **words}
    transcripts.create_transcript(key, {}, write_id=new_write_id())
    speech = RecognisedSpeech(words=[], language="en", model_used=None, processing_time=None, duration=1.0)
    transcripts.store_recognised(key, speech)
    transcripts.update_transcript(key, {"language": "en"})
    with_segment = transcripts.add_segments(key, [segment])
    (segment_id,) = [stored["id"] for stored in with_segment.segments]
    transcripts.update_segment(key, segment_id, {"text": "bye"})
    transcripts.delete_segment(key, segment_id)
    transcripts.get_transcript(key)
    transcripts.delete_transcript(key)


def use_idempotency(stores: Stores) -> None:
    """Call everything that an `IdempotencyStore` has."""
    stores.idempotency.begin("key", "fingerprint")
    stores.idempotency.finish("key", RecordedAnswer(200, {}, b""))
    stores.idempotency.begin("key", "fingerprint")


def use_jobs(stores: Stores) -> None:
    """Call everything that a `JobStore` has, with jobs that end in every way."""
    jobs, asked = stores.jobs, job_request()
    queued, _ = jobs.begin(asked)
    jobs.claim(queued.id, "holder")
    jobs.renew(queued.id, "holder", 50)
    jobs.revive(replace(jobs.get(queued.id), attempts=9))
    jobs.revive(jobs.get(queued.id))
    jobs.finish(queued.id, "holder", ProjectApiError())
    jobs.note_told(queued.id)
    jobs.cancel(queued.id)


def use_housekeeping(database: Database[JsonObject]) -> None:
    """Sweep and purge, as of a time when there is something to do."""
    projects, revisions, later = database[PROJECTS], database[TIMELINE_STATES], now() + timedelta(days=40)
    trash = Trash(projects, revisions, Retry(), cast(VideoFiles, None))
    doomed = mongo_stores(database, Retry(), answers)
    key = ProjectKey(new_project(doomed).id)
    doomed.timelines.save_timeline(key, TimelineSave(state=state()))
    doomed.projects.delete_project(key)
    list(trash.entries())
    list(trash.entries("ann"))
    trash.purge(later, dry_run=True)
    trash.purge(later, dry_run=False)
    sweep = HistorySweep(projects, revisions, Retry())
    for days in (40, 80):
        sweep.run(RetentionPolicy(), now() + timedelta(days=days), dry_run=False)


def test_everything_that_the_stores_can_do_was_tried() -> None:
    source = inspect.getsource(use_projects) + inspect.getsource(use_timelines) + inspect.getsource(use_transcripts)
    source += inspect.getsource(new_project) + inspect.getsource(use_idempotency) + inspect.getsource(use_jobs)

    missing = [
        f"{protocol.__name__}.{name}"
        for protocol in (ProjectStore, TimelineStore, TranscriptStore, IdempotencyStore, JobStore)
        for name, member in vars(protocol).items()
        if inspect.isfunction(member) and not name.startswith("_") and f".{name}(" not in source
    ]

    assert missing == []


def query_of(command: JsonObject) -> JsonObject:
    """Return the filter of a command."""
    parts = [*command.get("updates", ()), *command.get("deletes", ())]
    if "pipeline" in command:
        return cast(JsonObject, command["pipeline"][0]["$match"])
    return cast(JsonObject, parts[0]["q"] if parts else command.get("filter") or command.get("query") or {})


def conditions_of(query: JsonObject) -> JsonObject:
    """Return the conditions of a filter that hold for all that it finds, by field."""
    conditions = {name: value for name, value in query.items() if not name.startswith("$")}
    for part in query.get("$and", ()):
        conditions |= conditions_of(part)
    return conditions


def is_equality(condition: Any) -> bool:
    return not (isinstance(condition, dict) and any(name.startswith("$") for name in condition))


@dataclass(frozen=True)
class Plan:
    """An index that serves a command: how many of its first keys the filter names, and whether it gives the order too."""

    index: str
    keys: int
    in_order: bool


def plans_for(collection: Collection[JsonObject], command: JsonObject) -> list[Plan]:
    """Return the indexes that serve a command, as far as the server confirms that they do.

    The embedded server's planner takes an index only for a filter that the index covers whole, where MongoDB's takes any whose
    first keys are named. So it is asked about that part of the filter alone.
    """
    conditions, plans = conditions_of(query_of(command)), []
    whole = index_names(collection, command)
    for name, index in collection.index_information().items():
        if any(conditions.get(field) != value for field, value in index.get("partialFilterExpression", {}).items()):
            continue
        fields = [field for field, _ in index["key"]]
        named = list(takewhile(conditions.__contains__, fields))
        served = {"find": collection.name, "filter": {field: conditions[field] for field in named}}
        # Where several indexes begin alike, its planner names any of them; MongoDB's takes the one that gives the order.
        if named and (name in whole or index_names(collection, served)):
            plans.append(Plan(name, len(named), gives_order(index["key"], conditions, command.get("sort"))))
    return plans


def index_names(collection: Collection[JsonObject], command: JsonObject) -> set[str]:
    """Return the indexes with which the server would answer a command; none if it would look at every document."""
    answer = collection.database.command({"explain": command, "verbosity": "queryPlanner"})
    plan = answer["queryPlanner"]["winningPlan"]
    if "COLLSCAN" in stages(plan):
        return set()
    return set(values_of(plan, "indexName")) | ({"_id_"} if "IDHACK" in stages(plan) else set())


def gives_order(keys: list[tuple[str, Any]], conditions: JsonObject, sort: JsonObject | None) -> bool:
    """Tell whether walking an index, one way or the other, meets the documents in the order that is asked for."""
    wanted = list((sort or {}).items())
    fixed = takewhile(lambda key: key[0] in conditions and is_equality(conditions[key[0]]), keys)
    rest = keys[len(list(fixed)) :][: len(wanted)]
    return rest == wanted or [(field, -direction) for field, direction in rest] == wanted


@pytest.fixture(scope="module")
def plans(mongodb_uri: str, commands: dict[str, JsonObject]) -> dict[str, list[Plan]]:
    """The plans for every command."""
    found = {}
    with connect(mongodb_uri) as client:
        for shape, command in commands.items():
            collection = client[command["$db"]][next(iter(command["explain"].values()))]
            found[shape] = plans_for(collection, command["explain"])
    return found


def test_every_query_and_every_write_finds_its_documents_by_an_index(plans: dict[str, list[Plan]]) -> None:
    assert [shape for shape, found in plans.items() if not found] == []
    assert {shape.split()[0] for shape in plans} >= {"find", "update", "delete", "findAndModify"} and len(plans) > 40


def test_what_concerns_one_project_is_found_by_that_project(plans: dict[str, list[Plan]]) -> None:
    of_one = {shape: found for shape, found in plans.items() if '"projectId": "?"' in shape or '"_id": "?"' in shape}

    by_project = {"projectId", "projectId_version", "projectId_version_committed", "active_projectId", "_id_"}
    without = [shape for shape, found in of_one.items() if not {plan.index for plan in found} & by_project]
    lists = [shape for shape in without if '"createdBy": "?", "isDeleted": "?"' in shape or '"deletedAt"' in shape]
    assert set(without) == set(lists)


def test_lists_and_histories_are_read_in_the_order_of_an_index(plans: dict[str, list[Plan]]) -> None:
    ordered = [
        shape
        for shape in plans
        if shape.startswith('find projects [{"createdBy": "?", "isDeleted": "?"')
        or shape.startswith('find timeline_states [{"projectId": "?", "$or"')
    ]

    assert len(ordered) > 12
    assert [shape for shape in ordered if not any(plan.in_order for plan in plans[shape])] == []


def test_the_check_itself_sees_a_query_that_no_index_serves(mongodb_uri: str, commands: dict[str, JsonObject]) -> None:
    with connect(mongodb_uri) as client:
        collection = client[next(iter(commands.values()))["$db"]][PROJECTS]

        assert plans_for(collection, {"find": PROJECTS, "filter": {"description": "x"}}) == []
        assert plans_for(collection, {"find": PROJECTS, "filter": {"$or": [{"projectId": "x"}, {"description": "x"}]}}) == []
        by_name = {"find": PROJECTS, "filter": {"createdBy": "x"}, "sort": {"name": 1}}
        assert not any(plan.in_order for plan in plans_for(collection, by_name))
