"""One operation of the OpenAPI document: what a handler says of itself, and what follows from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from projectapi import errors
from projectapi.api.documentation.failures import failure_responses
from projectapi.api.documentation.handlers import Content, Documented
from projectapi.api.documentation.headers import ADDRESS_PARTS, FROM_CACHE, OF_FILES, REQUEST_HEADERS, SOURCE
from projectapi.project import JsonObject
from projectapi.timeline.patching import MERGE_PATCH

_WRITING = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_REPEATABLE = frozenset({"POST", "PATCH"})
_IN_DATABASES = frozenset({"project_id", "timeline_id", "project_or_timeline_id", "segment_id"})


@dataclass(frozen=True, slots=True)
class Operation:
    """A handler's documentation for one method of one address.

    `parts` are the variable ones of the address, with the names that the handler has for them.
    """

    said: Documented
    method: str
    parts: Mapping[str, str]

    def described(self) -> JsonObject:
        """Return the operation, whose schemas apispec has still to resolve."""
        described: JsonObject = {"parameters": list(self._parameters()), "responses": self._responses()}
        if self.said.body:
            described["requestBody"] = {"required": True, "content": _content(self.said.body)}
        finished: JsonObject = _laid_over(described, self.said.more)
        return finished

    @property
    def _headers(self) -> list[str]:
        common = ["X-User-Id"] if self.said.stores else []
        common += ["Idempotency-Key"] if self.said.stores and self.method in _REPEATABLE else []
        return [*self.said.headers, *common, "X-Request-Id"]

    @property
    def _is_file(self) -> bool:
        return "Range" in self.said.headers

    @property
    def _is_read(self) -> bool:
        return self.method == "GET" and self.said.is_read

    def _parameters(self) -> Iterator[JsonObject]:
        for name, meaning in self.parts.items():
            part = ADDRESS_PARTS.get(meaning, {"schema": {"type": "string", "examples": [name]}})
            yield {"name": name, "in": "path", "required": True, **part}
        if self.said.query:
            yield {"in": "query", "schema": self.said.query}
        for name in self._headers:
            header = REQUEST_HEADERS[name]
            # Werkzeug leaves aside what it cannot read of a file's conditions.
            unread = ("pattern",) if self._is_file else ()
            schema = {key: value for key, value in header.schema.items() if key not in unread}
            yield {"name": name, "in": "header", "description": header.description, "schema": schema}

    def _responses(self) -> JsonObject:
        responses: JsonObject = {}
        names = self._answer_headers()
        if self.said.answer is not None:
            content = _content(self.said.answer)
            responses[str(self.said.status)] = {"description": "Done.", "headers": _references(names), "content": content}
            if self._is_file:
                parts: JsonObject = {**content, "multipart/byteranges": {}}
                partial = {"description": "The range that was asked for, or several in parts.", "content": parts}
                responses["206"] = {**partial, "headers": _references([*names, "Content-Range"])}
            if "If-None-Match" in self.said.headers:
                unchanged = [name for name in names if name not in ("Content-Disposition", "Link")]
                responses["304"] = {"description": "The client has it already.", "headers": _references(unchanged)}
        failures = failure_responses(list(self._errors()))
        if self._is_read and "404" in failures:
            failures["404"]["headers"] |= _references([*SOURCE])
        return {**responses, **failures}

    def _answer_headers(self) -> list[str]:
        names = ["X-Request-Id", *self.said.answer_headers]
        if self._is_file:
            names += OF_FILES
        elif self._is_read:
            names += FROM_CACHE
        elif "If-Match" in self.said.headers and self.method != "DELETE":
            names.append("ETag")
        if "Idempotency-Key" in self._headers:
            names.append("Idempotency-Replayed")
        return names

    def _errors(self) -> Iterator[type[errors.ProjectApiError]]:
        yield from self.said.errors
        yield from (errors.ProjectApiError, errors.TooManyRequests, errors.Overloaded)
        yield from (errors.RequestTimedOut,) if self.said.body else ()
        if _IN_DATABASES.intersection(self.parts.values()):
            yield from (errors.ProjectNotFound, errors.ProjectNotCarriedOver)
        if "version" in self.parts.values():
            # What is no number is no address of ours.
            yield errors.NotFound
        for name in self._headers:
            yield from () if self._is_file and name == "If-None-Match" else REQUEST_HEADERS[name].errors
        if self.said.query:
            yield errors.ValidationFailed
        if self.said.body:
            yield from (errors.ValidationFailed, errors.BodyTooLarge)
            yield from (errors.MalformedJson,) if any("json" in kind for kind in self.said.body) else ()
        if MERGE_PATCH in self.said.body:
            yield from (errors.UnsupportedMediaType, errors.Conflict)
        if self.said.stores:
            yield from (errors.Unavailable, errors.DatabaseUnavailable, errors.DatabaseBusy)
            yield from (errors.DatabaseTooNew, errors.RestoreUnderWay)
            yield from (errors.OutcomeUnknown,) if self.method in _WRITING else ()


def _content(content: Content) -> JsonObject:
    return {media_type: {"schema": shape} if shape else {} for media_type, shape in content.items()}


def _references(names: list[str]) -> JsonObject:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _laid_over(below: Any, above: Any) -> Any:
    if not isinstance(below, dict) or not isinstance(above, dict):
        return above
    return {**below, **{name: _laid_over(below.get(name, {}), value) for name, value in above.items()}}
