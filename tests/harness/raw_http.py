"""HTTP byte by byte, for requests that no client library would send."""

from __future__ import annotations

import http.client
import io
import json
import socket
import time
from types import TracebackType
from typing import Any

from tests.harness.whole_app import Reply


class RawClient:
    """One TCP connection to a server on this machine."""

    def __init__(self, port: int, *, seconds: float = 30.0) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=seconds)

    def __enter__(self) -> RawClient:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.socket.close()

    def send(self, *pieces: bytes) -> RawClient:
        """Send `pieces`, one after the other."""
        for piece in pieces:
            self.socket.sendall(piece)
        return self

    def answer(self, method: str = "GET") -> Reply:
        """Read one answer."""
        found = http.client.HTTPResponse(self.socket, method=method)
        found.begin()
        with found:
            return Reply(found.status, dict(found.getheaders()), found.read())

    def is_closed_within(self, seconds: float) -> bool:
        """Tell whether the server ends the connection in this time."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self.socket.settimeout(left)
            try:
                if not self.socket.recv(1 << 16):
                    return True
            except TimeoutError:
                return False
            except OSError:
                return True
        return False


class _Bytes:
    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, *_: Any) -> io.BytesIO:
        return io.BytesIO(self._data)


def reply_from(data: bytes) -> Reply:
    """Return the answer that these bytes are."""
    found = http.client.HTTPResponse(_Bytes(data))  # type: ignore[arg-type]
    found.begin()
    return Reply(found.status, dict(found.getheaders()), found.read())


def get(path: str, **headers: str) -> bytes:
    """Return the bytes of a GET request."""
    fields = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: localhost", *fields, "", ""]).encode()


def assert_refused(reply: Reply, status: int, code: str) -> None:
    """Check that a server's answer is this error in the one shape."""
    assert (reply.status, reply.headers["Content-Type"]) == (status, "application/json"), reply
    body = json.loads(reply.body)
    assert set(body) == {"success", "data", "message", "error", "detail", "code", "requestId"}
    assert (body["success"], body["data"], body["code"]) == (False, None, code)
    assert body["requestId"] == reply.headers["X-Request-Id"]
