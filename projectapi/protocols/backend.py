"""The parts of the running application."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from projectapi.protocols.answers import Answers
from projectapi.protocols.backups import Backups
from projectapi.protocols.caching import Cache
from projectapi.protocols.files import VideoFiles
from projectapi.protocols.health import Check
from projectapi.protocols.idempotency import IdempotencyStore
from projectapi.protocols.imports import ProjectImports
from projectapi.protocols.jobs import Jobs, Worker
from projectapi.protocols.looks import VideoLooks
from projectapi.protocols.media_disk import MediaAudit, MediaDisk
from projectapi.protocols.metrics import Metrics
from projectapi.protocols.projects import ProjectStore
from projectapi.protocols.timelines import TimelineStore
from projectapi.protocols.transcripts import TranscriptStore
from projectapi.protocols.upkeep import DatabaseSchema, Housekeeping
from projectapi.protocols.uploads import ResumableUploads
from projectapi.timeline.retention import RetentionPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """The parts that handlers and commands reach, put together by `create_app`."""

    answers: Answers
    projects: ProjectStore
    timelines: TimelineStore
    transcripts: TranscriptStore
    imports: ProjectImports
    idempotency: IdempotencyStore
    videos: VideoFiles
    looks: VideoLooks
    media_disk: MediaDisk
    media_audit: MediaAudit
    announce_disk: Callable[[], None]
    uploads: ResumableUploads
    jobs: Jobs
    worker: Worker | None
    cache: Cache | None
    housekeeping: Housekeeping
    backups: Backups
    retention: RetentionPolicy
    schema: DatabaseSchema
    checks: Sequence[Check]
    prepare: Callable[[], None]
    metrics: Metrics
    metrics_token: str | None
    close: Callable[[], None]
    version: str
    ownership_enforced: bool
    max_upload_bytes: int
    x_accel_prefix: str | None = None
