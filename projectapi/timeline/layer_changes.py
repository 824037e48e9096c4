"""Find what happened to the layers and markers between two states of a timeline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from projectapi.project import JsonObject
from projectapi.timeline.clip_changes import clips_of
from projectapi.timeline.json_diff import displaced_ids
from projectapi.timeline.wording import chosen, differing, label, seconds

_TOGGLES = {
    "is_visible": ("shown", "hidden"),
    "is_locked": ("locked", "unlocked"),
    "is_muted": ("muted", "unmuted"),
}
_POSITION = "\0position "
_SAID_OTHERWISE = frozenset({"id", "name", "order", "clips", *_TOGGLES})


def layer_changes(old_layers: list[JsonObject], new_layers: list[JsonObject]) -> Iterator[JsonObject]:
    """Yield which layers were added, removed, renamed, reordered, switched or otherwise changed."""
    old, new = by_id(old_layers), by_id(new_layers)
    for layer_id, layer in old.items():
        if layer_id not in new:
            yield _change("layer_removed", layer, _contents(layer), None, f"{_named(layer)} removed{_with_clips(layer)}")
    displaced = displaced_ids([i for i in old if i in new], [i for i in new if i in old])
    positions_before, positions_now = _positions(old), _positions(new)
    for layer_id, layer in new.items():
        if layer_id not in old:
            yield _change("layer_added", layer, None, _contents(layer), f"{_named(layer)} added{_with_clips(layer)}")
            continue
        was = old[layer_id]
        if layer_id in displaced or was.get("order") != layer.get("order"):
            before = {"position": positions_before[layer_id], "order": was.get("order")}
            after = {"position": positions_now[layer_id], "order": layer.get("order")}
            yield _change("layer_reordered", layer, before, after, f"{_named(layer)} reordered")
        yield from _field_changes(was, layer)


def marker_changes(old_markers: list[JsonObject], new_markers: list[JsonObject]) -> Iterator[JsonObject]:
    """Yield which markers were added, removed or changed; markers without an id are told apart by their position."""
    old, new = by_id(old_markers), by_id(new_markers)
    for key, marker in old.items():
        if key not in new:
            text = f"{_marker(marker)} removed at {seconds(marker.get('time'))}"
            yield _marker_change("marker_removed", marker, marker, None, text)
    for key, marker in new.items():
        if key not in old:
            text = f"{_marker(marker)} added at {seconds(marker.get('time'))}"
            yield _marker_change("marker_added", marker, None, marker, text)
        elif fields := differing(old[key], marker):
            what = f"changed: {', '.join(fields)}"
            if fields == ["time"]:
                what = f"moved from {seconds(old[key].get('time'))} to {seconds(marker.get('time'))}"
            before, after = chosen(old[key], fields), chosen(marker, fields)
            yield _marker_change("marker_changed", marker, before, after, f"{_marker(marker)} {what}")


def by_id(items: Sequence[JsonObject]) -> dict[str, JsonObject]:
    """Return items by id; one without an id, or with an id that came before, goes by its position."""
    found: dict[str, JsonObject] = {}
    for index, item in enumerate(items):
        name = item.get("id")
        found[name if isinstance(name, str) and name not in found else f"{_POSITION}{index}"] = item
    return found


def _field_changes(was: JsonObject, layer: JsonObject) -> Iterator[JsonObject]:
    if was.get("name") != layer.get("name"):
        text = f"{_named(was)} renamed to {label(layer, 'name')}"
        yield _change("layer_renamed", layer, chosen(was, ["name"]), chosen(layer, ["name"]), text)
    for field, (on, off) in _TOGGLES.items():
        # A missing switch stands for its default, which only the frontend knows.
        if was.get(field) != layer.get(field):
            text = f"{_named(layer)} {on if layer.get(field) else off}"
            change = _change("layer_toggled", layer, chosen(was, [field]), chosen(layer, [field]), text)
            yield {**change, "field": field}
    fields = differing(was, layer, _SAID_OTHERWISE)
    if fields:
        text = f"{_named(layer)} changed: {', '.join(fields)}"
        change = _change("layer_changed", layer, chosen(was, fields), chosen(layer, fields), text)
        yield {**change, "fields": fields}


def _positions(items: dict[str, JsonObject]) -> dict[str, int]:
    return {name: index for index, name in enumerate(items)}


def _contents(layer: JsonObject) -> JsonObject:
    return {"name": layer.get("name"), "type": layer.get("type"), "clips": len(clips_of(layer))}


def _with_clips(layer: JsonObject) -> str:
    count = len(clips_of(layer))
    return f" with {count} {'clip' if count == 1 else 'clips'}" if count else ""


def _named(layer: JsonObject) -> str:
    return f"Layer {label(layer, 'name')}"


def _marker(marker: JsonObject) -> str:
    return f"Marker {label(marker, 'label')}"


def _change(kind: str, layer: JsonObject, before: JsonObject | None, after: JsonObject | None, text: str) -> JsonObject:
    return {"kind": kind, "layer_id": layer.get("id"), "from": before, "to": after, "text": text}


def _marker_change(kind: str, marker: JsonObject, before: JsonObject | None, after: JsonObject | None, text: str) -> JsonObject:
    return {"kind": kind, "marker_id": marker.get("id"), "from": before, "to": after, "text": text}
