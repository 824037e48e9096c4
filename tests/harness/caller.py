"""One client of the HTTP API, with a connection that it keeps."""

from __future__ import annotations

import gzip
import http.client
import json
import random
from collections.abc import Sequence
from types import TracebackType
from typing import Any

import brotli
import zstandard

from tests.harness.whole_app import Reply

_NEW_CONNECTION_CHANCE = 0.2


class CallFailed(Exception):
    """There was no whole answer; whether the request was carried out is not known."""


class Caller:
    """Calls the API on one of `ports`; now and then it takes a new connection, and with it perhaps another worker."""

    def __init__(self, ports: Sequence[int], owner: str, *, seconds: float = 20.0) -> None:
        self._ports = ports
        self._owner = owner
        self._seconds = seconds
        self._chance = random.Random()
        self._connection: http.client.HTTPConnection | None = None

    def __enter__(self) -> Caller:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        """Send a request, with `body` as JSON unless it is bytes, and return the answer whatever its status.

        Raises CallFailed.
        """
        sent = {"X-User-Id": self._owner, **{name.replace("_", "-"): value for name, value in headers.items()}}
        raw = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        if raw is not body:
            sent["Content-Type"] = "application/json"
        try:
            return self._exchange(method, path, raw, sent)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise CallFailed(f"{method} {path}: {type(error).__name__}") from error

    def _exchange(self, method: str, path: str, raw: bytes | None, headers: dict[str, str]) -> Reply:
        if self._connection is None or self._chance.random() < _NEW_CONNECTION_CHANCE:
            self.close()
            port = self._chance.choice(self._ports)
            self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=self._seconds)
        self._connection.request(method, path, raw, headers)
        answer = self._connection.getresponse()
        return Reply(answer.status, dict(answer.getheaders()), decoded(answer.read(), answer.headers["Content-Encoding"]))


def decoded(body: bytes, coding: str | None) -> bytes:
    """Return a body as it was before its content coding."""
    if coding == "zstd":
        return zstandard.ZstdDecompressor().decompressobj().decompress(body)
    if coding == "br":
        plain: bytes = brotli.decompress(body)
        return plain
    return gzip.decompress(body) if coding == "gzip" else body
