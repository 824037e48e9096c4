"""The one way to Redis: short time-outs, no retries, a circuit breaker, and the server's identity checked on every connection.

redis-py's own defaults repeat a command ten times with time-outs of 5 s: a hung server would hold a request for a minute. And
its exceptions end here: everybody else sees `RedisUnavailable`.
"""

from __future__ import annotations

import logging
import socket
import ssl
import struct
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, Protocol
from weakref import WeakKeyDictionary

import redis
from redis.backoff import NoBackoff
from redis.connection import ConnectionPool
from redis.exceptions import RedisError, ResponseError
from redis.retry import Retry

from projectapi.infra import metrics
from projectapi.infra.circuit_breaker import CircuitBreaker

Command = Sequence[str | bytes | int | float]
Reply = Any
"""What Redis answers, undecoded: bytes, int, None or a list of these."""

log = logging.getLogger("projectapi.cache")

TIMEOUT_SECONDS = 0.2
BREAKER_PAUSE_SECONDS = 0.75
"""So that a Redis that is back is used within a second; while it hangs, one caller waits for a time-out in each pause."""
_IN_HAND_SECONDS = 1.0
"""For so long a connection counts as sound after it answered."""


class Connection(Protocol):
    """What is used of redis-py's connections, whose own methods carry no types."""

    def on_connect(self) -> None:
        """Authenticate and select the database."""

    def pack_commands(self, commands: Sequence[Command]) -> list[bytes]:
        """Return the commands in the wire format."""

    def send_packed_command(self, command: list[bytes]) -> None:
        """Send packed commands, opening the connection first if need be."""

    def send_command(self, *arguments: str) -> None:
        """Send one command."""

    def read_response(self, *, disable_decoding: bool) -> Reply:
        """Return the next reply. Raises ResponseError when it is an error."""

    def disconnect(self) -> None:
        """Close."""


class RedisUnavailable(Exception):
    """Redis gave no usable answer; whether a command was carried out is not known."""


class RedisReplaced(RedisUnavailable):
    """The connection leads to another server process than the one that was asked for; nothing was sent to it."""

    def __init__(self, server: str) -> None:
        self.server = server
        super().__init__(f"this is server {server}")


class _Lent(NamedTuple):
    """A connection that the pool lent, the server behind it, and when it last answered (monotonic, seconds)."""

    connection: Connection
    server: str
    answered_at: float


def connect(url: str, **options: Any) -> redis.Redis:
    """Return a client that answers or fails within 0.2 s; it connects at first use, and so after gunicorn's fork."""
    settings = {
        "socket_timeout": TIMEOUT_SECONDS,
        "socket_connect_timeout": TIMEOUT_SECONDS,
        "socket_keepalive": True,
        # A reply of 1 MB in pieces of 32 KiB costs ten times as much.
        "socket_read_size": 1 << 20,
        "retry": Retry(NoBackoff(), 0),
        # RESP3 would add a handshake to every connection and brings nothing to plain strings.
        "protocol": 2,
        **options,
    }
    return redis.Redis(connection_pool=ConnectionPool.from_url(url, **settings))


def read_run_id(connection: Connection) -> str:
    """Return the id that the server process behind `connection` drew when it started (``run_id`` of ``INFO server``)."""
    connection.send_command("INFO", "server")
    text = connection.read_response(disable_decoding=True)
    for line in text.splitlines():
        name, _, value = line.partition(b":")
        if name == b"run_id":
            return str(value.strip().decode("ascii"))
    raise RedisError("INFO server names no run_id")


class RedisLink:
    """Sends batches of commands to one known server process.

    A server is named by its run id and by `layout`, the caller's name for the shape of what it keeps there: a release that
    stores things differently sees the same process as another server.
    """

    def __init__(
        self,
        client: redis.Redis,
        *,
        layout: str = "",
        monotonic: Callable[[], float] = time.monotonic,
        identify: Callable[[Connection], str] = read_run_id,
    ) -> None:
        self._pool: Any = client.connection_pool
        # The pool examines a connection each time it lends it and counts for statistics that nobody reads, which together
        # costs as much as the command. What has just answered therefore stays in hand for the next caller.
        self._in_hand: deque[_Lent] = deque()
        self._monotonic = monotonic
        self._layout = layout
        self._identify = identify
        self._servers: WeakKeyDictionary[Connection, str] = WeakKeyDictionary()
        self._breaker = CircuitBreaker(pause_seconds=BREAKER_PAUSE_SECONDS, monotonic=monotonic)
        self._hangs = False
        # redis-py calls this in place of `on_connect` each time a connection is opened, also after it broke.
        self._pool.connection_kwargs["redis_connect_func"] = self._greet

    @property
    def is_open_circuit(self) -> bool:
        """Tell whether Redis failed lately and is being spared."""
        return self._breaker.is_open

    def call(self, server: str | None, *commands: Command, urgent: bool = False) -> list[Reply]:
        """Send `commands` in one round trip and return their replies.

        `server` is the server process to talk to, None any. `urgent` calls go out even while the circuit is open, unless it was
        a time-out that opened it. Raises RedisReplaced when the process is another one, RedisUnavailable for everything else.
        """
        return self._send(server, commands, urgent)[1]

    def identity(self) -> str:
        """Return the name of the server process that answers now. Raises RedisUnavailable."""
        return self._send(None, [("PING",)], urgent=False)[0]

    def _send(self, server: str | None, commands: Sequence[Command], urgent: bool) -> tuple[str, list[Reply]]:
        # To try in spite of a refused connection costs nothing; with a server that hangs each try would cost a time-out.
        if not (self._breaker.allows() or (urgent and not self._hangs)):
            raise RedisUnavailable("the circuit is open")
        try:
            found, replies = self._exchange(server, commands)
        except RedisReplaced:
            self._answered()
            raise
        except (RedisError, OSError) as error:
            self._hangs = isinstance(error, (redis.TimeoutError, TimeoutError))
            if self._breaker.failed():
                metrics.count_circuit(is_open=True)
                cause = type(error).__name__
                fields = {"event": "circuit", "open": True, "cause": cause}
                log.warning("circuit opened: Redis failed with %s and is spared for now", cause, extra={"fields": fields})
            # Whatever broke this connection broke the idle ones too; each would otherwise cost a failure of its own.
            self._give_all_back()
            raise RedisUnavailable(type(error).__name__) from error
        self._answered()
        for reply in replies:
            if isinstance(reply, ResponseError):
                raise RedisUnavailable("Redis refused a command") from reply
        return found, replies

    def _answered(self) -> None:
        if self._breaker.succeeded():
            metrics.count_circuit(is_open=False)
            log.info("circuit closed: Redis answers again", extra={"fields": {"event": "circuit", "open": False}})

    def _exchange(self, server: str | None, commands: Sequence[Command]) -> tuple[str, list[Reply]]:
        connection, found, _ = self._lent()
        try:
            if server is not None and server != found:
                raise RedisReplaced(found)
            connection.send_packed_command(connection.pack_commands(commands))
            replies = [self._reply(connection) for _ in commands]
        except BaseException as error:
            # A reply that is still on its way must not be taken for that of the next command.
            connection.disconnect()
            self._pool.release(connection)
            if isinstance(error.__context__, BlockingIOError):
                # The system has ended the wait, which redis-py takes for a broken connection.
                raise redis.TimeoutError from error
            raise
        self._in_hand.append(_Lent(connection, found, self._monotonic()))
        return found, replies

    def _lent(self) -> _Lent:
        with suppress(IndexError):
            lent = self._in_hand.pop()
            if self._monotonic() - lent.answered_at < _IN_HAND_SECONDS:
                return lent
            # A server closes what is idle for long; the pool finds that out and connects anew.
            self._pool.release(lent.connection)
        connection: Connection = self._pool.get_connection()
        return _Lent(connection, self._servers[connection], 0.0)

    def _give_all_back(self) -> None:
        with suppress(IndexError):
            while True:
                self._pool.release(self._in_hand.pop().connection)
        self._pool.disconnect(inuse_connections=False)

    @staticmethod
    def _reply(connection: Connection) -> Reply:
        try:
            return connection.read_response(disable_decoding=True)
        except ResponseError as error:
            return error

    def _greet(self, connection: Connection) -> None:
        connection.on_connect()
        _let_the_system_time(connection)
        self._servers[connection] = f"{self._identify(connection)}/{self._layout}"


def _let_the_system_time(connection: Any) -> None:
    """Have the system count the time-outs of a plain connection.

    Python asks the system before each send and each receipt whether it may, and gives the interpreter to another thread each
    time, which on a hit of the cache is half of all it gives. Over TLS a wait that the system ends would be begun anew.
    """
    link = connection._sock
    if isinstance(link, socket.socket) and not isinstance(link, ssl.SSLSocket):
        seconds, fraction = divmod(connection.socket_timeout, 1)
        timeout = struct.pack("ll", int(seconds), int(fraction * 1_000_000))
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            link.setsockopt(socket.SOL_SOCKET, option, timeout)
        link.settimeout(None)
