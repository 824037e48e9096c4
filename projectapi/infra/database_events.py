"""What the log tells of MongoDB: every command, the pool and the servers, from the driver's own monitoring events.

Names, times and codes only. What a command or a reply holds is never written, and neither is an error's text, which may quote
a document. Commands of the driver's own (heartbeats, logging in) are left out.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from typing import Any

from pymongo.monitoring import (
    CommandFailedEvent,
    CommandListener,
    CommandStartedEvent,
    CommandSucceededEvent,
    ServerHeartbeatFailedEvent,
    ServerHeartbeatListener,
    ServerHeartbeatStartedEvent,
    ServerHeartbeatSucceededEvent,
)
from pymongo.server_type import SERVER_TYPE

from projectapi.infra import metrics
from projectapi.infra.operation_context import attempt, cut_off

log = logging.getLogger("projectapi.database")

_OF_THE_DRIVER = frozenset(
    {"hello", "ismaster", "saslstart", "saslcontinue", "authenticate", "getnonce", "endsessions", "killcursors"}
)
_LOST = "lost"
_OURS = "_OperationCancelled"
"""The class of the driver's error for what it called off itself; it has no public name."""

_DUPLICATE = "DuplicateKey 11000"
_FINE = ("ok", _DUPLICATE)


class CommandEvents(CommandListener):
    """Logs every command: DEBUG, or WARNING from `slow_milliseconds` on and for failures.

    A key that exists already is no failure: most are how a repetition is recognised.
    """

    def __init__(self, *, slow_milliseconds: float) -> None:
        self._slow_milliseconds = slow_milliseconds
        # The driver tells of a command's start and end in the thread that runs it; only the start names the collection.
        self._running = threading.local()

    def started(self, event: CommandStartedEvent) -> None:
        """Remember which collection is meant."""
        command, name = event.command, event.command_name
        self._running.collection = command.get("collection") if name == "getMore" else command.get(name)

    def succeeded(self, event: CommandSucceededEvent) -> None:
        """Log a command that the server answered; the answer may still hold errors of single writes."""
        milliseconds = event.duration_micros / 1000
        outcome = _outcome_of(event.reply)
        metrics.count_command(event.command_name, milliseconds / 1000, None if outcome in _FINE else outcome)
        if milliseconds >= self._slow_milliseconds or outcome not in _FINE:
            self._log(logging.WARNING, event.command_name, milliseconds, outcome)
        elif log.isEnabledFor(logging.DEBUG):
            self._log(logging.DEBUG, event.command_name, milliseconds, outcome)

    def failed(self, event: CommandFailedEvent) -> None:
        """Log a command that failed, with the class or name and the code of its error."""
        failure = event.failure
        name = failure.get("codeName") or failure.get("errtype") or "error"
        code = failure.get("code")
        outcome = name if code is None else f"{name} {code}"
        if code is None:
            cut_off.set(cut_off.get() + 1)
        milliseconds = event.duration_micros / 1000
        metrics.count_command(event.command_name, milliseconds / 1000, outcome)
        self._log(logging.WARNING, event.command_name, milliseconds, outcome)

    def _log(self, level: int, command: str, milliseconds: float, outcome: str) -> None:
        if command.lower() in _OF_THE_DRIVER:
            return
        collection = self._running.collection
        # Commands such as ping have no collection: what stands in its place is a number.
        collection = collection if isinstance(collection, str) else None
        number = attempt.get()
        fields = {
            "event": "database",
            "command": command,
            "collection": collection,
            "milliseconds": round(milliseconds, 3),
            "attempt": number,
            "outcome": outcome,
        }
        log.log(
            level,
            "%s %s: %s, %.1f ms, attempt %d",
            command,
            collection or "-",
            outcome,
            milliseconds,
            number,
            extra={"fields": fields},
        )


def _outcome_of(reply: Mapping[str, Any]) -> str:
    errors = reply.get("writeErrors") or ([reply["writeConcernError"]] if "writeConcernError" in reply else [])
    if not errors:
        return "ok"
    code = errors[0].get("code")
    return _DUPLICATE if code == 11000 else f"{errors[0].get('codeName') or 'WriteError'} {code}"


class ServerEvents(ServerHeartbeatListener):
    """Logs when a server is found, changes its role or is lost; the heartbeats that show nothing new are not told of.

    Not a ServerListener, for which the driver would start a thread of its own as soon as the client is made.
    """

    def __init__(self) -> None:
        self._roles: dict[tuple[str, int | None], str] = {}

    def started(self, event: ServerHeartbeatStartedEvent) -> None:
        """Do nothing: what becomes of it follows."""

    def succeeded(self, event: ServerHeartbeatSucceededEvent) -> None:
        """Log a server that was not there before, or had another role."""
        role = SERVER_TYPE._fields[event.reply.server_type]
        if self._becomes(event.connection_id, role):
            address = _address(event.connection_id)
            fields = {"event": "server", "server": address, "role": role}
            log.info("MongoDB at %s is there as %s", address, role, extra={"fields": fields})

    def failed(self, event: ServerHeartbeatFailedEvent) -> None:
        """Log a server that was there before, or was never found."""
        cause = type(event.reply).__name__
        # A heartbeat that we ended ourselves, as when the process stops, says nothing of the server.
        if cause != _OURS and self._becomes(event.connection_id, _LOST):
            address = _address(event.connection_id)
            fields = {"event": "server", "server": address, "role": _LOST, "cause": cause}
            log.warning("MongoDB at %s does not answer: %s", address, cause, extra={"fields": fields})

    def _becomes(self, address: tuple[str, int | None], role: str) -> bool:
        """Tell whether this is news; each server is watched by one thread."""
        before, self._roles[address] = self._roles.get(address), role
        return before != role


def _address(address: tuple[str, int | None]) -> str:
    host, port = address
    return f"{host}:{port}" if port else host
