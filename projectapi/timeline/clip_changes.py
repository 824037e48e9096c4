"""Find what happened to the clips between two states of a timeline."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from projectapi.project import JsonObject
from projectapi.timeline.json_diff import displaced_ids
from projectapi.timeline.wording import chosen, clip_label, differing, is_number, layer_label, seconds

_TRIM_FIELDS = ("start_time", "duration", "original_start_time", "end_time")
_TIMES = frozenset(_TRIM_FIELDS)

# Times are sums of floats: a moved clip's end may miss its start's shift by a rounding error.
_ROUNDING = 1e-6

ClipKey = tuple[str, int]
"""A clip's id, and which of the clips with this id it is: nothing forbids a client to send an id twice."""


@dataclass(frozen=True, slots=True)
class _PlacedClip:
    clip: JsonObject
    layer: JsonObject


def clip_changes(old_layers: list[JsonObject], new_layers: list[JsonObject]) -> Iterator[JsonObject]:
    """Yield what happened to each clip, then which layers had clips reordered.

    Clips that came or went together with their whole layer are not listed: the layer's own change counts them.
    """
    old, new = _placed(old_layers), _placed(new_layers)
    old_layer_ids = {layer.get("id") for layer in old_layers}
    new_layer_ids = {layer.get("id") for layer in new_layers}
    for key, was in old.items():
        if key not in new and was.layer.get("id") in new_layer_ids:
            yield _removed(was)
    for key, is_now in new.items():
        if key in old:
            yield from _changed(old[key], is_now)
        elif is_now.layer.get("id") in old_layer_ids:
            yield _added(is_now)
    yield from _reordered(old, new)


def clips_of(layer: JsonObject) -> list[JsonObject]:
    """Return a layer's clips that have an id; whatever else stands there shows in the patch only."""
    clips = layer.get("clips")
    return [clip for clip in clips if isinstance(clip, dict) and "id" in clip] if isinstance(clips, list) else []


def _placed(layers: Iterable[JsonObject]) -> dict[ClipKey, _PlacedClip]:
    seen: Counter[str] = Counter()
    placed = {}
    for layer in layers:
        for clip in clips_of(layer):
            name = str(clip["id"])
            placed[name, seen[name]] = _PlacedClip(clip, layer)
            seen[name] += 1
    return placed


def _added(placed: _PlacedClip) -> JsonObject:
    place = _place(placed)
    text = f"{clip_label(placed.clip)} added to {layer_label(placed.layer)} at {seconds(place['start_time'])}"
    return _change("clip_added", placed, None, place, text)


def _removed(placed: _PlacedClip) -> JsonObject:
    text = f"{clip_label(placed.clip)} removed from {layer_label(placed.layer)}"
    return _change("clip_removed", placed, _place(placed), None, text)


def _changed(was: _PlacedClip, is_now: _PlacedClip) -> Iterator[JsonObject]:
    same_layer = was.layer.get("id") == is_now.layer.get("id")
    if same_layer and was.clip == is_now.clip:
        return
    trimmed = _trimmed_fields(was.clip, is_now.clip)
    if not same_layer or ("start_time" not in trimmed and was.clip.get("start_time") != is_now.clip.get("start_time")):
        yield _moved(was, is_now, same_layer)
    if trimmed:
        yield _trimmed(was, is_now, trimmed)
    fields = differing(was.clip, is_now.clip, _TIMES)
    if fields:
        yield _otherwise_changed(was, is_now, fields)


def _trimmed_fields(old: JsonObject, new: JsonObject) -> list[str]:
    """Return the times that a trim changed, none when the clip was not trimmed.

    A clip that moves as a whole takes its end along (or leaves it behind: the editors do both), which is no trim. Cutting at
    the start shifts the start and the place in the source alike and shortens the clip, which is a trim and no move.
    """
    shift = {field: _shift(old, new, field) for field in _TRIM_FIELDS}
    fields = [field for field in ("duration", "original_start_time") if shift[field] != 0]
    ends_with_move = shift["end_time"] == 0 or _alike(shift["end_time"], shift["start_time"])
    if shift["end_time"] != 0 and (fields or not ends_with_move):
        fields.append("end_time")
    cut_at_start = shift["start_time"] != 0 and shift["duration"] != 0
    if cut_at_start and _alike(shift["start_time"], shift["original_start_time"]):
        fields.insert(0, "start_time")
    return fields


def _shift(old: JsonObject, new: JsonObject, field: str) -> float | None:
    """Return by how much a time changed, None where it changed from or to something that is no number."""
    before, after = old.get(field), new.get(field)
    if before == after:
        return 0
    return after - before if is_number(before) and is_number(after) else None


def _alike(left: float | None, right: float | None) -> bool:
    return left is not None and right is not None and abs(left - right) <= _ROUNDING


def _moved(was: _PlacedClip, is_now: _PlacedClip, same_layer: bool) -> JsonObject:
    before, after = _place(was), _place(is_now)
    text = f"{clip_label(is_now.clip)} moved"
    if not same_layer:
        text += f" from {layer_label(was.layer)} to {layer_label(is_now.layer)}"
    if before["start_time"] != after["start_time"]:
        text += "" if same_layer else " and"
        text += f" from {seconds(before['start_time'])} to {seconds(after['start_time'])}"
    return _change("clip_moved", is_now, before, after, text)


def _trimmed(was: _PlacedClip, is_now: _PlacedClip, fields: list[str]) -> JsonObject:
    shown = next(field for field in ("duration", "original_start_time", "end_time") if field in fields)
    before, after = seconds(was.clip.get(shown)), seconds(is_now.clip.get(shown))
    what = {
        "duration": f"trimmed from {before} to {after}",
        "original_start_time": f"now begins at {after} of its source, before at {before}",
        "end_time": f"now ends at {after}, before at {before}",
    }
    text = f"{clip_label(is_now.clip)} {what[shown]}"
    return _change("clip_trimmed", is_now, chosen(was.clip, fields), chosen(is_now.clip, fields), text)


def _otherwise_changed(was: _PlacedClip, is_now: _PlacedClip, fields: list[str]) -> JsonObject:
    before, after = chosen(was.clip, fields), chosen(is_now.clip, fields)
    _split_properties(before, after)
    text = f"{clip_label(is_now.clip)} changed: {', '.join(after)}"
    return {**_change("clip_changed", is_now, before, after, text), "fields": list(after)}


def _split_properties(before: JsonObject, after: JsonObject) -> None:
    """Put each property that differs in the place of the whole ``properties``, as "properties.volume"."""
    old, new = before.get("properties"), after.get("properties")
    if isinstance(old, dict) and isinstance(new, dict):
        del before["properties"], after["properties"]
        for name in differing(old, new):
            before[f"properties.{name}"], after[f"properties.{name}"] = old.get(name), new.get(name)


def _reordered(old: dict[ClipKey, _PlacedClip], new: dict[ClipKey, _PlacedClip]) -> Iterator[JsonObject]:
    old_orders, new_orders = _orders(old, new), _orders(new, old)
    for layer_id, order in new_orders.items():
        moved = displaced_ids(old_orders[layer_id][0], order[0])
        if moved:
            text = f"{len(moved)} {'clip' if len(moved) == 1 else 'clips'} reordered in {layer_label(order[1])}"
            yield {"kind": "clips_reordered", "layer_id": layer_id, "from": None, "to": None, "text": text}


def _orders(these: dict[ClipKey, _PlacedClip], others: dict[ClipKey, _PlacedClip]) -> dict[Any, tuple[list[str], JsonObject]]:
    """Return for each layer the order of those clips that are in it on both sides."""
    orders: dict[Any, tuple[list[str], JsonObject]] = {}
    for key, placed in these.items():
        other = others.get(key)
        layer_id = placed.layer.get("id")
        if other is not None and other.layer.get("id") == layer_id:
            orders.setdefault(layer_id, ([], placed.layer))[0].append(f"{key[1]}:{key[0]}")
    return orders


def _place(placed: _PlacedClip) -> JsonObject:
    return {"layer_id": placed.layer.get("id"), "start_time": placed.clip.get("start_time")}


def _change(kind: str, placed: _PlacedClip, before: JsonObject | None, after: JsonObject | None, text: str) -> JsonObject:
    ids = {"clip_id": placed.clip.get("id"), "layer_id": placed.layer.get("id")}
    return {"kind": kind, **ids, "from": before, "to": after, "text": text}
