"""What a project, its timeline and its video are: data, rules and limits, and what a store of them must do.

Nothing here reads or writes anything. The `ProjectStore` protocol is the specification that every store fulfils and that the
contract suite in tests/unit/stores checks; its docstrings name the errors that each method raises.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Protocol

JsonObject = dict[str, Any]

SCHEMA_VERSION = 1
"""Shape of the stored documents; raised by one with every migration."""

ANONYMOUS = "anonymous"
"""Owner of the projects of everybody who does not say who they are."""

NAME_MAX = 255
DESCRIPTION_MAX = 5000
OWNER_MAX = 128
LIST_LIMIT_DEFAULT = 50
LIST_LIMIT_MAX = 200
HISTORY_LIMIT_DEFAULT = 20
HISTORY_LIMIT_MAX = 200

_ID_OF_THE_IN_MEMORY_BACKEND = re.compile(r"project_\d+")


def new_id() -> str:
    """Return a new public id: 24 hexadecimal digits, 96 random bits, so that knowing it can serve as permission."""
    return secrets.token_hex(12)


def new_write_id() -> str:
    """Return a new mark of one write: 16 hexadecimal digits by which a repeated attempt knows its own success."""
    return secrets.token_hex(8)


def is_from_the_in_memory_backend(project_id: str) -> bool:
    """Tell whether an id looks like those (``project_1``) that were given out before storage was permanent."""
    return _ID_OF_THE_IN_MEMORY_BACKEND.fullmatch(project_id) is not None


def now() -> datetime:
    """Return the current time, aware, in UTC, cut to milliseconds as MongoDB stores it."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def empty_timeline_state() -> JsonObject:
    """Return the state of a timeline that was never saved."""
    return {
        "layers": [],
        "playhead_time": 0.0,
        "zoom": 1.0,
        "duration": 0.0,
        "markers": [],
        "selected_clips": [],
        "is_playing": False,
        "is_snapping": True,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Video:
    """A stored video file: where it lies and what probing found in it.

    `path` and `thumbnail_path` are relative to the media folder; `duration` is in seconds, `frame_rate` in frames per second,
    `rotation` in degrees clockwise; `width` and `height` are pixels as coded, before rotation.
    """

    path: str
    thumbnail_path: str | None
    original_name: str
    content_type: str
    bytes: int
    sha256: str
    container: str
    video_codec: str
    audio_codec: str | None
    width: int
    height: int
    frame_rate: float | None
    rotation: int
    duration: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """The saved state of a project's timeline at one version.

    `version` counts from 1 without gaps in what was acknowledged; `id` names this version's document for ever; `tag` changes
    with every change of the version's representation (its description may be edited in place).
    """

    id: str
    project_id: str
    version: int
    tag: str
    state: JsonObject
    description: str | None
    change_summary: str | None
    created_by: str
    created_at: datetime
    updated_at: datetime
    is_current: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A project with everything known of it; `timeline` is None before the first save.

    `version` grows by one with every change, `tag` marks the last write (both together are the strong entity tag).
    """

    id: str
    name: str
    description: str | None
    owner: str
    created_at: datetime
    updated_at: datetime
    version: int
    tag: str
    deleted_at: datetime | None = None
    thumbnail: str | None = None
    duration: float | None = None
    video: Video | None = None
    timeline: Timeline | None = None
    transcript: JsonObject | None = None


@dataclass(frozen=True, slots=True)
class ProjectKey:
    """Which project is meant, and by whom: `owner` None stands for anybody who knows the id."""

    id: str
    owner: str | None = None


@dataclass(frozen=True, slots=True)
class EntityTag:
    """A strong entity tag of ours: the version it names, and the mark of the write that made that version."""

    version: int
    tag: str

    def __str__(self) -> str:
        return f'"{self.version}-{self.tag}"' if self.tag else f'"{self.version}"'


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineSave:
    """What a client wants saved as the next version of a timeline."""

    state: JsonObject
    description: str | None = None
    change_summary: str | None = None
    saved_by: str = ANONYMOUS


class SortField(StrEnum):
    """What a list may be sorted by: nothing else reaches a query."""

    UPDATED_AT = "updated_at"
    CREATED_AT = "created_at"
    NAME = "name"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListQuery:
    """Which page of which list of projects; `after` is the opaque cursor that the page before gave."""

    owner: str
    limit: int = LIST_LIMIT_DEFAULT
    after: str | None = None
    deleted: bool = False
    search: str | None = None
    sort: SortField = SortField.UPDATED_AT
    descending: bool = True


@dataclass(frozen=True, slots=True)
class ProjectPage:
    """One page of a list, without timelines; `next` is the cursor of the page after it, None at the end."""

    projects: Sequence[Project]
    next: str | None


@dataclass(frozen=True, slots=True)
class ProjectChanges:
    """Fields of a project that a client may change; only those named in `values` are touched."""

    values: JsonObject = field(default_factory=dict)


class ProjectStore(Protocol):
    """Keeps projects and their timelines.

    A write that returns is durable and is seen by every read that starts afterwards. Every method may raise
    DatabaseUnavailable (nothing changed), every write OutcomeUnknown (repeating it does no harm). Every method that takes a
    `ProjectKey` raises ProjectNotFound (or its child ProjectNotCarriedOver) when there is no such project, it is deleted, or
    the key names an owner that is not the project's.
    """

    def create_project(self, *, name: str, description: str | None, owner: str) -> Project:
        """Store a new project under a new id and return it."""

    def get_project(self, key: ProjectKey) -> Project:
        """Return the project with its current timeline."""

    def get_summary(self, key: ProjectKey) -> Project:
        """Return the project without its timeline and transcript, which is cheap at any size."""

    def list_projects(self, query: ListQuery) -> ProjectPage:
        """Return one page of an owner's projects, stable while others write. Raises ValidationFailed for a foreign cursor."""

    def update_project(self, key: ProjectKey, values: JsonObject, expected: EntityTag | None = None) -> Project:
        """Change name, description, thumbnail or duration and return the project.

        Raises PreconditionFailed when `expected` is given and is not the current tag.
        """

    def delete_project(self, key: ProjectKey, expected: EntityTag | None = None) -> None:
        """Move the project to the trash: it keeps everything and is found no more. Raises PreconditionFailed."""

    def restore_project(self, key: ProjectKey) -> None:
        """Bring a project back from the trash. Raises ProjectNotFound when it is not in there."""

    def set_video(self, key: ProjectKey, video: Video) -> Video | None:
        """Record `video` as the project's and return the one that it replaced, whose files may go now."""

    def set_transcript(self, key: ProjectKey, transcript: JsonObject | None) -> Project:
        """Store the project's transcript, or remove it with None."""

    def save_timeline(self, key: ProjectKey, save: TimelineSave, expected: EntityTag | None = None) -> Timeline:
        """Append a version to the timeline, make it the current one and return it.

        Without `expected` the last writer wins and no save is lost from history. Raises PreconditionFailed when `expected` is
        given and is not the current tag, and TimelineTooLarge when the project would not fit into one MongoDB document.
        """
