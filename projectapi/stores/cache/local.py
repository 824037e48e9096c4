"""Bodies that this worker has seen, so that Redis need not send them again."""

from __future__ import annotations

import threading
from collections import OrderedDict
from functools import partial

from projectapi.stores.cache.entry import Entry


class LocalEntries:
    """The last entry of each key, within `limit_bytes` of memory; the least recently used go first.

    An entry in here proves nothing: it may only be served when Redis has just said that this version is the current one.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._lock = threading.Lock()
        self._entries: OrderedDict[str, tuple[Entry, int]] = OrderedDict()
        self._bytes = 0

    @property
    def bytes_used(self) -> int:
        """Return how much memory the entries take, in bytes."""
        return self._bytes

    def get(self, name: str) -> Entry | None:
        """Return the entry last kept under `name`."""
        with self._lock:
            found = self._entries.get(name)
            if found is None:
                return None
            self._entries.move_to_end(name)
            return found[0]

    def keep(self, name: str, entry: Entry) -> None:
        """Remember `entry` in place of what was known under `name`; one that is larger than the limit is not kept."""
        with self._lock:
            self._put(name, entry)

    def _put(self, name: str, entry: Entry) -> None:
        self._bytes -= self._entries.pop(name, (entry, 0))[1]
        weight = entry.weight
        if weight > self._limit_bytes:
            return
        entry.on_growth = partial(self._weigh_again, name)
        self._entries[name] = (entry, weight)
        self._bytes += weight
        while self._bytes > self._limit_bytes:
            _, (_, freed) = self._entries.popitem(last=False)
            self._bytes -= freed

    def _weigh_again(self, name: str, entry: Entry) -> None:
        with self._lock:
            held, _ = self._entries.get(name, (None, 0))
            # It may have been replaced or dropped by now, and is only being sent.
            if held is entry:
                self._put(name, entry)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._entries.clear()
            self._bytes = 0
