"""The cache engine: the one door to the cache, for reads, for writes and for those who look after it."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from projectapi.errors import DatabaseBusy, DatabaseUnavailable
from projectapi.infra import metrics
from projectapi.infra.database_circuit import within
from projectapi.infra.redis_client import RedisUnavailable
from projectapi.stores.cache.control import Clock, Control, ControlStore
from projectapi.stores.cache.entry import Entry, Head, MalformedEntry
from projectapi.stores.cache.flights import Event, Flights
from projectapi.stores.cache.keys import CacheKey
from projectapi.stores.cache.local import LocalEntries
from projectapi.stores.cache.reader import Load, Outcome, Reader, Reading
from projectapi.stores.cache.settings import CacheSettings
from projectapi.stores.cache.shared import Link, SharedCache
from projectapi.stores.cache.writer import Write, Writer

log = logging.getLogger("projectapi.cache")


class IdentifiedLink(Link, Protocol):
    """A link that can tell which server it leads to (see RedisLink)."""

    @property
    def is_open_circuit(self) -> bool:
        """Tell whether Redis failed lately and is being spared."""

    def identity(self) -> str:
        """Return the name of the server process that answers now. Raises RedisUnavailable."""


class SystemClock:
    """The clocks of the machine."""

    def monotonic(self) -> float:
        """Return seconds that never go backwards."""
        return time.monotonic()

    def time(self) -> float:
        """Return seconds since 1970."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


@dataclass(frozen=True, slots=True)
class CacheStatus:
    """How the cache of this worker stands: what it knows of the control document, its circuit, and what was answered whence.

    `mode` is ``on``, ``off``, or ``unknown`` before the first look; `counts` goes by kind and outcome.
    """

    mode: str
    epoch: int | None
    server: str | None
    circuit_open: bool
    local_bytes: int
    counts: dict[tuple[str, str], int]


def forget_everything(store: ControlStore) -> None:
    """Have all workers on this control document forget every entry and every copy; for who has no engine at hand.

    Raises DatabaseUnavailable.
    """
    settings = CacheSettings()
    control = Control(store, SystemClock(), trust_seconds=settings.trust_seconds, identify=lambda: None)
    control.forget_everything()


class CacheEngine:
    """Serves finished answers from Redis under the protocol of docs/guarantees.md.

    One per worker process; safe for threads. Nothing connects before the first call.
    """

    def __init__(
        self,
        link: IdentifiedLink,
        store: ControlStore,
        settings: CacheSettings | None = None,
        *,
        clock: Clock | None = None,
        make_event: Callable[[], Event] = threading.Event,
        chance: random.Random | None = None,
    ) -> None:
        self.settings = settings or CacheSettings()
        self._clock = clock or SystemClock()
        self._link = link
        self._local = LocalEntries(self.settings.local_bytes)
        self._shared = SharedCache(
            link,
            lease_seconds=self.settings.lease_seconds,
            writer_seconds=self.settings.writer_seconds,
            generation_seconds=self.settings.generation_seconds,
        )
        trust = self.settings.trust_seconds
        self._control = Control(store, self._clock, trust_seconds=trust, identify=self._identify)
        self._reader = Reader(
            self._control,
            self._shared,
            self._local,
            Flights(make_event),
            self.settings,
            self._clock,
            chance or random.Random(),
        )
        seconds_to_live = self._reader.seconds_to_live
        self._writer = Writer(self._control, self._shared, self.settings, self._clock, self._local, seconds_to_live)
        self._counts: Counter[tuple[str, str]] = Counter()
        self._counting = threading.Lock()

    def prepare(self) -> None:
        """Read the control document, so that the first writes need not wait; for a worker's start. Does not raise."""
        self._control.trusted()

    def read(self, key: CacheKey, load: Load, etags: Collection[str] = ()) -> Reading:
        """Return the current answer: from Redis, or from `load`, which must read the database's primary.

        `etags` are the client's entity tags: when one of them is the current one, the entry may come without its body
        (`Entry.has_body`). An answer with outcome STALE is the last known one, and is given only when `load` raised
        DatabaseUnavailable for a database that is away. Raises what `load` raises.
        """
        reading = self._read_or_recall(key, load, etags) or self._read(key, load, etags)
        with self._counting:
            self._counts[key.kind, reading.outcome] += 1
        metrics.count_cache_read(key.kind, reading.outcome)
        if log.isEnabledFor(logging.DEBUG):
            # The key of a list has its owner's name, which may be an address.
            name = key.kind if key.owner else key.name
            fields = {"event": "cache", "kind": key.kind, "outcome": reading.outcome}
            log.debug("%s: %s", name, reading.outcome, extra={"fields": fields})
        return reading

    def _read(self, key: CacheKey, load: Load, etags: Collection[str]) -> Reading:
        return self._reader.read(key, load, etags) or Reading(load(), Outcome.BYPASS)

    def _read_or_recall(self, key: CacheKey, load: Load, etags: Collection[str]) -> Reading | None:
        """Return the current answer, or after a short while the last known one; None without either."""
        if not self.settings.copy_seconds:
            return None
        try:
            with within(self.settings.recall_seconds):
                return self._read(key, load, etags)
        except DatabaseBusy:
            # It is there, and others may be acknowledging what the copy lacks.
            raise
        except DatabaseUnavailable:
            return self._last_known(key)

    def writing(self, project_id: str, owner: str | None) -> AbstractContextManager[Write]:
        """Surround one write to a project; `owner` is whose lists show it (see Writer.writing)."""
        return self._writer.writing(project_id, owner)

    def purge(self) -> None:
        """Forget every entry and every copy, in all workers, before returning. Raises DatabaseUnavailable.

        For data that was changed behind the cache's back: by hand, or by restoring a backup.
        """
        self._control.forget_everything()
        self._local.clear()

    def reaches_server(self) -> bool:
        """Tell whether Redis answers now; False while it failed lately and is being spared."""
        return self._identify() is not None

    def status(self) -> CacheStatus:
        """Return how the cache of this worker stands."""
        state = self._control.known
        with self._counting:
            counts = dict(self._counts)
        return CacheStatus(
            mode="unknown" if state is None else "on" if state.on else "off",
            epoch=state.epoch if state else None,
            server=state.server if state else None,
            circuit_open=self._link.is_open_circuit,
            local_bytes=self._local.bytes_used,
            counts=counts,
        )

    def _identify(self) -> str | None:
        try:
            return self._link.identity()
        except RedisUnavailable:
            return None

    def _last_known(self, key: CacheKey) -> Reading | None:
        """Return the copy of an answer, of any age within the limit.

        The copy in Redis goes when a newer state was acknowledged; what this worker holds in memory does not, and so is asked
        only when Redis cannot be. A worker that was started while the database is away takes the copy that it finds.
        """
        state = self._control.known
        try:
            stored = self._shared.copy(state.server or None if state else None, key)
            if not stored or (state and Head.parse(stored).copies != state.copies):
                return None
            entry: Entry | None = Entry.parse(stored)
        except RedisUnavailable:
            entry = self._local.get(key.name)
        except MalformedEntry:
            return None
        if entry is None or entry.absent:
            return None
        age = max(0, int(self._clock.time() - entry.stored_at))
        return Reading(entry, Outcome.STALE, age) if age <= self.settings.copy_seconds else None
