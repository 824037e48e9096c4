"""The stores put together: over MongoDB alone, and behind the cache."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pymongo.database import Database

from projectapi.infra.retry import Retry
from projectapi.protocols import Answers, IdempotencyStore, JobStore, ProjectStore, TimelineStore, TranscriptStore
from projectapi.stores.announced import Announced, Owners
from projectapi.stores.answers import Renderer, StoreAnswers
from projectapi.stores.cache import CacheEngine
from projectapi.stores.cached_answers import CachedAnswers
from projectapi.stores.cached_projects import CachedProjectStore
from projectapi.stores.cached_timelines import CachedTimelineStore
from projectapi.stores.cached_transcripts import CachedTranscriptStore
from projectapi.stores.collections import IDEMPOTENCY_KEYS, JOBS, PROJECTS, TIMELINE_STATES
from projectapi.stores.documents import Document
from projectapi.stores.mongo_idempotency import MongoIdempotencyStore
from projectapi.stores.mongo_imports import MongoProjectImports
from projectapi.stores.mongo_jobs import MongoJobStore
from projectapi.stores.mongo_projects import MongoProjectStore
from projectapi.stores.mongo_timelines import MongoTimelineStore
from projectapi.stores.mongo_transcripts import MongoTranscriptStore
from projectapi.stores.project_documents import ProjectDocuments
from projectapi.stores.publishing import Publisher
from projectapi.stores.revision_documents import RevisionDocuments
from projectapi.stores.timeline_writer import TimelineWriter


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """All stores of one process."""

    answers: Answers
    projects: ProjectStore
    timelines: TimelineStore
    transcripts: TranscriptStore
    imports: MongoProjectImports
    idempotency: IdempotencyStore
    jobs: JobStore


def mongo_stores(database: Database[Document], retry: Retry, render: Renderer) -> Stores:
    """Return the stores over MongoDB, which know nothing of a cache."""
    documents = ProjectDocuments(database[PROJECTS], retry)
    revisions = RevisionDocuments(database[TIMELINE_STATES], retry)
    projects = MongoProjectStore(documents, retry)
    timelines = MongoTimelineStore(documents, revisions, TimelineWriter(documents, revisions, retry))
    return Stores(
        answers=StoreAnswers(projects, timelines, render),
        projects=projects,
        timelines=timelines,
        transcripts=MongoTranscriptStore(documents),
        imports=MongoProjectImports(documents, revisions),
        idempotency=MongoIdempotencyStore(database[IDEMPOTENCY_KEYS], retry),
        jobs=MongoJobStore(database[JOBS], retry),
    )


def behind_cache(stores: Stores, engine: CacheEngine, owners: Owners, render: Renderer) -> Stores:
    """Return the same stores with finished answers cached, every write to a project announced and what it leaves published."""
    announced = Announced(engine, owners)
    publisher = Publisher(render, stores.transcripts)
    return replace(
        stores,
        answers=CachedAnswers(stores.answers, engine, owners),
        projects=CachedProjectStore(stores.projects, announced, publisher),
        timelines=CachedTimelineStore(stores.timelines, announced, publisher),
        transcripts=CachedTranscriptStore(stores.transcripts, announced),
        imports=stores.imports.announced_by(announced.creation),
    )
