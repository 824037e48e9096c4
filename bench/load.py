"""A small HTTP/1.1 load generator for the loopback interface, as a process of its own: ``python -m bench.load < job``.

One thread, one selector, keep-alive connections; each connection sends its next request when the answer to the last one is
complete. Bounded by a number of requests and by a time.
"""

from __future__ import annotations

import json
import pickle
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from bench.timelines import MARKER

HOST = "127.0.0.1"
_STUCK_SECONDS = 60.0


@dataclass(frozen=True)
class Load:
    """What to send: connection k sends `requests` k, k + connections, … in turn, with the marker in a body made unique.

    `first_number` is where the unique numbers begin; it must grow from batch to batch, and keep its nine digits.
    """

    port: int
    requests: Sequence[bytes]
    expected_status: int = 200
    connections: int = 1
    count: int = 100
    seconds: float = 5.0
    first_number: int = 100_000_001


@dataclass(frozen=True)
class Outcome:
    """What came back: how many answers, in how many seconds, how long each took (sorted), and a sample of what went wrong."""

    answers: int
    seconds: float
    latencies: list[float]
    failures: int
    failure: str


class LoadFailed(Exception):
    """The server closed a connection, got stuck or gave a wrong answer."""


def run(load: Load) -> Outcome:
    """Generate the load in a process of its own and return what came of it. Raises LoadFailed."""
    command = [sys.executable, "-m", "bench.load"]
    finished = subprocess.run(command, input=pickle.dumps(load), capture_output=True, check=False)
    if finished.returncode:
        raise LoadFailed(finished.stderr.decode().strip().rpartition("\n")[2])
    outcome = Outcome(**json.loads(finished.stdout))
    if outcome.failures:
        raise LoadFailed(f"{outcome.failures} of {outcome.answers} answers were wrong: {outcome.failure}")
    return outcome


class _Connection:
    def __init__(self, load: Load, own: Sequence[bytes]) -> None:
        self._load = load
        self._own = own
        self._turn = 0
        self._connect()

    def _connect(self) -> None:
        self.socket = socket.create_connection((HOST, self._load.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received = bytearray()
        self._missing: int | None = None

    def send(self, number: int) -> None:
        request = self._own[self._turn % len(self._own)]
        self._turn += 1
        self.sent_at = time.perf_counter()
        self.socket.sendall(request.replace(MARKER, b"%d.25" % number, 1))

    def receive(self) -> int | None:
        """Take what has arrived; return the status once the answer is complete."""
        piece = self.socket.recv(1 << 20)
        if not piece:
            raise ConnectionError("the server closed the connection")
        if self._missing is not None:
            self._missing -= len(piece)
        else:
            self._received += piece
            end = self._received.find(b"\r\n\r\n")
            if end < 0:
                return None
            self._missing = _length(bytes(self._received[:end])) - (len(self._received) - end - 4)
        if self._missing > 0:
            return None
        status = int(self._received[9:12])
        self._received, self._missing = bytearray(), None
        return status


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    if head[9:12] == b"304":
        return 0
    raise ConnectionError("an answer without Content-Length")


def _generate(load: Load) -> Outcome:
    started = time.perf_counter()
    give_up_at = started + load.seconds
    answers, failures, failure, number = 0, 0, "", load.first_number
    latencies: list[float] = []
    with selectors.DefaultSelector() as selector:
        for index in range(load.connections):
            connection = _Connection(load, load.requests[index :: load.connections] or load.requests)
            selector.register(connection.socket, selectors.EVENT_READ, connection)
            connection.send(number)
            number += 1
        busy = load.connections
        while busy:
            ready = selector.select(_STUCK_SECONDS)
            if not ready:
                raise SystemExit("the server is stuck")
            for key, _ in ready:
                status = key.data.receive()
                if status is None:
                    continue
                now = time.perf_counter()
                answers += 1
                latencies.append(now - key.data.sent_at)
                if status != load.expected_status:
                    failures, failure = failures + 1, f"status {status}"
                if number - load.first_number < load.count and now < give_up_at:
                    key.data.send(number)
                    number += 1
                else:
                    busy -= 1
                    selector.unregister(key.fileobj)
                    key.data.socket.close()
    return Outcome(answers, time.perf_counter() - started, sorted(latencies), failures, failure)


if __name__ == "__main__":
    json.dump(vars(_generate(pickle.load(sys.stdin.buffer))), sys.stdout)
