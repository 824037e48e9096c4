"""Eve: a REST API over MongoDB, on Flask, from a description of the data; it has no cache of its own."""

from __future__ import annotations

import os
from typing import Any

from eve import Eve

NUMBER = {"type": "number", "nullable": True}
TEXT = {"type": "string", "nullable": True}
CLIP = {
    "id": {"type": "string", "required": True},
    "type": {"type": "string", "required": True},
    "start_time": {"type": "number", "required": True},
    "end_time": {"type": "number", "required": True},
    "duration": {"type": "number", "required": True},
    "source_path": TEXT,
    "content": TEXT,
    "properties": {"type": "dict", "nullable": True, "allow_unknown": True},
    "keyframes": {"type": "list", "nullable": True},
}
LAYER = {
    "id": {"type": "string", "required": True},
    "name": {"type": "string", "required": True},
    "type": {"type": "string", "required": True},
    "order": {"type": "integer"},
    "clips": {"type": "list", "schema": {"type": "dict", "schema": CLIP}},
}
TIMELINE = {
    "layers": {"type": "list", "schema": {"type": "dict", "schema": LAYER}},
    "playhead_time": NUMBER,
    "zoom": NUMBER,
    "duration": NUMBER,
    "markers": {"type": "list", "schema": {"type": "dict", "allow_unknown": True}},
}
PROJECT = {
    "name": {"type": "string", "required": True},
    "user_id": {"type": "string"},
    "timeline_state": {"type": "dict", "nullable": True, "schema": TIMELINE},
}
settings: dict[str, Any] = {
    "MONGO_URI": os.environ["MONGODB_URI"],
    "MONGO_DBNAME": os.environ["MONGODB_DATABASE"],
    "RESOURCE_METHODS": ["GET", "POST"],
    "ITEM_METHODS": ["GET", "PATCH"],
    # As with the others, a save needs no precondition; entity tags are made and understood all the same.
    "ENFORCE_IF_MATCH": False,
    "BULK_ENABLED": False,
    "PAGINATION_DEFAULT": 50,
    "OPTIMIZE_PAGINATION_FOR_SPEED": True,
    "DOMAIN": {
        "projects": {
            "schema": PROJECT,
            "datasource": {"default_sort": [("_updated", -1)]},
            "mongo_indexes": {"owner": [("user_id", 1), ("_updated", -1)]},
        }
    },
}

app = Eve(settings=settings)
