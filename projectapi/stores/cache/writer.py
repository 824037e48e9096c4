"""The writer's rules: announce before the commit, settle after it, and acknowledge only when nobody can see the old state."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from projectapi.database_budget import at_least
from projectapi.errors import (
    Conflict,
    DatabaseUnavailable,
    NotFound,
    OutcomeUnknown,
    PreconditionFailed,
    ProjectApiError,
    Unavailable,
)
from projectapi.infra.redis_client import RedisReplaced, RedisUnavailable
from projectapi.stores.cache.control import Clock, Control, ControlState
from projectapi.stores.cache.entry import Entry, Stamp, pack
from projectapi.stores.cache.keys import CacheKey, Slot, slots_of_write
from projectapi.stores.cache.local import LocalEntries
from projectapi.stores.cache.settings import CacheSettings
from projectapi.stores.cache.shared import SharedCache

_END_TRIES = 2

_SETTLE_SECONDS = 1.0
"""What the settlement may take of the database's time when the commit used the request's up: else it was done in vain."""


@dataclass(slots=True)
class Write:
    """One write to one project, between its announcement and its settlement."""

    project_id: str
    owner: str | None
    token: bytes = field(default_factory=lambda: secrets.token_hex(8).encode())
    announced: ControlState | None = None
    published: dict[str, Entry] = field(default_factory=dict)

    def publish(self, kind: str, entry: Entry) -> None:
        """Offer the new answer of `kind`, so that the next read need not ask the database (write-through).

        It must be what a read after this very write returns. It is stored only if no other write was under way meanwhile.
        """
        self.published[kind] = entry


class Writer:
    """Lets writes through to the database without ever leaving an older answer behind."""

    def __init__(
        self,
        control: Control,
        shared: SharedCache,
        settings: CacheSettings,
        clock: Clock,
        local: LocalEntries,
        seconds_to_live: Callable[[str, Entry], float],
    ) -> None:
        self._control = control
        self._shared = shared
        self._settings = settings
        self._clock = clock
        self._local = local
        self._seconds_to_live = seconds_to_live

    @contextmanager
    def writing(self, project_id: str, owner: str | None) -> Iterator[Write]:
        """Surround one write to the database; leaving the block without an error means that it may be acknowledged.

        What is raised inside decides: an error that says what the stored state is (a lost race, not found) is settled like a
        write, for no later read may be older than what the client is told; another definite failure only takes the
        announcement back; and when the outcome is not known the announcement stays, and the database is read until it runs
        out. Raises OutcomeUnknown when the write was done but cannot be acknowledged, DatabaseUnavailable in place of an error
        that cannot be told yet.
        """
        write = Write(project_id, owner)
        self._announce(write)
        try:
            yield write
        except (PreconditionFailed, Conflict, NotFound):
            write.published.clear()
            self.settle(write)
            raise
        except Unavailable:
            raise
        except ProjectApiError:
            self._withdraw(write)
            raise
        try:
            self.settle(write)
        except DatabaseUnavailable as error:
            # The driver's own error says more in the log than its translation.
            raise OutcomeUnknown from error.__cause__ or error

    def settle(self, write: Write) -> None:
        """Make sure that every read from now on sees at least what the database holds. Raises DatabaseUnavailable.

        The control document is read here, after the commit. Read before it, the epoch could change in between, and the keys of
        a dead epoch would be cleaned while the old state lives on under the new one.
        """
        with at_least(_SETTLE_SECONDS):
            state = self._settled_in(write)
        self._clock.sleep(self._control.seconds_until_alone(state))

    def _settled_in(self, write: Write) -> ControlState:
        """Return the state of the control document in which no reader can find what was before the write."""
        give_up_at = self._clock.monotonic() + self._settings.settle_seconds
        state = self._control.observe()
        while state.on and not self._ended(state, write):
            if self._clock.monotonic() >= give_up_at:
                raise DatabaseUnavailable
            self._control.switch(state, on=False)
            state = self._control.observe()
        return state

    def _announce(self, write: Write) -> None:
        state = self._control.trusted()
        if state is None:
            return
        try:
            self._shared.begin(state, self._slots(state, write), write.token)
        except RedisReplaced as found:
            self._control.adopt(state, found.server)
        except RedisUnavailable:
            # Not announced is not unsafe: the settlement counts. Only publishing is out of the question.
            return
        else:
            write.announced = state

    def _withdraw(self, write: Write) -> None:
        if write.announced is None:
            return
        try:
            self._end(write.announced, write, committed=False)
        except RedisUnavailable:
            # It runs out by itself.
            return

    def _ended(self, state: ControlState, write: Write) -> bool:
        for _ in range(_END_TRIES):
            try:
                self._end(state, write, committed=True)
            except RedisReplaced:
                return False
            except RedisUnavailable:
                continue
            return True
        return False

    def _end(self, state: ControlState, write: Write, *, committed: bool) -> None:
        # A write that was announced under another epoch cannot know who else wrote under this one.
        may_publish = committed and write.announced is state
        self._shared.end(
            state,
            self._slots(state, write),
            write.token,
            published=self._answers(state, write) if may_publish else {},
            committed=committed,
            copy_seconds=self._settings.copy_seconds,
        )

    def _slots(self, state: ControlState, write: Write) -> list[Slot]:
        return slots_of_write(state.epoch, self._settings.project_kinds, write.project_id, write.owner)

    def _answers(self, state: ControlState, write: Write) -> dict[str, tuple[bytes, float]]:
        """Return the published answers as they are stored, by key."""
        now = self._clock.time()
        answers = {}
        for kind, entry in write.published.items():
            seconds = self._seconds_to_live(kind, entry)
            # Nobody knows yet how long a read takes; 0 means that it is never renewed early.
            stamp = Stamp.of_fill(copies=state.copies, now=now, seconds=seconds)
            # One coding now, the others when somebody asks: a save should not wait for compression.
            answer = pack(entry, stamp, self._settings.codings[:1])
            key = CacheKey.of_project(kind, write.project_id)
            answers[key.entry(state.epoch)] = (answer, seconds)
            entry.stored_at = now
            self._local.keep(key.name, entry)
        return answers
