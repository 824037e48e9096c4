"""How slowly a client may send a body that a thread waits for."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest

from projectapi.errors import RequestTimedOut
from projectapi.serving import pace
from projectapi.serving.pace import PacedUnreader


class SlowClient:
    """A socket on which `piece` comes after every `seconds`; whoever reads gives up after `patience` and tries again."""

    def __init__(self, seconds: float, piece: bytes, patience: float) -> None:
        self.clock = 0.0
        self._seconds = seconds
        self._piece = piece
        self._patience = patience
        self._next = seconds

    def recv(self, size: int) -> bytes:
        waited = min(self._next, self._patience)
        self.clock += waited
        self._next -= waited
        if self._next > 0:
            raise TimeoutError
        self._next = self._seconds
        return self._piece


@pytest.fixture
def reader_of(monkeypatch: pytest.MonkeyPatch) -> Callable[[SlowClient], PacedUnreader]:
    def make(client: SlowClient) -> PacedUnreader:
        monkeypatch.setattr(pace.time, "monotonic", lambda: client.clock)
        reader = PacedUnreader(client)
        reader.begin(b"")
        return reader

    return make


def read_for(reader: PacedUnreader, client: SlowClient, seconds: float) -> None:
    while client.clock < seconds:
        with suppress(TimeoutError):
            reader.chunk()


@pytest.mark.parametrize("patience", [60.0, 2.0])
def test_a_client_that_drips_is_given_up_however_often_one_looks_up_meanwhile(
    reader_of: Callable[[SlowClient], PacedUnreader], patience: float
) -> None:
    client = SlowClient(3.0, b"x", patience)

    with pytest.raises(RequestTimedOut):
        read_for(reader_of(client), client, 30)

    assert client.clock == 21


def test_a_slow_client_at_a_bearable_pace_is_waited_for(reader_of: Callable[[SlowClient], PacedUnreader]) -> None:
    client = SlowClient(3.0, bytes(3 * 1024), 2.0)

    read_for(reader_of(client), client, 600)

    assert client.clock >= 600
