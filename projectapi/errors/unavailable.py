"""What is away for the moment and comes back: every answer says when to try again."""

from __future__ import annotations

from typing import Self

from projectapi.errors.base import ProjectApiError


class Unavailable(ProjectApiError, code="unavailable", status=503):
    """Something that the request needs is away for the moment; ``Retry-After`` (seconds) says when to try again."""

    sentence = "The server cannot do this right now. Please try again in a few seconds."
    retry_after_seconds = 5


class DatabaseUnavailable(Unavailable, code="database_unavailable"):
    """MongoDB cannot be reached or does not answer in time; nothing was changed."""

    sentence = (
        "Your work is safe on this page; the server cannot reach its database right now. Please try again in a few seconds."
    )


class DatabaseBusy(DatabaseUnavailable, code="database_busy"):
    """All of this process's connections to MongoDB, which is there, were in use for too long; nothing was changed."""

    sentence = (
        "Your work is safe on this page; the server has too much to ask its database right now. Please try again in a moment."
    )


class OutcomeUnknown(DatabaseUnavailable, code="outcome_unknown"):
    """The database went away in the middle of a write and could not be asked whether it was done."""

    sentence = (
        "Your work is safe on this page; the server lost its database while saving and cannot tell yet whether the save "
        "arrived. Saving again does no harm. Please try again in a few seconds."
    )


class DatabaseTooNew(Unavailable, code="database_too_new"):
    """A newer version of projectapi has worked on this database; this one would not understand all of it."""

    sentence = "The server's program is older than its database; nothing was changed. A newer version of it must be installed."
    retry_after_seconds = 60

    @classmethod
    def found(cls, version: int, known: int) -> Self:
        """Return the error for a database of schema version `version` where the code knows `known`."""
        return cls(
            f"The database has schema version {version} and this version of projectapi knows only {known}: nothing was "
            "changed; run the newer version of projectapi that made the database what it is."
        )


class RestoreUnderWay(Unavailable, code="restore_under_way"):
    """A backup is being restored into the database, or its restoring was cut off; what is there is not whole."""

    sentence = (
        "The server's data is being restored from a backup. Nothing can be opened or saved until that is finished; please try "
        "again in a few minutes."
    )
    retry_after_seconds = 60


class MediaBusy(Unavailable, code="media_busy"):
    """As many videos are being worked on as this machine can bear."""

    sentence = "The server is busy with other videos. Please try again in a few seconds."


class Overloaded(Unavailable, code="overloaded"):
    """As many requests wait for this server as it lets wait."""

    sentence = "The server has more to do than it can answer right now; nothing was changed. Please try again in a few seconds."
    retry_after_seconds = 2
