"""From a client's JSON or form to checked values, with every mistake named at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

from marshmallow import EXCLUDE, Schema, ValidationError, pre_load

from projectapi.errors import ValidationFailed
from projectapi.project import JsonObject


class RequestSchema(Schema):
    """The parent of all request schemas: unknown keys are ignored, and camelCase is taken for snake_case.

    Frontends send some names in either spelling; `camel_case` lists those fields. The snake_case one wins if both are there.
    """

    camel_case: Mapping[str, str] = {}

    class Meta:
        unknown = EXCLUDE

    @pre_load
    def _accept_camel_case(self, data: Any, **_: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        renamed = {snake: data[camel] for camel, snake in self.camel_case.items() if camel in data and snake not in data}
        return {**data, **renamed} if renamed else data


def load(schema: Schema, data: Any, *, where: str = "body") -> JsonObject:
    """Return what `schema` makes of `data`. Raises ValidationFailed, whose detail names each wrong field below `where`."""
    if not isinstance(data, Mapping):
        message = "A JSON object is expected."
        raise ValidationFailed(message, detail=[{"type": "object_type", "loc": [where], "msg": message}])
    try:
        return cast(JsonObject, schema.load(data))
    except ValidationError as error:
        problems = list(_problems(error.messages, [where]))
        raise invalid(problems) from error


def invalid(problems: list[JsonObject]) -> ValidationFailed:
    """Return the error for these `{type, loc, msg}` problems, with a sentence that names the first."""
    first = problems[0]
    place = ".".join(str(part) for part in first["loc"] if part not in ("body", "query", "form"))
    return ValidationFailed(f"{place}: {first['msg']}" if place else first["msg"], detail=problems)


def _problems(messages: Any, location: list[str | int]) -> Iterator[JsonObject]:
    if isinstance(messages, dict):
        for name, inner in messages.items():
            yield from _problems(inner, location if name == "_schema" else [*location, name])
        return
    for message in messages:
        if isinstance(message, dict):
            # The compiled check of a timeline has already said where the problem is.
            yield {**message, "loc": [location[0], *message["loc"]]}
            continue
        kind = "missing" if message.startswith("Missing data") else "value_error"
        yield {"type": kind, "loc": location, "msg": message}
