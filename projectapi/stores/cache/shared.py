"""What is said to Redis about entries: each method is one round trip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from projectapi.infra.redis_client import Command, Reply
from projectapi.stores.cache import scripts
from projectapi.stores.cache.control import ControlState
from projectapi.stores.cache.entry import HEAD_BYTES
from projectapi.stores.cache.keys import CacheKey, Slot

MISSING = b""
ANSWER = b"V"
LEASED = b"L"
WRITING = b"W"
_LAST_OF_HEAD = str(HEAD_BYTES - 1)
_GENERATION_FIELD = slice(17, 33)


class Link(Protocol):
    """Sends commands to a Redis server (see RedisLink)."""

    def call(self, server: str | None, *commands: Command, urgent: bool = False) -> list[Reply]:
        """Send the commands in one round trip. Raises RedisUnavailable."""


class Sight(NamedTuple):
    """What a key held: one of the four states, the value (an answer, or only its head; a lease), the generation of its list."""

    state: bytes
    value: bytes = b""
    generation: bytes = b""


class SharedCache:
    """The entries in Redis. Every method raises RedisUnavailable, after which the change may have been made."""

    def __init__(self, link: Link, *, lease_seconds: float, writer_seconds: float, generation_seconds: float) -> None:
        self._link = link
        self._lease_ms = round(lease_seconds * 1000)
        self._writer_ms = round(writer_seconds * 1000)
        self._generation_ms = round(generation_seconds * 1000)

    def look(self, state: ControlState, key: CacheKey, *, head_only: bool) -> Sight:
        """Read what the key holds: of an answer everything, or the head alone."""
        name = key.entry(state.epoch)
        read = ("GETRANGE", name, "0", _LAST_OF_HEAD) if head_only else ("GET", name)
        if key.owner is None:
            (value,) = self._link.call(state.server, read)
            return _sight(value, b"")
        generation, value = self._link.call(state.server, ("GET", key.generation(state.epoch)), read)
        if not generation:
            return Sight(MISSING)
        # Generation first: were the page read first, a write in between could make it look current.
        return _sight(value, generation[1:]) if generation[:1] == ANSWER else Sight(WRITING)

    def lease(self, state: ControlState, key: CacheKey, token: bytes, new_generation: bytes) -> Sight:
        """Ask to fill the key: LEASED with `token` in the value grants it, everything else is what the key holds."""
        keys = [key.entry(state.epoch)]
        if key.owner is not None:
            keys.append(key.generation(state.epoch))
        arguments = (token, self._lease_ms, new_generation, self._generation_ms)
        value, generation, *answer = self._run(state, scripts.LEASE, keys, arguments)
        return Sight(value[:1], answer[0] if answer else value, generation)

    def fill(
        self, state: ControlState, key: CacheKey, expected: bytes, answer: bytes, seconds: float, copy_seconds: float
    ) -> None:
        """Store `answer` for `seconds`, and a copy if `copy_seconds` is not 0, if the key still begins with `expected`."""
        keys = [key.entry(state.epoch), key.copy()]
        self._run(state, scripts.FILL, keys, (expected, answer, round(seconds * 1000), round(copy_seconds * 1000)))

    def abandon(self, state: ControlState, key: CacheKey, lease: bytes) -> None:
        """Give a lease back, so that others need not wait until it runs out."""
        self._run(state, scripts.ABANDON, [key.entry(state.epoch)], (lease,))

    def begin(self, state: ControlState, slots: Sequence[Slot], token: bytes) -> None:
        """Announce a write to all keys of `slots`."""
        arguments = (token, self._writer_ms)
        commands = [_command(scripts.BEGIN, slot.entries, arguments) for slot in slots]
        self._link.call(state.server, *commands)

    def end(
        self,
        state: ControlState,
        slots: Sequence[Slot],
        token: bytes,
        *,
        published: Mapping[str, tuple[bytes, float]],
        committed: bool,
        copy_seconds: float,
    ) -> None:
        """Settle a write: free its keys, or fill them with what was `published` (answer and seconds, by key).

        A `committed` write makes the copies outdated too. Goes out even while the circuit is open, unless Redis hangs.
        """
        commands = []
        for slot in slots:
            answers = [published.get(name, (b"", 1.0)) for name in slot.entries]
            arguments: list[str | bytes | int | float] = [token, len(slot.entries), int(committed), round(copy_seconds * 1000)]
            for answer, seconds in answers:
                arguments += [answer, round(seconds * 1000)]
            commands.append(_command(scripts.END, [*slot.entries, *slot.copies], arguments))
        self._link.call(state.server, *commands, urgent=True)

    def copy(self, server: str | None, key: CacheKey) -> bytes | None:
        """Return the stored copy that outlives the entry; `server` None asks whichever answers."""
        value: bytes | None
        (value,) = self._link.call(server, ("GET", key.copy()))
        return value

    def _run(self, state: ControlState, script: str, keys: Sequence[str], arguments: Sequence[str | bytes | int]) -> Reply:
        (reply,) = self._link.call(state.server, _command(script, keys, arguments))
        return reply


def _command(script: str, keys: Sequence[str], arguments: Sequence[str | bytes | int | float]) -> Command:
    # The source goes along each time (at most 1.3 KB): a server that has lost its scripts is then no special case.
    return ("EVAL", script, len(keys), *keys, *arguments)


def _sight(value: bytes | None, generation: bytes) -> Sight:
    if not value:
        return Sight(MISSING)
    state = value[:1]
    if state not in (ANSWER, LEASED):
        return Sight(WRITING)
    if generation and value[_GENERATION_FIELD] != generation:
        return Sight(MISSING)
    return Sight(state, value, generation)
