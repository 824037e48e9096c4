"""The stores over any database, put together as `create_app` does, and small timelines to save in them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import orjson
from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.database import Database

from projectapi.infra.retry import Retry
from projectapi.project import EntityTag, Project, ProjectKey, Timeline, TimelineSave, new_id
from projectapi.protocols import ProjectStore, TimelineStore
from projectapi.schemas.timeline_schema import mongodb_schema
from projectapi.stores import collections
from projectapi.stores.mongo_projects import MongoProjectStore
from projectapi.stores.mongo_timelines import MongoTimelineStore
from projectapi.stores.mongo_transcripts import MongoTranscriptStore
from projectapi.stores.project_documents import ProjectDocuments
from projectapi.stores.revision_documents import RevisionDocuments
from projectapi.stores.timeline_writer import TimelineWriter

JsonObject = dict[str, Any]
Document = dict[str, Any]
CLIENT_OPTIONS: JsonObject = {"w": "majority", "journal": True, "tz_aware": True, "heartbeatFrequencyMS": 500}


@dataclass(frozen=True)
class Stores:
    """The two stores that one application has, and the database below them."""

    projects: ProjectStore
    timelines: TimelineStore
    database: Database[Document]

    @property
    def project_documents(self) -> Collection[Document]:
        """The collection `projects`, to look behind the stores."""
        return self.database[collections.PROJECTS]

    @property
    def revision_documents(self) -> Collection[Document]:
        """The collection `timeline_states`, to look behind the stores."""
        return self.database[collections.TIMELINE_STATES]

    def create(self, name: str = "Holiday", *, owner: str | None = None) -> ProjectKey:
        """Create a project of an owner of its own and return its key."""
        return ProjectKey(self.projects.create_project(name=name, description=None, owner=owner or new_id()).id)

    def give_transcript(self, key: ProjectKey) -> None:
        """Give a project a transcript, as the store of transcripts does, which has its own tests."""
        MongoTranscriptStore(ProjectDocuments(self.project_documents, Retry())).create_transcript(key, {"language": "en"})


def open_stores(database: Database[Document], retry: Retry | None = None) -> Stores:
    """Return stores over a database that `prepare` has prepared; two calls make what two applications would have."""
    return stores_over(database, database[collections.PROJECTS], database[collections.TIMELINE_STATES], retry)


def stores_over(database: Database[Document], projects: Any, revisions: Any, retry: Retry | None = None) -> Stores:
    """Return stores over these collections, or over whatever behaves like them."""
    retry = retry or Retry()
    documents = ProjectDocuments(projects, retry)
    states = RevisionDocuments(revisions, retry)
    timelines = MongoTimelineStore(documents, states, TimelineWriter(documents, states, retry))
    return Stores(MongoProjectStore(documents, retry), timelines, database)


def prepare(database: Database[Document]) -> Database[Document]:
    """Set a database up as `flask db init` does; one in memory has indexes and no validators."""
    if isinstance(database, Database):
        collections.set_up(database, mongodb_schema())
    else:
        for name, indexes in collections.INDEXES.items():
            for index in indexes:
                # Its `create_indexes` would make partial indexes whole ones.
                options = {option: value for option, value in index.document.items() if option != "key"}
                database[name].create_index(list(index.document["key"].items()), **options)
    return database


def connect(uri: str, **options: Any) -> MongoClient[Document]:
    """Return a client with the write concern of the application."""
    return MongoClient(uri, **{**CLIENT_OPTIONS, **options})


def state(playhead: float = 0, *, clips: int = 1, **more: Any) -> JsonObject:
    """Return a small valid state; `playhead` tells it from others."""
    return {"layers": [layer(clips)], "playhead_time": playhead, "zoom": 1, "is_snapping": True, **more}


def layer(clips: int, properties: JsonObject | None = None) -> JsonObject:
    """Return a video layer with some clips of two seconds."""
    return {
        "id": "layer-1",
        "name": "Main",
        "type": "video",
        "clips": [
            {
                "id": f"clip-{number}",
                "type": "video",
                "start_time": number * 2,
                "end_time": number * 2 + 2.0,
                "duration": 2.0,
                "properties": properties or {"volume": 1},
            }
            for number in range(clips)
        ],
    }


def save(playhead: float = 0, description: str | None = None, **more: Any) -> TimelineSave:
    """Return a save of `state(playhead)`."""
    return TimelineSave(state=state(playhead, **more), description=description)


def tag_of(thing: Project | Timeline) -> EntityTag:
    """Return the entity tag by which a client would name this version of a project or a timeline."""
    return EntityTag(thing.version, thing.tag)


def same(one: Any, other: Any) -> bool:
    """Tell whether two JSON values are the same to the byte: order of keys, integers and floats told apart."""
    return orjson.dumps(one) == orjson.dumps(other)


def at_once(actions: Iterable[Callable[[], Any]]) -> list[Any]:
    """Run all actions, each in a thread of its own, from the same moment on; return results and exceptions in order."""
    ready = list(actions)
    barrier = threading.Barrier(len(ready))

    def run(action: Callable[[], Any]) -> Any:
        barrier.wait(10)
        try:
            return action()
        except Exception as error:
            return error

    with ThreadPoolExecutor(len(ready)) as pool:
        return [future.result(120) for future in [pool.submit(run, action) for action in ready]]
