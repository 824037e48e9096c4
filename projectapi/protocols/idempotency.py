"""What a memory of requests that may be sent twice must do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class RecordedAnswer:
    """The answer that a request got, to be given again: status, the headers that matter, the body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Remembered:
    """A request that was sent before or may be sent again: the random mark of the write that it asks for, and its answer."""

    write_id: str
    answer: RecordedAnswer | None


class IdempotencyStore(Protocol):
    """Remembers requests that carry an `Idempotency-Key` for 24 hours, and the answers that they got."""

    def begin(self, key: str, fingerprint: str) -> Remembered:
        """Remember a request before it is worked on; return the mark of its write, and its answer if it was answered.

        Without an answer it is to be worked on, whether it is new or was cut off the last time. Raises IdempotencyKeyReused
        when the key belongs to a request with another `fingerprint`.
        """

    def finish(self, key: str, answer: RecordedAnswer) -> None:
        """Remember the answer of a request that `begin` took."""
