"""The reader's rules: when an answer from Redis may be served, and who fills a key that is empty."""

from __future__ import annotations

import math
import random
import secrets
from collections.abc import Callable, Collection
from contextlib import suppress
from enum import StrEnum
from typing import NamedTuple

from projectapi.errors import DatabaseUnavailable
from projectapi.infra.redis_client import RedisReplaced, RedisUnavailable
from projectapi.stores.cache.control import Clock, Control, ControlState
from projectapi.stores.cache.entry import Entry, Head, MalformedEntry, Stamp, pack
from projectapi.stores.cache.flights import Flights
from projectapi.stores.cache.keys import CacheKey
from projectapi.stores.cache.local import LocalEntries
from projectapi.stores.cache.settings import CacheSettings
from projectapi.stores.cache.shared import ANSWER, LEASED, MISSING, SharedCache, Sight

Load = Callable[[], Entry]


class Outcome(StrEnum):
    """Where an answer comes from: the values of the header X-Cache."""

    HIT = "HIT"
    MISS = "MISS"
    BYPASS = "BYPASS"
    STALE = "STALE"


class Reading(NamedTuple):
    """An answer, where it comes from, and with STALE how many seconds ago it was read from the database."""

    entry: Entry
    outcome: Outcome
    age: int | None = None


class Reader:
    """Reads through the cache. `load` functions read the database's primary, after the call that they are given to began."""

    def __init__(
        self,
        control: Control,
        shared: SharedCache,
        local: LocalEntries,
        flights: Flights,
        settings: CacheSettings,
        clock: Clock,
        chance: random.Random,
    ) -> None:
        self._control = control
        self._shared = shared
        self._local = local
        self._flights = flights
        self._settings = settings
        self._clock = clock
        self._chance = chance

    def read(self, key: CacheKey, load: Load, etags: Collection[str]) -> Reading | None:
        """Return the answer from Redis, or from `load` after which Redis has it; None when the cache cannot be used now."""
        state = self._control.assumed()
        if state is None:
            return None
        try:
            return self._read(state, key, load, etags)
        except RedisReplaced as found:
            self._control.adopt(state, found.server)
        except (RedisUnavailable, MalformedEntry):
            pass
        return None

    def _read(self, state: ControlState, key: CacheKey, load: Load, etags: Collection[str]) -> Reading | None:
        held = self._local.get(key.name)
        sight = self._look(state, key, held, etags)
        if sight.state == ANSWER:
            return self._hit(state, key, sight, held, load, etags)
        if sight.state not in (MISSING, LEASED):
            return None
        return self._miss(state, key, load, etags)

    def _look(self, state: ControlState, key: CacheKey, held: Entry | None, etags: Collection[str]) -> Sight:
        head_only = held is not None or bool(etags)
        return self._checked(state, self._shared.look(state, key, head_only=head_only))

    def _checked(self, state: ControlState, sight: Sight) -> Sight:
        if not self._control.confirms(state):
            raise RedisUnavailable("the answer came too late to be believed")
        return sight

    def _hit(
        self, state: ControlState, key: CacheKey, sight: Sight, held: Entry | None, load: Load, etags: Collection[str]
    ) -> Reading | None:
        entry, head = held, held.head_of(sight.value) if held is not None else None
        if head is None:
            head = Head.parse(sight.value)
            entry = self._entry(key, head, sight, etags)
        if entry is None:
            # Only the head came, and the body in memory is an older one. Another trip, which may find anything.
            sight = self._checked(state, self._shared.look(state, key, head_only=False))
            if sight.state != ANSWER:
                return None
            head = Head.parse(sight.value)
            entry = self._parsed(key, sight.value)
        if self._is_due_early(head):
            return self._renewed(state, key, head, load) or Reading(entry, Outcome.HIT)
        return Reading(entry, Outcome.HIT)

    def _entry(self, key: CacheKey, head: Head, sight: Sight, etags: Collection[str]) -> Entry | None:
        if etags and head.etag and head.etag.decode() in etags:
            return Entry.from_head(head)
        try:
            return self._parsed(key, sight.value)
        except MalformedEntry:
            return None

    def _parsed(self, key: CacheKey, stored: bytes) -> Entry:
        entry = Entry.parse(stored)
        self._local.keep(key.name, entry)
        return entry

    def _is_due_early(self, head: Head) -> bool:
        """Decide whether to renew an entry before it expires (XFetch; Vattani, Chierichetti, Lowenstein, VLDB 2015)."""
        left = head.expires_at - self._clock.time()
        gap = self._settings.early_beta * head.load_seconds
        # The chance below is under 1e-8 here; most hits are spared the logarithm.
        if left > 20 * gap:
            return False
        return -gap * math.log(1.0 - self._chance.random()) >= left

    def _renewed(self, state: ControlState, key: CacheKey, head: Head, load: Load) -> Reading | None:
        with self._flights.lead(key.name) as flight:
            if flight is not None:
                return None
            try:
                return self._fill(state, key, ANSWER + head.fill + head.generation, head.generation, load)
            except DatabaseUnavailable:
                return None

    def _miss(self, state: ControlState, key: CacheKey, load: Load, etags: Collection[str]) -> Reading | None:
        give_up_at = self._clock.monotonic() + self._settings.fill_wait_seconds
        pause = self._settings.poll_seconds
        held: Entry | None = None
        while True:
            with self._flights.lead(key.name) as flight:
                if flight is None:
                    sight = self._lease(state, key)
                    if sight.state == MISSING:
                        return self._fill_or_abandon(state, key, sight, load)
            if flight is not None:
                flight.wait(max(0.0, give_up_at - self._clock.monotonic()))
                held = self._local.get(key.name)
                sight = self._look(state, key, held, etags)
            if sight.state == ANSWER:
                return self._hit(state, key, sight, held, load, etags)
            if sight.state not in (MISSING, LEASED) or self._clock.monotonic() >= give_up_at:
                return None
            if sight.state == LEASED:
                self._clock.sleep(pause * self._chance.uniform(0.5, 1.5))
                pause *= 2

    def _lease(self, state: ControlState, key: CacheKey) -> Sight:
        """Ask for the lease; a granted one comes back as MISSING, with the lease as its value."""
        token = secrets.token_hex(8).encode()
        sight = self._shared.lease(state, key, token, secrets.token_hex(8).encode())
        if sight.state == LEASED and sight.value[1:17] == token:
            return Sight(MISSING, sight.value, sight.generation)
        return self._checked(state, sight)

    def _fill_or_abandon(self, state: ControlState, key: CacheKey, lease: Sight, load: Load) -> Reading:
        try:
            return self._fill(state, key, lease.value, lease.generation, load)
        except Exception:
            with suppress(RedisUnavailable):
                self._shared.abandon(state, key, lease.value)
            raise

    def _fill(self, state: ControlState, key: CacheKey, expected: bytes, generation: bytes, load: Load) -> Reading:
        started = self._clock.monotonic()
        entry = load()
        took = self._clock.monotonic() - started
        seconds = self.seconds_to_live(key.kind, entry)
        now = self._clock.time()
        stamp = Stamp.of_fill(copies=state.copies, now=now, seconds=seconds, load_seconds=took, generation=generation)
        entry.stored_at = now
        copy_seconds = 0.0 if entry.absent else self._settings.copy_seconds
        self._local.keep(key.name, entry)
        answer = pack(entry, stamp, self._settings.codings)
        with suppress(RedisUnavailable):
            self._shared.fill(state, key, expected, answer, seconds, copy_seconds)
        return Reading(entry, Outcome.MISS)

    def seconds_to_live(self, kind: str, entry: Entry) -> float:
        """Return how long an entry is kept: its kind's time give or take the jitter, so that not all expire together."""
        seconds = self._settings.absent_seconds if entry.absent else self._settings.ttl_seconds[kind]
        jitter = self._settings.ttl_jitter
        return seconds * self._chance.uniform(1 - jitter, 1 + jitter)
