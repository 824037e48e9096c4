"""What a project bundle may hold, and how one is asked for."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from marshmallow import ValidationError, fields, validate

from projectapi.project import DESCRIPTION_MAX, NAME_MAX, OWNER_MAX
from projectapi.schemas.fields import Count, Number, Text, about
from projectapi.schemas.loading import RequestSchema
from projectapi.schemas.requests import TimelineState
from projectapi.schemas.transcriptions import TranscriptionUpdate

_VERSION_MAX = 2**53
_FILES_MAX = 16
_SHA256 = validate.Regexp(r"[0-9a-f]{64}\Z")
_EARLIEST, _LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)


class BundleQuery(RequestSchema):
    """Query of GET /projects/{id}/export."""

    history = fields.Boolean(load_default=False, metadata=about("`true`: with all earlier versions of the timeline."))
    video = fields.Boolean(load_default=False, metadata=about("`true`: with the original video."))


class Moment(fields.AwareDateTime):
    """A moment with its time zone, within the times that MongoDB and Python agree on."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> datetime:
        moment: datetime = super()._deserialize(value, attr, data, **options)
        if not _EARLIEST <= moment < _LATEST:
            raise ValidationError("Not a moment that can be stored.")
        return moment.astimezone(UTC)


class BundledFile(RequestSchema):
    """What a manifest says of a file."""

    name = Text(low=1, high=NAME_MAX * 2, required=True)
    bytes = Count(low=0, required=True)
    sha256 = fields.String(required=True, validate=_SHA256)


class Manifest(RequestSchema):
    """manifest.json"""

    format = fields.String(required=True)
    format_version = fields.Integer(data_key="formatVersion", strict=True, required=True)
    files = fields.List(fields.Nested(BundledFile), required=True, validate=validate.Length(max=_FILES_MAX))


class BundledVersion(RequestSchema):
    """What is said of a version of the timeline."""

    version = Count(low=1, high=_VERSION_MAX, required=True)
    description = Text(high=DESCRIPTION_MAX * 2, allow_none=True, load_default=None)
    change_summary = Text(high=DESCRIPTION_MAX, allow_none=True, load_default=None)
    created_by = Text(low=1, high=OWNER_MAX, required=True)
    created_at = Moment(required=True)
    updated_at = Moment(required=True)


class EarlierVersion(BundledVersion):
    """A line of history.jsonl."""

    state = TimelineState(required=True)


class BundledProject(RequestSchema):
    """project.json"""

    name = Text(high=NAME_MAX, required=True)
    description = Text(high=DESCRIPTION_MAX, allow_none=True, load_default=None)
    thumbnail = Text(high=2000, allow_none=True, load_default=None)
    duration = Number(low=0, high=1e9, allow_none=True, load_default=None)
    created_at = Moment(required=True)
    timeline = fields.Nested(BundledVersion, allow_none=True, load_default=None)


class BundledTranscript(TranscriptionUpdate):
    """transcript.json"""

    duration = Number(low=0, high=1e9, allow_none=True)
    video_sha256 = fields.String(allow_none=True, validate=_SHA256)
    version = Count(low=1, high=_VERSION_MAX, required=True)
    created_at = Moment(required=True)
    updated_at = Moment(required=True)
