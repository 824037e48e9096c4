"""What can be wrong with a project, its timelines, its transcript and its bundle."""

from __future__ import annotations

from projectapi.errors.base import ProjectApiError
from projectapi.errors.requests import BadRequest, BodyTooLarge, NotFound


class ProjectNotFound(NotFound, code="project_not_found"):
    """No project has this id, or it was deleted, or it belongs to somebody else."""

    sentence = "Project not found"


class ProjectNotCarriedOver(ProjectNotFound, code="project_not_carried_over"):
    """The id was given out by the backend of the time before storage was permanent."""

    sentence = (
        "Project not found: projects are now stored permanently, but those made before this version lived only in the "
        "server's memory and could not be carried over. Please create the project again and upload its video once more; "
        "from now on it stays."
    )


class TimelineVersionNotFound(NotFound, code="timeline_version_not_found"):
    """The project's history has no such version."""

    sentence = "Timeline version not found"


class TimelineTooLarge(BodyTooLarge, code="timeline_too_large"):
    """The timeline does not fit into one MongoDB document (16 MiB)."""

    sentence = (
        "This timeline is too large to be saved (the limit is about 16 MB). Your last saved version is safe; split the "
        "project, or remove clips or data that is no longer needed."
    )


class HistoryDamaged(ProjectApiError, code="history_damaged"):
    """A stored revision cannot be read back as it was saved."""

    sentence = (
        "This version of the timeline is damaged in the server's storage and cannot be opened. The other versions and your "
        "current work are not affected."
    )


class TranscriptionNotFound(NotFound, code="transcription_not_found"):
    """The project has no transcript, or the transcript has no such segment."""

    sentence = "Transcription not found"


class InvalidBundle(BadRequest, code="invalid_bundle"):
    """The file is no project bundle, or one that cannot be trusted; nothing of it was taken."""

    sentence = "This file is no project bundle of projectapi, or it was changed or damaged. Nothing was imported."
