"""The opaque cursors by which a list of projects is paged without skipping."""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime
from typing import Any

import orjson
from bson import ObjectId
from bson.errors import InvalidId

from projectapi.errors import ValidationFailed
from projectapi.project import ListQuery, SortField

FIELDS = {SortField.UPDATED_AT: "updatedAt", SortField.CREATED_AT: "createdAt", SortField.NAME: "name"}
"""What a list may be sorted by, and the field that this is in MongoDB."""


def cursor_after(document: dict[str, Any], query: ListQuery) -> str:
    """Return the cursor of the page that begins behind `document`."""
    value = document[FIELDS[query.sort]]
    if isinstance(value, datetime):
        value = round(value.timestamp() * 1000)
    parts = [query.sort.value, query.descending, value, str(document["_id"])]
    return base64.urlsafe_b64encode(orjson.dumps(parts)).rstrip(b"=").decode("ascii")


def condition_after(query: ListQuery) -> dict[str, Any]:
    """Return the filter that begins behind the query's cursor. Raises ValidationFailed for one that we did not make."""
    if query.after is None:
        return {}
    value, last_id = _decode(query)
    beyond, until = ("$lt", "$lte") if query.descending else ("$gt", "$gte")
    field = FIELDS[query.sort]
    # The outer bound keeps the index scan short; the inner one settles ties.
    return {field: {until: value}, "$or": [{field: {beyond: value}}, {"_id": {beyond: last_id}}]}


def _decode(query: ListQuery) -> tuple[Any, ObjectId]:
    after = query.after or ""
    try:
        sort, descending, value, last_id = orjson.loads(base64.urlsafe_b64decode(after + "=" * (-len(after) % 4)))
        if (sort, descending) != (query.sort.value, query.descending):
            raise ValueError("the cursor of another order")
        if not isinstance(last_id, str):
            raise TypeError("not an id")
        if query.sort is SortField.NAME:
            if not isinstance(value, str):
                raise TypeError("not a name")
        else:
            value = datetime.fromtimestamp(value / 1000, UTC)
        return value, ObjectId(last_id)
    except (ValueError, TypeError, OverflowError, OSError, binascii.Error, InvalidId) as error:
        message = "This cursor is not one that this list gave out; start again without it."
        raise ValidationFailed(detail=[{"type": "cursor", "loc": ["query", "cursor"], "msg": message}]) from error
