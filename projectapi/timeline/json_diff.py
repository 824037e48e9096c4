"""Make a JSON Patch (RFC 6902) that turns one JSON document into another.

Elements of arrays that carry unique string ids (layers, clips, markers) are matched by id, so that an insertion is one
operation and not a rewriting of everything behind it. Where the operations would be longer than the value itself, the value is
replaced. The order of an object's keys has no meaning in JSON and is not compared; 1, 1.0 and true are three values.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Any

import orjson

from projectapi.project import JsonObject
from projectapi.timeline.json_pointer import escape_token

Operations = list[JsonObject]

# Finding where a moved element stands now takes a search of the array. Beyond this product of moves and elements they are
# removed and added again instead, which needs no search and keeps the time linear.
_MOVE_BUDGET = 2_000_000


def json_patch(old: Any, new: Any) -> Operations:
    """Return the operations that turn `old` into `new`; none when both are the same JSON."""
    return [] if _same(old, new) else _changes(old, new, "")


def _same(old: Any, new: Any) -> bool:
    # Python finds 1 == 1.0 == True; the texts differ. They also differ by key order, which the comparison in depth forgives.
    return old is new or orjson.dumps(old) == orjson.dumps(new)


def _changes(old: Any, new: Any, path: str) -> Operations:
    if isinstance(old, dict) and isinstance(new, dict):
        operations = _object_changes(old, new, path)
    elif isinstance(old, list) and isinstance(new, list):
        operations = _array_changes(old, new, path)
    else:
        return [] if _same(old, new) else [_replace(path, new)]
    if not operations:
        return []
    whole = [_replace(path, new)]
    return whole if len(orjson.dumps(whole)) < len(orjson.dumps(operations)) else operations


def _object_changes(old: JsonObject, new: JsonObject, path: str) -> Operations:
    operations = [_remove(f"{path}/{escape_token(key)}") for key in old if key not in new]
    for key, value in new.items():
        place = f"{path}/{escape_token(key)}"
        if key not in old:
            operations.append(_add(place, value))
        elif isinstance(value, dict | list) or not _same(old[key], value):
            operations += _changes(old[key], value, place)
    return operations


def _array_changes(old: list[Any], new: list[Any], path: str) -> Operations:
    old_ids, new_ids = _unique_ids(old), _unique_ids(new)
    if old_ids is None or new_ids is None:
        return _changes_by_position(old, new, path)
    return _changes_by_id(dict(zip(old_ids, old, strict=True)), dict(zip(new_ids, new, strict=True)), path)


def _unique_ids(array: list[Any]) -> list[str] | None:
    ids = [element["id"] for element in array if isinstance(element, dict) and isinstance(element.get("id"), str)]
    return ids if len(set(ids)) == len(array) else None


def _changes_by_position(old: list[Any], new: list[Any], path: str) -> Operations:
    shorter = min(len(old), len(new))
    start = next((i for i in range(shorter) if not _same(old[i], new[i])), shorter)
    tail = next((i for i in range(shorter - start) if not _same(old[-1 - i], new[-1 - i])), shorter - start)
    old_end, new_end = len(old) - tail, len(new) - tail
    paired = min(old_end, new_end)
    operations: Operations = []
    for index in range(start, paired):
        operations += _changes(old[index], new[index], f"{path}/{index}")
    operations += [_remove(f"{path}/{index}") for index in range(old_end - 1, paired - 1, -1)]
    operations += [_add(f"{path}/{index}", new[index]) for index in range(paired, new_end)]
    return operations


def _changes_by_id(old: JsonObject, new: JsonObject, path: str) -> Operations:
    """Remove from the back, move, add from the front: so every operation's index is right when its turn comes."""
    kept = [name for name in old if name in new]
    order = [name for name in new if name in old]
    displaced = displaced_ids(kept, order)
    if len(displaced) * len(kept) > _MOVE_BUDGET:
        kept = [name for name in kept if name not in displaced]
        order, displaced = kept, set()
    staying = set(kept)
    operations = [_remove(f"{path}/{i}") for i, name in reversed(list(enumerate(old))) if name not in staying]
    operations += _moves(kept, order, displaced, path)
    operations += [_add(f"{path}/{i}", value) for i, (name, value) in enumerate(new.items()) if name not in staying]
    for index, (name, value) in enumerate(new.items()):
        if name in staying and not _same(old[name], value):
            operations += _changes(old[name], value, f"{path}/{index}")
    return operations


def _moves(kept: Sequence[str], order: Sequence[str], displaced: set[str], path: str) -> Operations:
    operations: Operations = []
    current = list(kept)
    before: str | None = None
    for name in order:
        if name in displaced:
            source = current.index(name)
            current.pop(source)
            target = 0 if before is None else current.index(before) + 1
            current.insert(target, name)
            operations.append({"op": "move", "from": f"{path}/{source}", "path": f"{path}/{target}"})
        before = name
    return operations


def displaced_ids(old_order: Sequence[str], new_order: Sequence[str]) -> set[str]:
    """Return the fewest ids that must move for one order of the same ids to become the other."""
    if old_order == new_order:
        return set()
    rank = {name: index for index, name in enumerate(old_order)}
    return set(old_order) - _longest_rising_run(new_order, rank)


def _longest_rising_run(names: Sequence[str], rank: dict[str, int]) -> set[str]:
    """Return the longest subsequence whose ranks rise, by patience sorting."""
    tops: list[int] = []
    top_names: list[str] = []
    below: dict[str, str | None] = {}
    for name in names:
        pile = bisect_left(tops, rank[name])
        below[name] = top_names[pile - 1] if pile else None
        tops[pile : pile + 1] = [rank[name]]
        top_names[pile : pile + 1] = [name]
    run: set[str] = set()
    name_or_none = top_names[-1] if top_names else None
    while name_or_none is not None:
        run.add(name_or_none)
        name_or_none = below[name_or_none]
    return run


def _add(path: str, value: Any) -> JsonObject:
    return {"op": "add", "path": path, "value": value}


def _remove(path: str) -> JsonObject:
    return {"op": "remove", "path": path}


def _replace(path: str, value: Any) -> JsonObject:
    return {"op": "replace", "path": path, "value": value}
