"""Flask's own JSON, strict and plain: Flask-PyMongo would put extended JSON here, by which clients choose BSON types."""

from __future__ import annotations

from typing import Any

import orjson
from flask.json.provider import JSONProvider

from projectapi.schemas.json_body import parse_json


class StrictJSONProvider(JSONProvider):
    """Writes with orjson and reads only what `parse_json` takes."""

    def dumps(self, obj: Any, **_: Any) -> str:
        """Return `obj` as JSON."""
        return orjson.dumps(obj).decode()

    def loads(self, s: str | bytes, **_: Any) -> Any:
        """Return the value of a JSON text. Raises MalformedJson."""
        return parse_json(s.encode() if isinstance(s, str) else s)
