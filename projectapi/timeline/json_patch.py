"""The six operations of JSON Patch (RFC 6902) on a document that is copied only where it changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import orjson

from projectapi.errors import Conflict, ValidationFailed
from projectapi.project import JsonObject
from projectapi.timeline.json_pointer import Path, Tokens, format_pointer, parse_index, parse_pointer

MAX_DEPTH = 64
"""Deepest nesting of a document, and longest path, in levels."""

MAX_COPIED_BYTES = 16 * 1024 * 1024
"""JSON that the ``copy`` operations of one patch may add: without a limit, 30 of them make a gigabyte out of one byte."""


class InvalidOperation(Exception):
    """An operation that cannot be applied: which member of it is wrong, a short name of why, and a sentence."""

    def __init__(self, member: str | None, kind: str, message: str) -> None:
        super().__init__(message)
        self.member = member
        self.kind = kind
        self.message = message


class PatchedDocument:
    """A document under change: `root` is its present value, `touched` the places that were written.

    Containers are copied when they are first written to and are private from then on; all others are shared with the original
    document and with the patch, and are never written to.
    """

    def __init__(self, document: Any) -> None:
        self._top: list[Any] = [document]
        self._private: dict[int, Any] = {}
        self._copied_bytes = 0
        self.touched: set[Path] = set()

    @property
    def root(self) -> Any:
        """Return the document as it is now."""
        return self._top[0]

    def get(self, tokens: Tokens, member: str = "path") -> Any:
        """Return the value at a place. Raises InvalidOperation when there is none."""
        value = self.root
        for depth, token in enumerate(tokens):
            value = value[_existing_key(value, token, tokens[:depth], member)]
        return value

    def add(self, tokens: Tokens, value: Any) -> None:
        """Set a key, or insert before an array's element, or append at its end."""
        _check_depth(tokens, value)
        if not tokens:
            return self._set_root(value)
        container, path = self._open(tokens[:-1])
        if isinstance(container, dict):
            container[tokens[-1]] = value
            self.touched.add((*path, tokens[-1]))
            return None
        index = _insertion_index(container, tokens[-1], path)
        # Everything behind an inserted element changes its index; an appended one disturbs nobody.
        self.touched.add((*path, index) if index == len(container) else path)
        container.insert(index, value)
        return None

    def remove(self, tokens: Tokens, member: str = "path") -> None:
        """Take out a key, or an array's element."""
        if not tokens:
            raise InvalidOperation(member, "not_removable", "The whole document cannot be removed.")
        container, path = self._open(tokens[:-1], member)
        key = _existing_key(container, tokens[-1], path, member)
        del container[key]
        self.touched.add((*path, key) if isinstance(key, str) else path)

    def replace(self, tokens: Tokens, value: Any) -> None:
        """Put another value where one is."""
        _check_depth(tokens, value)
        if not tokens:
            return self._set_root(value)
        container, path = self._open(tokens[:-1])
        key = _existing_key(container, tokens[-1], path, "path")
        container[key] = value
        self.touched.add((*path, key))
        return None

    def move(self, source: Tokens, target: Tokens) -> None:
        """Take a value out of one place and add it in another."""
        if source == target[: len(source)] and source != target:
            raise InvalidOperation("path", "inside_itself", "A value cannot be moved into itself.")
        value = self.get(source, "from")
        if source != target:
            self.remove(source, "from")
            self.add(target, value)

    def copy(self, source: Tokens, target: Tokens) -> None:
        """Add the value of one place in another, too."""
        value = self.get(source, "from")
        self._copied_bytes += len(orjson.dumps(value))
        if self._copied_bytes > MAX_COPIED_BYTES:
            raise InvalidOperation("from", "too_large", "The patch copies more data than this server takes.")
        # What was private to one place now stands in two: writing through one must not show in the other.
        self._private.clear()
        self.add(target, value)

    def test(self, tokens: Tokens, value: Any) -> None:
        """Raise Conflict when the value at a place is missing or another one."""
        try:
            agrees = json_equal(self.get(tokens), value)
        except InvalidOperation:
            agrees = False
        if not agrees:
            raise Conflict(
                f"The value at “{format_pointer(tokens)[:200]}” is no longer the one that this change was made for. Nothing "
                "was changed: load the current version and try again."
            )

    def _set_root(self, value: Any) -> None:
        self._top[0] = value
        self.touched.add(())

    def _open(self, tokens: Tokens, member: str = "path") -> tuple[Any, Path]:
        """Return what is at a place, made private on the way, and its path with indexes as integers."""
        container = self._own(self._top, 0)
        path: Path = ()
        for token in tokens:
            key = _existing_key(container, token, path, member)
            path = (*path, key)
            container = self._own(container, key)
        return container, path

    def _own(self, parent: Any, key: str | int) -> Any:
        child = parent[key]
        if isinstance(child, dict | list) and id(child) not in self._private:
            child = parent[key] = child.copy()
            # The reference keeps the object alive, and so its id from being given to another.
            self._private[id(child)] = child
        return child


def apply_operation(document: PatchedDocument, index: int, operation: Any) -> None:
    """Apply the operation that stands at `index` of a patch. Raises ValidationFailed and Conflict."""
    try:
        if not isinstance(operation, dict):
            raise InvalidOperation(None, "dict_type", "An operation is an object.")
        name = operation.get("op")
        apply = _OPERATIONS.get(name) if isinstance(name, str) else None
        if apply is None:
            raise InvalidOperation("op", "literal_error", f"“op” must be one of {', '.join(_OPERATIONS)}.")
        apply(document, operation)
    except InvalidOperation as error:
        loc = [index] if error.member is None else [index, error.member]
        raise ValidationFailed(
            f"The patch cannot be applied, and nothing was changed: {error.message}",
            detail=[{"type": error.kind, "loc": loc, "msg": error.message}],
        ) from error


_OPERATIONS: dict[str, Callable[[PatchedDocument, JsonObject], None]] = {
    "add": lambda document, operation: document.add(_pointer(operation), _value(operation)),
    "remove": lambda document, operation: document.remove(_pointer(operation)),
    "replace": lambda document, operation: document.replace(_pointer(operation), _value(operation)),
    "move": lambda document, operation: document.move(_pointer(operation, "from"), _pointer(operation)),
    "copy": lambda document, operation: document.copy(_pointer(operation, "from"), _pointer(operation)),
    "test": lambda document, operation: document.test(_pointer(operation), _value(operation)),
}


def json_equal(left: Any, right: Any) -> bool:
    """Tell whether two JSON values are equal as RFC 6902, section 4.6, has it: 1 equals 1.0, but not true."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(json_equal(value, right[key]) for key, value in left.items())
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(json_equal, left, right))
    return isinstance(left, bool) == isinstance(right, bool) and bool(left == right)


def _pointer(operation: JsonObject, member: str = "path") -> Tokens:
    text = operation.get(member)
    if not isinstance(text, str):
        raise InvalidOperation(member, "missing" if text is None else "string_type", f"“{member}” must be a JSON Pointer.")
    try:
        tokens = parse_pointer(text)
    except ValueError as error:
        raise InvalidOperation(member, "json_pointer", f"“{member}” is no JSON Pointer: {error}.") from error
    if len(tokens) > MAX_DEPTH:
        raise InvalidOperation(member, "too_deep", f"A path may be at most {MAX_DEPTH} levels deep.")
    return tokens


def _value(operation: JsonObject) -> Any:
    if "value" not in operation:
        raise InvalidOperation("value", "missing", f"The operation “{operation['op']}” needs a “value”.")
    return operation["value"]


def _existing_key(container: Any, token: str, path: Sequence[str | int], member: str) -> str | int:
    if isinstance(container, dict) and token in container:
        return token
    if isinstance(container, list):
        index = parse_index(token)
        if index is not None and index < len(container):
            return index
    raise _missing((*path, token), member)


def _insertion_index(container: Any, token: str, path: Path) -> int:
    size = len(container) if isinstance(container, list) else -1
    index = size if token == "-" else parse_index(token)
    if index is None or not 0 <= index <= size:
        raise _missing((*path, token), "path")
    return index


def _missing(path: Path, member: str) -> InvalidOperation:
    return InvalidOperation(member, "not_found", f"There is nothing at “{format_pointer(path)[:200]}”.")


def _check_depth(tokens: Tokens, value: Any) -> None:
    depth = len(tokens)
    level = [value] if isinstance(value, dict | list) else []
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise InvalidOperation("path", "too_deep", f"A document may be at most {MAX_DEPTH} levels deep.")
        level = [child for node in level for child in _elements(node) if isinstance(child, dict | list)]


def _elements(container: Any) -> Iterable[Any]:
    return container.values() if isinstance(container, dict) else container
