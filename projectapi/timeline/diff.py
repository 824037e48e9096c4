"""Tell what changed between two states of a timeline: in words for people, and as JSON Patch for programs."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

from projectapi.project import JsonObject
from projectapi.timeline.clip_changes import clip_changes
from projectapi.timeline.json_diff import json_patch
from projectapi.timeline.layer_changes import layer_changes, marker_changes
from projectapi.timeline.wording import differing, scalar, seconds

_SAID_IN_PARTS = frozenset({"layers", "markers"})
_TIMES = {"playhead_time": "Playhead", "duration": "Duration"}
_NAMES = {"zoom": "Zoom", "selected_clips": "Selection", "is_playing": "Playing", "is_snapping": "Snapping"}


def diff(old_state: JsonObject, new_state: JsonObject) -> JsonObject:
    """Return ``{"changes": [...], "patch": [...]}``.

    Each change has a `kind`, the ids that it concerns, the values `from` and `to` that differ (None where there is nothing to
    compare) and a `text`. Applying `patch` (RFC 6902) to the old state gives the new one. Changes are for reading: what they
    leave out, the patch has.
    """
    return {"changes": list(_all_changes(old_state, new_state)), "patch": json_patch(old_state, new_state)}


def _all_changes(old: JsonObject, new: JsonObject) -> Iterator[JsonObject]:
    old_layers, new_layers = _objects(old, "layers"), _objects(new, "layers")
    return chain(
        layer_changes(old_layers, new_layers),
        clip_changes(old_layers, new_layers),
        marker_changes(_objects(old, "markers"), _objects(new, "markers")),
        _field_changes(old, new),
    )


def _objects(state: JsonObject, key: str) -> list[JsonObject]:
    value = state.get(key)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _field_changes(old: JsonObject, new: JsonObject) -> Iterator[JsonObject]:
    for field in differing(old, new, _SAID_IN_PARTS):
        before, after = scalar(old.get(field)), scalar(new.get(field))
        yield {"kind": "field_changed", "field": field, "from": before, "to": after, "text": _text(field, before, after)}


def _text(field: str, before: Any, after: Any) -> str:
    if field in _TIMES:
        return f"{_TIMES[field]} changed from {seconds(before)} to {seconds(after)}"
    name = _NAMES.get(field, f"“{field}”")
    if before is None or after is None:
        return f"{name} changed"
    if isinstance(after, bool):
        return f"{name} switched {'on' if after else 'off'}"
    return f"{name} changed from {before} to {after}"
