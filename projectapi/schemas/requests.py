"""What clients may send: one schema per request body, form or query."""

from __future__ import annotations

import math
import re
from typing import Any

from marshmallow import ValidationError, fields, validate, validates

from projectapi.project import (
    DESCRIPTION_MAX,
    HISTORY_LIMIT_DEFAULT,
    HISTORY_LIMIT_MAX,
    LIST_LIMIT_DEFAULT,
    LIST_LIMIT_MAX,
    NAME_MAX,
    SEGMENTS_MAX,
    SortField,
)
from projectapi.schemas.fields import Flag, Number, QueryInteger, QueryNumber, Text
from projectapi.schemas.loading import JsonObject, RequestSchema
from projectapi.schemas.timeline_schema import check_timeline

ID_MAX = 200
DAY_SECONDS = 86_400

# JavaScript writes small numbers as 1e-7.
_SPAN = re.compile(r"(\d{1,12}(?:\.\d{1,20})?(?:e-\d{1,3})?)-(\d{1,12}(?:\.\d{1,20})?(?:e-\d{1,3})?)", re.ASCII)


class TimelineState(fields.Field[JsonObject]):
    """A timeline as contract 4.1 has it, checked by the compiled JSON Schema and handed on untouched."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> JsonObject:
        problems = check_timeline(value)
        if problems:
            raise ValidationError(problems)
        return value  # type: ignore[no-any-return]


class ProjectCreation(RequestSchema):
    """Body of POST /projects/."""

    name = Text(high=NAME_MAX, required=True)
    description = Text(high=DESCRIPTION_MAX, allow_none=True, load_default=None)


class ProjectUpdate(RequestSchema):
    """Body of PUT /projects/{id}: only what it names is changed."""

    name = Text(high=NAME_MAX)
    description = Text(high=DESCRIPTION_MAX, allow_none=True)
    thumbnail = Text(high=2000, allow_none=True)
    duration = Number(low=0, high=1e9, allow_none=True)


class PatchedProject(ProjectUpdate):
    """What a project's editable fields must be after a PATCH."""

    name = Text(high=NAME_MAX, required=True)
    description = Text(high=DESCRIPTION_MAX, allow_none=True, load_default=None)
    thumbnail = Text(high=2000, allow_none=True, load_default=None)
    duration = Number(low=0, high=1e9, allow_none=True, load_default=None)


class ListRequest(RequestSchema):
    """Query of GET /projects/."""

    limit = QueryInteger(low=1, high=LIST_LIMIT_MAX, load_default=LIST_LIMIT_DEFAULT)
    cursor = Text(high=4000, load_default=None)
    deleted = fields.Boolean(load_default=False)
    search = Text(high=NAME_MAX, load_default=None)
    sort = fields.Enum(SortField, by_value=True, load_default=SortField.UPDATED_AT)
    order = fields.String(validate=validate.OneOf(["asc", "desc"]), load_default="desc")


class TimelineSaveRequest(RequestSchema):
    """Body of POST /timeline/ and POST /timeline/save."""

    camel_case = {"projectId": "project_id", "timelineState": "timeline_state", "changeSummary": "change_summary"}

    project_id = Text(low=1, high=ID_MAX, required=True)
    timeline_state = TimelineState(required=True)
    description = Text(high=DESCRIPTION_MAX, allow_none=True, load_default=None)
    change_summary = Text(high=DESCRIPTION_MAX, allow_none=True, load_default=None)


class TimelineUpdate(RequestSchema):
    """Body of PUT /timeline/{document id}."""

    camel_case = {"timelineState": "timeline_state", "changeSummary": "change_summary"}

    timeline_state = TimelineState()
    description = Text(high=DESCRIPTION_MAX, allow_none=True)
    change_summary = Text(high=DESCRIPTION_MAX, allow_none=True)


class DiffRequest(RequestSchema):
    """Query of GET /timeline/{id}/diff."""

    earlier = QueryInteger(data_key="from", low=1, high=2**53, required=True)
    later = QueryInteger(data_key="to", low=1, high=2**53, required=True)


class HistoryRequest(RequestSchema):
    """Query of GET /timeline/{id}/history."""

    limit = QueryInteger(low=1, high=HISTORY_LIMIT_MAX, load_default=HISTORY_LIMIT_DEFAULT)
    skip = QueryInteger(low=0, high=10_000_000, load_default=0)
    include_state = fields.Boolean(load_default=False)


class MediaForm(RequestSchema):
    """Form of POST /media/upload (beside the file) and POST /media/transcribe."""

    project_id = Text(low=1, high=ID_MAX, required=True)


class Segment(RequestSchema):
    """One piece to keep, in seconds of the video's time."""

    start_time = Number(data_key="startTime", low=-DAY_SECONDS * 365, high=DAY_SECONDS * 365, required=True)
    duration = Number(low=0, high=DAY_SECONDS * 365, required=True)


class TrimRequest(RequestSchema):
    """Body of POST /media/trim-video."""

    camel_case = {"projectId": "project_id"}

    project_id = Text(low=1, high=ID_MAX, required=True)
    segments = fields.List(fields.Nested(Segment), required=True, validate=validate.Length(max=SEGMENTS_MAX))


def span_of(word: str) -> tuple[float, float] | None:
    """Return start and end (seconds) of the word that the frontends name `"{start}-{end}"`, None when it names none."""
    found = _SPAN.fullmatch(word)
    if found is None:
        return None
    start, end = float(found[1]), float(found[2])
    return (start, end) if start <= end < math.inf else None


class RemoveFillersRequest(RequestSchema):
    """Body of POST /media/remove-fillers: the words by their `"{start}-{end}"` keys, or `auto_detect`."""

    camel_case = {"projectId": "project_id", "selectedWords": "selected_words", "autoDetect": "auto_detect"}

    project_id = Text(low=1, high=ID_MAX, required=True)
    selected_words = fields.List(Text(high=100), load_default=list, allow_none=True, validate=validate.Length(max=100_000))
    auto_detect = Flag(load_default=False)

    @validates("selected_words")
    def _are_spans(self, words: list[str] | None, data_key: str) -> None:
        for word in words or []:
            if span_of(word) is None:
                raise ValidationError('Each word is named by its times in seconds, such as "0.1-0.25".')


class PreviewRequest(RequestSchema):
    """Query of POST /timeline/{id}/render-preview."""

    start_time = QueryNumber(low=0, high=DAY_SECONDS, load_default=0.0)
    end_time = QueryNumber(low=0, high=DAY_SECONDS, load_default=10.0)
    quality = Text(high=20, load_default="medium")
