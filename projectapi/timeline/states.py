"""Carry keys through BSON that it cannot hold.

A key that begins with ``$`` may be taken for an operator or be decoded as a DBRef, and a key with NUL cannot be encoded.
Both are refused at the edge, except below a clip's free-form ``properties``, where every key is kept verbatim. There such
keys are written with a leading U+FF04 (a full-width dollar sign), percent signs and NULs percent-encoded; keys that begin
with U+FF04 themselves are written so too, which makes the encoding reversible.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from projectapi.project import JsonObject

ESCAPE = "\uff04"

_CONTAINERS = (dict, list)


def is_stored_verbatim(key: str) -> bool:
    """Tell whether a key below ``properties`` is stored as it is."""
    return not (key.startswith(("$", ESCAPE)) or "\0" in key)


def escape_keys(state: JsonObject) -> tuple[JsonObject, bool]:
    """Return the state as BSON can hold it, and whether that needed a change; if not, it is the same object."""
    if _needs_nothing(state):
        return state, False
    return _with_properties(state, lambda properties: _renamed(properties, _escaped)), True


def unescape_keys(state: JsonObject) -> JsonObject:
    """Return the state that `escape_keys` was given; call it only for states that needed a change."""
    return _with_properties(state, lambda properties: _renamed(properties, _unescaped))


def _needs_nothing(state: JsonObject) -> bool:
    # This runs over every clip of every save. Clips have the same few sets of keys: each set is looked at once.
    plain: set[tuple[str, ...]] = set()
    for layer in state.get("layers") or ():
        for clip in layer.get("clips") or ():
            properties = clip.get("properties")
            if isinstance(properties, _CONTAINERS) and not _is_plain(properties, plain):
                return False
    return True


def _is_plain(value: Any, plain: set[tuple[str, ...]]) -> bool:
    if isinstance(value, dict):
        keys = tuple(value)
        if keys not in plain:
            if not all(map(is_stored_verbatim, keys)):
                return False
            plain.add(keys)
        value = value.values()
    return all(_is_plain(child, plain) for child in value if isinstance(child, _CONTAINERS))


def _with_properties(state: JsonObject, convert: Callable[[Any], Any]) -> JsonObject:
    layers = state.get("layers")
    return {**state, "layers": [_converted_layer(layer, convert) for layer in layers]} if layers else state


def _converted_layer(layer: JsonObject, convert: Callable[[Any], Any]) -> JsonObject:
    clips = layer.get("clips")
    return {**layer, "clips": [_converted_clip(clip, convert) for clip in clips]} if clips else layer


def _converted_clip(clip: JsonObject, convert: Callable[[Any], Any]) -> JsonObject:
    properties = clip.get("properties")
    return {**clip, "properties": convert(properties)} if properties else clip


def _renamed(value: Any, rename: Callable[[str], str]) -> Any:
    if isinstance(value, dict):
        return {rename(key): _renamed(child, rename) for key, child in value.items()}
    if isinstance(value, list):
        return [_renamed(child, rename) for child in value]
    return value


def _escaped(key: str) -> str:
    return key if is_stored_verbatim(key) else ESCAPE + key.replace("%", "%25").replace("\0", "%00")


def _unescaped(key: str) -> str:
    return key[1:].replace("%00", "\0").replace("%25", "%") if key.startswith(ESCAPE) else key
