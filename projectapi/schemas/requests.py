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
    JsonObject,
    SortField,
)
from projectapi.schemas.fields import Flag, Number, QueryInteger, QueryNumber, Text, about
from projectapi.schemas.loading import RequestSchema
from projectapi.schemas.timeline_schema import check_timeline

ID_MAX = 200
DAY_SECONDS = 86_400
EXAMPLE_ID = "4f1c0a5d9be2a7c3d8e6f012"
EXAMPLE_VERSION_ID = "9be2a7c34f1c0a5df3366dc8"
"""The project that the examples of the documentation are about, and the current version of its timeline."""

# JavaScript writes small numbers as 1e-7.
_SPAN = re.compile(r"(\d{1,12}(?:\.\d{1,20})?(?:e-\d{1,3})?)-(\d{1,12}(?:\.\d{1,20})?(?:e-\d{1,3})?)", re.ASCII)


class TimelineState(fields.Field[JsonObject]):
    """A timeline, checked by the compiled JSON Schema and handed on untouched."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> JsonObject:
        problems = check_timeline(value)
        if problems:
            raise ValidationError(problems)
        return value  # type: ignore[no-any-return]


_PROJECT_ID = about("The project's `_id`.", EXAMPLE_ID)
_NAME = about("Shown in the list of projects and as the title of the timeline.", "Holiday")
_DESCRIPTION = about("Whatever is worth knowing of the project.", "Video uploaded on 11/22/2026")
_THUMBNAIL = about("Where a picture of the project is; a file of this server, or of another.", f"/media/{EXAMPLE_ID}/thumbnail")
_DURATION = about("Length of the video, in seconds.", 3.04)
_VERSION_DESCRIPTION = about("What people call this version in the history.", "Quick Save")
_CHANGE_SUMMARY = about("What changed since the version before.", "Cut the beach")


class ProjectCreation(RequestSchema):
    """Body of POST /projects/."""

    name = Text(high=NAME_MAX, required=True, metadata=_NAME)
    description = Text(high=DESCRIPTION_MAX, allow_none=True, load_default=None, metadata=_DESCRIPTION)


class ProjectUpdate(RequestSchema):
    """Body of PUT /projects/{id}: only what it names is changed."""

    name = Text(high=NAME_MAX, metadata=_NAME)
    description = Text(high=DESCRIPTION_MAX, allow_none=True, metadata=_DESCRIPTION)
    thumbnail = Text(high=2000, allow_none=True, metadata=_THUMBNAIL)
    duration = Number(low=0, high=1e9, allow_none=True, metadata=_DURATION)


class PatchedProject(ProjectUpdate):
    """What a project's editable fields must be after a PATCH."""

    name = Text(high=NAME_MAX, required=True, metadata=_NAME)
    description = Text(high=DESCRIPTION_MAX, allow_none=True, load_default=None, metadata=_DESCRIPTION)
    thumbnail = Text(high=2000, allow_none=True, load_default=None, metadata=_THUMBNAIL)
    duration = Number(low=0, high=1e9, allow_none=True, load_default=None, metadata=_DURATION)


class ListRequest(RequestSchema):
    """Query of GET /projects/."""

    limit = QueryInteger(
        low=1, high=LIST_LIMIT_MAX, load_default=LIST_LIMIT_DEFAULT, metadata=about("Most projects in one answer.")
    )
    cursor = Text(
        high=4000, load_default=None, metadata=about("Where the page begins: as the header `Link` of the page before has it.")
    )
    deleted = fields.Boolean(load_default=False, metadata=about("`true` lists the trash in place of the projects in use."))
    search = Text(
        high=NAME_MAX, load_default=None, metadata=about("Only projects whose name has this text in it, in either case.", "oli")
    )
    sort = fields.Enum(
        SortField, by_value=True, load_default=SortField.UPDATED_AT, metadata=about("What the list is sorted by.")
    )
    order = fields.String(
        validate=validate.OneOf(["asc", "desc"]), load_default="desc", metadata=about("`desc`: latest first.")
    )


class TimelineSaveRequest(RequestSchema):
    """Body of POST /timeline/ and POST /timeline/save."""

    camel_case = {"projectId": "project_id", "timelineState": "timeline_state", "changeSummary": "change_summary"}

    project_id = Text(low=1, high=ID_MAX, required=True, metadata=_PROJECT_ID)
    timeline_state = TimelineState(required=True)
    description = Text(high=DESCRIPTION_MAX, allow_none=True, load_default=None, metadata=_VERSION_DESCRIPTION)
    change_summary = Text(high=DESCRIPTION_MAX, allow_none=True, load_default=None, metadata=_CHANGE_SUMMARY)


class TimelineUpdate(RequestSchema):
    """Body of PUT /timeline/{document id}."""

    camel_case = {"timelineState": "timeline_state", "changeSummary": "change_summary"}

    timeline_state = TimelineState()
    description = Text(high=DESCRIPTION_MAX, allow_none=True, metadata=_VERSION_DESCRIPTION)
    change_summary = Text(high=DESCRIPTION_MAX, allow_none=True, metadata=_CHANGE_SUMMARY)


class DiffRequest(RequestSchema):
    """Query of GET /timeline/{id}/diff."""

    earlier = QueryInteger(data_key="from", low=1, high=2**53, required=True, metadata=about("The version to start from.", 1))
    later = QueryInteger(data_key="to", low=1, high=2**53, required=True, metadata=about("The version to arrive at.", 2))


class HistoryRequest(RequestSchema):
    """Query of GET /timeline/{id}/history."""

    limit = QueryInteger(
        low=1, high=HISTORY_LIMIT_MAX, load_default=HISTORY_LIMIT_DEFAULT, metadata=about("Most versions in one answer.")
    )
    skip = QueryInteger(low=0, high=10_000_000, load_default=0, metadata=about("How many of the newest to leave out."))
    include_state = fields.Boolean(load_default=False, metadata=about("`true`: with the state of each version."))


class MediaForm(RequestSchema):
    """Form of POST /media/upload (beside the file) and POST /media/transcribe."""

    project_id = Text(low=1, high=ID_MAX, required=True, metadata=_PROJECT_ID)


class Segment(RequestSchema):
    """One piece to keep, in seconds of the video's time."""

    start_time = Number(
        data_key="startTime",
        low=-DAY_SECONDS * 365,
        high=DAY_SECONDS * 365,
        required=True,
        metadata=about("Where the piece begins, in seconds of the video's time; before the start means at the start.", 0.2),
    )
    duration = Number(low=0, high=DAY_SECONDS * 365, required=True, metadata=about("Its length, in seconds.", 0.5))


class TrimRequest(RequestSchema):
    """Body of POST /media/trim-video."""

    camel_case = {"projectId": "project_id"}

    project_id = Text(low=1, high=ID_MAX, required=True, metadata=_PROJECT_ID)
    segments = fields.List(
        fields.Nested(Segment),
        required=True,
        validate=validate.Length(max=SEGMENTS_MAX),
        metadata=about("The pieces to keep, in this order; none at all means the whole video."),
    )


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

    project_id = Text(low=1, high=ID_MAX, required=True, metadata=_PROJECT_ID)
    selected_words = fields.List(
        Text(high=100, metadata={"pattern": f"^{_SPAN.pattern}$"}),
        load_default=list,
        allow_none=True,
        validate=validate.Length(max=100_000),
        metadata=about('The words to cut out, each named by `"{start}-{end}"` in seconds of the video\'s time.', ["0.1-0.25"]),
    )
    auto_detect = Flag(load_default=False, metadata=about("`true`: the words that the transcript marks as fillers, too."))

    @validates("selected_words")
    def _are_spans(self, words: list[str] | None, data_key: str) -> None:
        for word in words or []:
            if span_of(word) is None:
                raise ValidationError('Each word is named by its times in seconds, such as "0.1-0.25".')


PREVIEW_HEIGHTS = {"low": 360, "medium": 540, "high": 720}
"""Heights of previews in pixels, by the name of their quality; smaller videos keep theirs."""


class PreviewRequest(RequestSchema):
    """Query of POST /timeline/{id}/render-preview."""

    start_time = QueryNumber(
        low=0, high=DAY_SECONDS, load_default=0.0, metadata=about("In seconds of the timeline's time.", 0.0)
    )
    end_time = QueryNumber(
        low=0, high=DAY_SECONDS, load_default=10.0, metadata=about("In seconds of the timeline's time; after the start.", 1.0)
    )
    quality = fields.String(
        validate=validate.OneOf(sorted(PREVIEW_HEIGHTS)),
        load_default="medium",
        metadata=about("How large the picture is at the most: low 360, medium 540, high 720 pixels high.", "low"),
    )
