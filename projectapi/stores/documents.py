"""How projects and revisions look as MongoDB documents: the only place that knows the field names on both sides."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from bson import ObjectId

from projectapi.project import SCHEMA_VERSION, Project, SavedProject, Timeline, Video, empty_timeline_state
from projectapi.stores.migrations import upgrade_project
from projectapi.stores.transcript_documents import FIELD, TAG_FIELD, transcript_from_project
from projectapi.timeline.states import ESCAPE, escape_keys, unescape_keys

Document = dict[str, Any]

RECENT_WRITES = 200
"""Marks of the last writes that a project keeps, so that a repeated write finds its own success behind newer ones."""

SUMMARY = dict.fromkeys(
    ("timelineState", "timelineHead", "unsettledRevisions", "transcriptState", "recentWrites"), False
)
"""Projection that leaves out what makes a project large."""

DESCRIBED = dict.fromkeys(
    (
        *("projectId", "name", "description", "createdBy", "createdAt", "updatedAt", "deletedAt", "version", "lastWrite"),
        *("thumbnail", "duration", "video", "schemaVersion", f"{FIELD}.{TAG_FIELD}"),
    ),
    True,
)
"""Projection of what is small in a project, and of its transcript's tag: what `saved_project` needs."""

_SIGNS_OF_ESCAPING = (b'"$', b"\\u0000", f'"{ESCAPE}'.encode())

_VIDEO_FIELDS = {
    "path": "path",
    "thumbnail_path": "thumbnailPath",
    "original_name": "originalName",
    "content_type": "contentType",
    "bytes": "bytes",
    "sha256": "sha256",
    "container": "container",
    "video_codec": "videoCodec",
    "audio_codec": "audioCodec",
    "width": "width",
    "height": "height",
    "frame_rate": "frameRate",
    "rotation": "rotation",
    "duration": "duration",
}


def new_project_document(*, project_id: str, name: str, description: str | None, owner: str, at: datetime) -> Document:
    """Return the document of a project that nobody has changed yet, but for the marks of its first write."""
    return {
        "_id": ObjectId(),
        "projectId": project_id,
        "name": name,
        "description": description,
        "createdBy": owner,
        "createdAt": at,
        "updatedAt": at,
        "isDeleted": False,
        "deletedAt": None,
        "version": 1,
        "schemaVersion": SCHEMA_VERSION,
        "videoPath": None,
        "duration": None,
        "thumbnail": None,
        "video": None,
        "timelineState": None,
        "timelineVersion": 0,
        "timelineHead": None,
        "unsettledRevisions": [],
        "transcriptState": None,
    }


def project_from_document(document: Document) -> Project:
    """Return the project that a document holds; a projection without the timeline gives a project without one."""
    document = upgrade_project(document)
    video = document.get("video")
    return Project(
        id=document["projectId"],
        name=document["name"],
        description=document["description"],
        owner=document["createdBy"],
        created_at=document["createdAt"],
        updated_at=document["updatedAt"],
        deleted_at=document["deletedAt"],
        version=document["version"],
        tag=document["lastWrite"],
        thumbnail=document["thumbnail"],
        duration=document["duration"],
        video=video_from_document(video) if video else None,
        timeline=timeline_from_project(document) if "timelineState" in document else None,
        transcript=transcript_from_project(document),
    )


def saved_project(document: Document) -> SavedProject:
    """Return what a save knows of the project that it left; `document` has the fields of `DESCRIBED`."""
    described = {name: value for name, value in document.items() if name not in ("timelineState", FIELD)}
    transcript = document.get(FIELD)
    return SavedProject(project_from_document(described), transcript[TAG_FIELD] if transcript else None)


def video_from_document(document: Document) -> Video:
    """Return the video that a project's `video` field describes."""
    return Video(**{name: document[field] for name, field in _VIDEO_FIELDS.items()})


def document_from_video(video: Video) -> Document:
    """Return a video as a project's `video` field."""
    return {field: getattr(video, name) for name, field in _VIDEO_FIELDS.items()}


def timeline_from_project(document: Document) -> Timeline | None:
    """Return the current timeline that a project document embeds, None before the first save."""
    head = document["timelineHead"]
    if head is None:
        return None
    return timeline_from_head(document, document["projectId"], stored_state(document["timelineState"], head))


def timeline_from_head(document: Document, project_id: str, state: Document) -> Timeline:
    """Return the timeline whose `timelineHead` and `timelineVersion` a project document holds, with this state."""
    head = document["timelineHead"]
    return Timeline(
        id=str(head["_id"]),
        project_id=project_id,
        version=document["timelineVersion"],
        tag=head["tag"],
        state=state,
        description=head["description"],
        change_summary=head["changeSummary"],
        created_by=head["createdBy"],
        created_at=head["createdAt"],
        updated_at=head["updatedAt"],
    )


def stored_state(state: Document | None, head: Document) -> Document:
    """Return an embedded state as its client sent it."""
    if state is None:
        return empty_timeline_state()
    return unescape_keys(state) if head["hasEscapedKeys"] else state


def state_to_store(state: Document, dumped: bytes) -> tuple[Document, bool]:
    """Return a state in a form that BSON keeps exactly, and whether any key had to be escaped for that.

    `dumped` is its JSON: looking for the few signs there costs nothing beside looking at every key.
    """
    if not any(sign in dumped for sign in _SIGNS_OF_ESCAPING):
        return state, False
    return escape_keys(state)
