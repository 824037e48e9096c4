"""Say in words what a change to a timeline is."""

from __future__ import annotations

from typing import Any, TypeGuard

from projectapi.project import JsonObject

_LABEL_MAX = 60


def is_number(value: Any) -> TypeGuard[float]:
    """Tell whether a JSON value is a number; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def seconds(value: Any) -> str:
    """Return a time as an editor shows it: to the millisecond at most, with at least one decimal."""
    if not is_number(value):
        return "no time"
    digits = f"{value:.3f}".rstrip("0")
    return f"{digits}0 s" if digits.endswith(".") else f"{digits} s"


def label(item: JsonObject, *keys: str) -> str:
    """Return the first of the named keys that holds a text, else the id, in quotation marks."""
    texts = [item.get(key) for key in (*keys, "id")]
    text = next((text for text in texts if isinstance(text, str) and text), "")
    return f"“{text[:_LABEL_MAX]}…”" if len(text) > _LABEL_MAX else f"“{text}”"


def clip_label(clip: JsonObject) -> str:
    """Return how an editor would call a clip."""
    return f"Clip {label(clip, 'name', 'content')}"


def layer_label(layer: JsonObject) -> str:
    """Return how an editor would call a layer."""
    return f"layer {label(layer, 'name')}"


def scalar(value: Any) -> Any:
    """Return a value if it is short enough to show, else None."""
    return None if isinstance(value, dict | list) else value


def differing(old: JsonObject, new: JsonObject, ignored: frozenset[str] = frozenset()) -> list[str]:
    """Return the keys whose values differ, in the order of the new object, then those that it lost."""
    keys = [*new, *(key for key in old if key not in new)]
    return [key for key in keys if key not in ignored and old.get(key) != new.get(key)]


def chosen(item: JsonObject, keys: list[str]) -> JsonObject:
    """Return the values of some keys, None for those that are missing."""
    return {key: item.get(key) for key in keys}
