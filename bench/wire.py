"""HTTP requests as bytes, and one exchange of them."""

from __future__ import annotations

import socket
from http.client import HTTPResponse
from typing import NamedTuple

from bench.processes import HOST

_SECONDS = 60.0


class Reply(NamedTuple):
    """An HTTP answer: status, headers with lower-case names, bytes."""

    status: int
    headers: dict[str, str]
    body: bytes


def request_bytes(method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
    """Return a request of HTTP/1.1; underscores in the names of headers stand for hyphens, a body is JSON."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {HOST}"]
    if body:
        headers = {"Content_Type": "application/json", **headers, "Content_Length": str(len(body))}
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def exchange(port: int, request: bytes, expected_status: int = 200) -> Reply:
    """Send a request on a connection of its own and return the answer; raise RuntimeError for another status."""
    with socket.create_connection((HOST, port), timeout=_SECONDS) as connection:
        connection.sendall(request)
        with HTTPResponse(connection) as response:
            response.begin()
            headers = {name.lower(): value for name, value in response.getheaders()}
            reply = Reply(response.status, headers, response.read())
    if reply.status != expected_status:
        raise RuntimeError(f"{request.partition(b' HTTP')[0].decode()}: {reply.status} {reply.body[:300]!r}")
    return reply
