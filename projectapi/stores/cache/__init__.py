"""The cache protocol: finished answers in Redis that are never older than what was acknowledged.

`keys` names things, `entry` is what is stored, `scripts` and `shared` are all that is said to Redis, `control` is what MongoDB
says about Redis, `reader` and `writer` are the rules, `engine` is the door.
"""

from projectapi.stores.cache.control import ControlState, ControlStore
from projectapi.stores.cache.engine import CacheEngine, CacheStatus, forget_everything
from projectapi.stores.cache.entry import Entry
from projectapi.stores.cache.keys import CacheKey
from projectapi.stores.cache.mongo_control import CONTROL_COLLECTION, MongoControlStore
from projectapi.stores.cache.reader import Outcome, Reading
from projectapi.stores.cache.settings import HISTORY, PROJECT, TIMELINE, CacheSettings
from projectapi.stores.cache.writer import Write

__all__ = [
    "CONTROL_COLLECTION",
    "HISTORY",
    "PROJECT",
    "TIMELINE",
    "CacheEngine",
    "CacheKey",
    "CacheSettings",
    "CacheStatus",
    "ControlState",
    "ControlStore",
    "Entry",
    "MongoControlStore",
    "Outcome",
    "Reading",
    "Write",
    "forget_everything",
]
