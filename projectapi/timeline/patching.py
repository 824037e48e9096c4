"""Apply a patch to a JSON document: merge patch (RFC 7396) or JSON Patch (RFC 6902).

The document that is given is never changed. Only the containers on the way to a change are copied, everything else is shared
with the result, so that moving one clip of 10,000 does not cost 10,000 copies. The result says which places were touched, for a
store that writes only those.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from projectapi.errors import UnsupportedMediaType, ValidationFailed
from projectapi.project import JsonObject
from projectapi.timeline.json_patch import MAX_DEPTH, PatchedDocument, apply_operation
from projectapi.timeline.json_pointer import Path
from projectapi.timeline.states import is_stored_verbatim

MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
ACCEPT_PATCH = f"{MERGE_PATCH}, {JSON_PATCH}"

MAX_OPERATIONS = 1_000
MAX_PLACES = 5_000
"""Places that are told apart: past these it costs less to write the whole document than to find the fewest to write."""


@dataclass(frozen=True, slots=True)
class Patched:
    """The patched document and the places in which it differs, none of them inside another.

    The value of each place in `state` is to be written there; a place that `state` does not have was removed. Every step of a
    place can be part of a dotted MongoDB path, and writing the places one by one leaves the keys of every object in the order
    of `state`. A place whose last step is the length that the array had is an element that was appended. For more
    than `MAX_PLACES` places stands the whole document.
    """

    state: Any
    touched: list[Path]


def apply_patch(media_type: str, document: Any, patch: Any) -> Patched:
    """Apply a patch of either media type.

    Raises UnsupportedMediaType (with ``Accept-Patch``), ValidationFailed and, for a failed ``test``, Conflict.
    """
    apply = _APPLIERS.get(media_type)
    if apply is None:
        raise UnsupportedMediaType(f"Send a patch as {MERGE_PATCH} or {JSON_PATCH}.", headers={"Accept-Patch": ACCEPT_PATCH})
    return apply(document, patch)


def apply_merge_patch(document: Any, patch: Any) -> Patched:
    """Merge `patch` into the document: null removes a key, an object is merged, everything else replaces (RFC 7396).

    Raises ValidationFailed when the patch nests too deeply.
    """
    touched: set[Path] = set()
    state = _merge(document, patch, (), touched)
    return Patched(state, _places_to_write(document, state, touched))


def apply_json_patch(document: Any, operations: Any) -> Patched:
    """Apply the operations of a JSON Patch in their order, all or none (RFC 6902).

    Raises ValidationFailed for a malformed operation and for a path that does not exist, Conflict when a ``test`` fails.
    """
    if not isinstance(operations, list):
        raise _invalid("list_type", [], "A JSON Patch is an array of operations.")
    if len(operations) > MAX_OPERATIONS:
        raise _invalid("too_long", [], f"A JSON Patch may have at most {MAX_OPERATIONS:,} operations.")
    patched = PatchedDocument(document)
    for index, operation in enumerate(operations):
        apply_operation(patched, index, operation)
    return Patched(patched.root, _places_to_write(document, patched.root, patched.touched))


_APPLIERS: dict[str, Callable[[Any, Any], Patched]] = {MERGE_PATCH: apply_merge_patch, JSON_PATCH: apply_json_patch}


def _merge(target: Any, patch: Any, path: Path, touched: set[Path]) -> Any:
    if not isinstance(patch, dict):
        touched.add(path)
        return patch
    if len(path) >= MAX_DEPTH:
        raise _invalid("too_deep", path, f"A patch may nest at most {MAX_DEPTH} levels deep.")
    if not isinstance(target, dict):
        touched.add(path)
        target = {}
    merged = dict(target)
    for key, value in patch.items():
        if value is not None:
            merged[key] = _merge(target.get(key), value, (*path, key), touched)
        elif key in merged:
            touched.add((*path, key))
            del merged[key]
    return merged


def _places_to_write(old: Any, new: Any, touched: set[Path]) -> list[Path]:
    """Return the fewest places that cover what was touched and that a store can address."""
    if len(touched) > MAX_PLACES:
        return [()]
    places = _outermost({_addressable(path) for path in touched})
    while True:
        parents = {path[:-1] for path in places if path and isinstance(path[-1], str)}
        unordered = {parent for parent in parents if not _keeps_key_order(_at(old, parent), _at(new, parent))}
        if not unordered:
            return sorted(places, key=_by_position)
        places = _outermost(places | unordered)


def _addressable(path: Path) -> Path:
    """Cut a path before the first key that cannot stand in a dotted path, or that is stored under another name."""
    for depth, step in enumerate(path):
        if isinstance(step, str) and (not step or "." in step or not is_stored_verbatim(step)):
            return path[:depth]
    return path


def _outermost(paths: set[Path]) -> set[Path]:
    return {path for path in paths if not any(path[:length] in paths for length in range(len(path)))}


def _keeps_key_order(old: JsonObject, new: JsonObject) -> bool:
    """Tell whether setting and unsetting single keys of the old object puts the keys into the order of the new one.

    MongoDB appends new fields, but several of them in alphabetical order and not in the order given.
    """
    surviving = [key for key in old if key in new]
    added = [key for key in new if key not in old]
    return len(added) <= 1 and list(new) == surviving + added


def _at(document: Any, path: Path) -> Any:
    for step in path:
        document = document[step]
    return document


def _by_position(path: Path) -> list[tuple[bool, str | int]]:
    return [(isinstance(step, int), step) for step in path]


def _invalid(kind: str, loc: Sequence[str | int], message: str) -> ValidationFailed:
    return ValidationFailed(message, detail=[{"type": kind, "loc": list(loc), "msg": message}])
