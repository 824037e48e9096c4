"""What a project, its timeline and its video are: data, rules and limits.

Nothing here reads or writes anything.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from projectapi.transcript import Transcript

JsonObject = dict[str, Any]

SCHEMA_VERSION = 1
"""Shape of the stored documents; raised by one with every migration."""

ANONYMOUS = "anonymous"
"""Owner of the projects of everybody who does not say who they are."""

FRESH_START = (
    "Storage is permanent from this version on: projects, timelines and videos survive every restart. Projects made before "
    "it lived only in the server's memory and could not be carried over; please create them again and upload their videos "
    "once more."
)
"""What everybody who knew the backend before is told: in the log at start, at GET / and in the README."""

NAME_MAX = 255
DESCRIPTION_MAX = 5000
OWNER_MAX = 128
LIST_LIMIT_DEFAULT = 50
LIST_LIMIT_MAX = 200
HISTORY_LIMIT_DEFAULT = 20
HISTORY_LIMIT_MAX = 200

PEAKS_PER_SECOND = (1, 2, 5, 10, 20, 40)
"""How many peaks of a waveform may be asked for; each number divides the greatest, and a second of 48,000 samples."""

SEGMENTS_MAX = 1000
"""Most segments that one request may cut out of a video."""

FORM_OVERHEAD_BYTES = 2**20
"""Room for the other fields and the boundaries of a multipart body around a file of the largest size."""

_ID_OF_THE_IN_MEMORY_BACKEND = re.compile(r"project_\d+")


def new_id() -> str:
    """Return a new public id: 24 hexadecimal digits, 96 random bits, so that knowing it can serve as permission."""
    return secrets.token_hex(12)


def new_write_id() -> str:
    """Return a new mark of one write: 16 hexadecimal digits by which a repeated attempt knows its own success."""
    return secrets.token_hex(8)


def id_from_write(write_id: str) -> str:
    """Return the public id of the project that a write with this mark creates: unguessable as long as the mark is."""
    return hashlib.sha256(f"project {write_id}".encode()).hexdigest()[:24]


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
    with every change of the version's representation (its description may be edited in place). A save tells in `saved_in`
    what it knows of the project that it left, and gives the JSON of the state that it made anyway.
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
    saved_in: SavedProject | None = field(default=None, compare=False, repr=False)
    state_json: bytes | None = field(default=None, compare=False, repr=False)


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
    transcript: Transcript | None = None


@dataclass(frozen=True, slots=True)
class SavedProject:
    """A project as a save left it, but for its timeline and its transcript.

    `transcript_tag` names the transcript that it has, None stands for none.
    """

    project: Project
    transcript_tag: str | None


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


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of a video that is kept: where it starts and how long it is, in seconds of the video's own time."""

    start: float
    duration: float

    @property
    def end(self) -> float:
        """Where the piece ends, in seconds."""
        return self.start + self.duration


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """An entry of a timeline's history; `state` is None where it was not asked for, `tag` is the current version's alone."""

    id: str
    project_id: str
    version: int
    description: str | None
    change_summary: str | None
    created_by: str
    created_at: datetime
    updated_at: datetime
    is_current: bool
    tag: str | None = None
    state: JsonObject | None = None
