"""Answers of /timeline."""

from __future__ import annotations

from marshmallow import fields

from projectapi.schemas.fields import about
from projectapi.schemas.requests import EXAMPLE_ID, EXAMPLE_VERSION_ID, TimelineState
from projectapi.schemas.shapes.fields import Answer, flag_field, integer_field, list_field, moment_field, text_field


class VersionFields(Answer):
    """What is known of a version of a timeline beside its state."""

    _id = text_field("Names this version for ever.", EXAMPLE_VERSION_ID)
    project_id = text_field("The project's `_id`.", EXAMPLE_ID)
    version = integer_field("Counts the saves of the project from 1.", 2)
    previous_version_id = text_field("Always null.", None, allow_none=True)
    is_current = flag_field("Whether it is the newest.", True)
    description = text_field("What people call it.", "Quick Save", allow_none=True)
    change_summary = text_field("What changed since the version before.", "Cut the beach", allow_none=True)
    created_by = text_field("Who saved it.", "anonymous")
    created_at = moment_field("When it was saved.")
    updated_at = moment_field("When its description or change summary was changed last, or it was saved.")


class VersionDocument(VersionFields):
    """A version of a timeline."""

    timeline_state = TimelineState(required=True, metadata=about("As it was saved."))


class HistoryEntry(VersionFields):
    """A version of a timeline in the history."""

    timeline_state = TimelineState(
        required=True, allow_none=True, metadata=about("As it was saved; null unless `include_state` asks for it.")
    )


class PatchedVersion(VersionFields):
    """The version that a patch made."""

    timeline_state = TimelineState(metadata=about("As it is now; only there with `Prefer: return=representation`."))


class CurrentTimeline(VersionDocument):
    """The current version, whose state is there twice: below `timeline_state`, and key by key beside it.

    Before the first save it is empty, `version` is 0, and what only a save can tell is null.
    """

    _id = text_field("Names this version for ever; null before the first save.", EXAMPLE_VERSION_ID, allow_none=True)
    version = integer_field("Counts the saves of the project from 1; 0 before the first.", 2)
    created_by = text_field("Who saved it; null before the first save.", "anonymous", allow_none=True)
    created_at = moment_field("When it was saved; null before the first save.", allow_none=True)
    updated_at = moment_field("When the version was changed last; null before the first save.", allow_none=True)


class Change(Answer):
    """Something that happened to a timeline between two versions; which of the ids there are depends on its kind."""

    kind = text_field("What kind of change it is.", "clip_removed")
    layer_id = fields.String(allow_none=True, metadata=about("The layer that it happened to, or in.", "video-layer-1"))
    clip_id = fields.String(allow_none=True, metadata=about("The clip that it happened to.", "video-clip-1"))
    marker_id = fields.String(allow_none=True, metadata=about("The marker that it happened to.", "m1"))
    before = fields.Raw(data_key="from", required=True, metadata=about("What was there; null for nothing.", {"duration": 3}))
    after = fields.Raw(data_key="to", required=True, metadata=about("What is there now; null for nothing.", {"duration": 2}))
    text = text_field("The change in words.", "Clip “Holiday” trimmed")


class ComparisonAnswer(Answer):
    """What changed between two versions."""

    project_id = text_field("The project's `_id`.", EXAMPLE_ID)
    earlier = fields.Integer(data_key="from", required=True, metadata=about("The version compared.", 1))
    later = fields.Integer(data_key="to", required=True, metadata=about("The version that it is compared with.", 2))
    changes = list_field(fields.Nested(Change), "For people.")
    patch = list_field(fields.Dict(), "For programs: a JSON Patch (RFC 6902) that makes the later state of the earlier one.")
