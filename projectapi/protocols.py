"""What the parts of projectapi must do for each other: the protocols that the handlers know, and nothing of who fulfils them.

The store protocols are the specification that every store fulfils and that one contract suite checks; their docstrings name
the errors that each method raises.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from projectapi.project import (
    EntityTag,
    JsonObject,
    ListQuery,
    Project,
    ProjectKey,
    ProjectPage,
    Revision,
    Segment,
    Timeline,
    TimelineSave,
    Video,
)
from projectapi.timeline.patching import Patched
from projectapi.timeline.retention import RetentionPolicy
from projectapi.transcript_protocol import TranscriptStore
from projectapi.upkeep import DatabaseSchema, Housekeeping

CODINGS = ("zstd", "br", "gzip")
"""The content codings that answers can be sent in, the preferred one first: zstd is both the fastest and the smallest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A finished answer to a read: the bytes of its JSON body and what goes into the headers.

    The bytes are in `body`, or `encoded` returns them in the first content coding of a list that makes them smaller, with that
    coding's name; neither is there when the client's entity tag is still the current one. `source` says where the answer comes
    from (the header X-Cache); `age` is in seconds and given only with STALE.
    """

    etag: str | None = None
    body: bytes | None = None
    encoded: Callable[[Sequence[str]], tuple[bytes, str | None]] | None = None
    source: str = "BYPASS"
    age: int | None = None
    next: str | None = None


class Answers(Protocol):
    """Reads that come back as finished answers; they raise what the stores' reads raise."""

    def project(self, key: ProjectKey, etags: Collection[str] = ()) -> Answer:
        """Return the answer of GET /projects/{id}; without a body if one of the client's `etags` is the current one."""

    def timeline(self, key: ProjectKey, etags: Collection[str] = ()) -> Answer:
        """Return the answer of GET /timeline/{id}; without a body if one of the client's `etags` is the current one."""

    def history(self, key: ProjectKey, *, limit: int, skip: int, with_state: bool) -> Answer:
        """Return the answer of GET /timeline/{id}/history."""

    def projects(self, query: ListQuery) -> Answer:
        """Return the answer of GET /projects/; `next` is the cursor of the following page."""


class ProjectStore(Protocol):
    """Keeps projects.

    A write that returns is durable and is seen by every read that starts afterwards. Every method may raise
    DatabaseUnavailable (nothing changed), every write OutcomeUnknown (repeating it does no harm). Every method that takes a
    `ProjectKey` raises ProjectNotFound (or its child ProjectNotCarriedOver) when there is no such project, it is deleted, or
    the key names an owner that is not the project's.

    `write_id` (16 hexadecimal digits) names a write that its sender may have sent before: if it was done then, it is not done
    again, and the answer is that of the first time as far as it can still be known.
    """

    def create_project(
        self, *, name: str, description: str | None, owner: str, write_id: str | None = None
    ) -> Project:
        """Store a new project under a new id and return it."""

    def get_project(self, key: ProjectKey) -> Project:
        """Return the project with its current timeline and its transcript."""

    def get_summary(self, key: ProjectKey) -> Project:
        """Return the project without its timeline and transcript, which is cheap at any size."""

    def find_owner(self, project_id: str) -> str | None:
        """Return the owner of a project, in the trash or not; None when there is no such project."""

    def list_projects(self, query: ListQuery) -> ProjectPage:
        """Return one page of an owner's projects, stable while others write. Raises ValidationFailed for a foreign cursor."""

    def update_project(
        self, key: ProjectKey, values: JsonObject, expected: EntityTag | None = None, *, write_id: str | None = None
    ) -> Project:
        """Change name, description, thumbnail or duration and return the project.

        Raises PreconditionFailed when `expected` is given and is not the current tag.
        """

    def edit_project(
        self,
        key: ProjectKey,
        edit: Callable[[JsonObject], JsonObject],
        expected: EntityTag | None = None,
        *,
        write_id: str | None = None,
    ) -> Project:
        """Change name, description, thumbnail and duration to what `edit` makes of them, and return the project.

        `edit` may be called again on newer values when somebody else wrote meanwhile. Raises what it raises, and
        PreconditionFailed when `expected` is given and is not the current tag.
        """

    def delete_project(self, key: ProjectKey, expected: EntityTag | None = None) -> None:
        """Move the project to the trash: it keeps everything and is found no more. Raises PreconditionFailed."""

    def restore_project(self, key: ProjectKey, *, write_id: str | None = None) -> None:
        """Bring a project back from the trash. Raises ProjectNotFound when it is not in there."""

    def set_video(self, key: ProjectKey, video: Video) -> Video | None:
        """Record `video` as the project's and return the one that it replaced, whose files may go now."""


class TimelineStore(Protocol):
    """Keeps the timelines of projects and their history; what `ProjectStore` promises holds here too."""

    def get_timeline(self, key: ProjectKey) -> Timeline | None:
        """Return the current timeline, None before the first save."""

    def save_timeline(
        self, key: ProjectKey, save: TimelineSave, expected: EntityTag | None = None, *, write_id: str | None = None
    ) -> Timeline:
        """Append a version to the timeline, make it the current one and return it.

        Without `expected` the last writer wins and no save is lost from history. A state equal to the current one adds no
        version unless it brings a name. Raises PreconditionFailed when `expected` is given and is not the current tag, and
        TimelineTooLarge when the project would not fit into one MongoDB document.
        """

    def edit_timeline(
        self,
        key: ProjectKey,
        edit: Callable[[JsonObject], Patched],
        expected: EntityTag | None = None,
        *,
        saved_by: str,
        write_id: str | None = None,
    ) -> Timeline:
        """Append the version that `edit` makes of the current state, writing only what it touched, and return it.

        `edit` may be called again on a newer state when somebody else saved meanwhile. Raises what it raises, and what
        `save_timeline` raises.
        """

    def list_revisions(self, key: ProjectKey, *, limit: int, skip: int = 0, with_state: bool = False) -> Sequence[Revision]:
        """Return versions of the timeline, newest first, without their states unless asked."""

    def get_revision(self, key: ProjectKey, version: int) -> Revision:
        """Return one version with its state. Raises TimelineVersionNotFound."""

    def restore_revision(
        self, key: ProjectKey, version: int, *, restored_by: str, write_id: str | None = None
    ) -> Timeline:
        """Make an earlier version's state the current one as a new highest version, and return it.

        Restoring the version that is current already changes nothing. Raises TimelineVersionNotFound.
        """

    def find_revision(self, revision_id: str, owner: str | None = None) -> Revision:
        """Return the version that has this document id, without its state. Raises TimelineVersionNotFound."""

    def describe_revision(self, revision: Revision, values: JsonObject) -> Revision:
        """Change a version's `description` or `change_summary` in place and return it. Raises TimelineVersionNotFound."""

    def delete_revision(self, revision: Revision) -> None:
        """Remove one earlier version from history. Raises Conflict for the current one, and TimelineVersionNotFound."""


@dataclass(frozen=True, slots=True)
class RecordedAnswer:
    """The answer that a request got, to be given again: status, the headers that matter, the body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class IdempotencyStore(Protocol):
    """Remembers requests that carry an `Idempotency-Key` for 24 hours, and the answers that they got."""

    def begin(self, key: str, fingerprint: str) -> RecordedAnswer | None:
        """Remember a request before it is worked on; return its answer when it was answered before.

        None means: work on it, whether it is new or was cut off the last time. Raises IdempotencyKeyReused when the key
        belongs to a request with another `fingerprint`.
        """

    def finish(self, key: str, answer: RecordedAnswer) -> None:
        """Remember the answer of a request that `begin` took."""


class IncomingFile(Protocol):
    """A part file that an upload is written into; closing it deletes it unless `VideoFiles.accept` took it."""

    def __enter__(self) -> IncomingFile: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    def write(self, data: bytes, /) -> int:
        """Append bytes. Raises VideoTooLarge and DiskFull; then the part is gone."""


class TrimmedFile(Protocol):
    """A cut copy of a video: its path relative to the media folder, its duration in seconds."""

    @property
    def path(self) -> str: ...
    @property
    def duration(self) -> float: ...


class VideoFiles(Protocol):
    """Keeps video files on the server's disk and works on them; knows files and no projects."""

    def receive(self, expected_bytes: int | None = None) -> IncomingFile:
        """Open a part file for an upload of about `expected_bytes`. Raises VideoTooLarge and DiskFull."""

    def accept(self, part: Any, original_name: str | None) -> Video:
        """Probe a whole part that `receive` gave, and give it its place. Raises InvalidVideo, MediaBusy, DiskFull."""

    def discard(self, video: Video) -> None:
        """Delete the files of a video that no record names any more."""

    def sweep(self, in_use: Set[str], older_than_seconds: float, *, dry_run: bool = False) -> Sequence[str]:
        """Delete files older than this that nothing points to, and return their names; `in_use` holds the paths in records."""

    def path_of(self, video: Video) -> Path:
        """Return where the original lies. Raises VideoNotFound when the file is lost."""

    def thumbnail_path_of(self, video: Video) -> Path:
        """Return where the thumbnail lies. Raises ThumbnailNotFound."""

    def static_path(self, relative: str) -> Path:
        """Return a file of the media folder. Raises NotFound for anything that is not to be served."""

    def trim(self, video: Video, segments: Sequence[Segment]) -> TrimmedFile:
        """Return the file that holds just these segments of the original.

        Raises VideoNotFound, ValidationFailed when nothing is left of a segment, MediaBusy when it cannot be done in time.
        """


class CacheStatus(Protocol):
    """How the cache of this worker stands; `counts` goes by kind of answer and outcome."""

    @property
    def mode(self) -> str: ...
    @property
    def epoch(self) -> int | None: ...
    @property
    def server(self) -> str | None: ...
    @property
    def circuit_open(self) -> bool: ...
    @property
    def counts(self) -> Mapping[tuple[str, str], int]: ...


class Cache(Protocol):
    """What those who look after the cache may do with it."""

    def prepare(self) -> None:
        """Learn what MongoDB says about the cache, so that the first writes need not wait. Does not raise."""

    def purge(self) -> None:
        """Forget every answer, in all workers, before returning. Raises DatabaseUnavailable."""

    def status(self) -> CacheStatus:
        """Return how the cache of this worker stands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """The parts that handlers and commands reach, put together by `create_app`."""

    answers: Answers
    projects: ProjectStore
    timelines: TimelineStore
    transcripts: TranscriptStore
    idempotency: IdempotencyStore
    videos: VideoFiles
    cache: Cache | None
    housekeeping: Housekeeping
    retention: RetentionPolicy
    schema: DatabaseSchema
    set_up_database: Callable[[], Sequence[str]]
    close: Callable[[], None]
    version: str
    ownership_enforced: bool
    max_upload_bytes: int
