"""What a client does not take soon: it is kept up to a bound, sent on later, and given up when too little moves."""

from __future__ import annotations

import selectors
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from gunicorn.config import Config

from projectapi.serving import outlet, pace
from projectapi.serving.connection import Connection
from projectapi.serving.outlet import Backlog, Outlet
from projectapi.serving.sending import SendingConnections

LARGE = bytes(range(256)) * (1 << 16)
ROOM = 2 * len(LARGE)


@dataclass
class Ends:
    """Both ends of a connection, and what counts the bytes that wait for it."""

    outlet: Outlet
    client: socket.socket
    backlog: Backlog


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ends]:
    monkeypatch.setattr(outlet, "PATIENCE_SECONDS", 0.0)
    near, client = socket.socketpair()
    backlog = Backlog(ROOM)
    ours = Outlet(near, backlog)
    yield Ends(ours, client, backlog)
    ours.close()
    client.close()


@pytest.fixture
def film(tmp_path: Path) -> Path:
    path = tmp_path / "film.mp4"
    path.write_bytes(LARGE)
    return path


def read_all(ends: Ends, count: int) -> bytes:
    """Read as a client does, while the other end sends on."""
    arrived = bytearray()
    while len(arrived) < count:
        ends.outlet.push()
        arrived += ends.client.recv(1 << 20)
    return bytes(arrived)


def is_all_free(backlog: Backlog) -> bool:
    return backlog.take(ROOM)


def test_what_is_taken_at_once_is_not_kept(ends: Ends) -> None:
    ends.outlet.sendall(b"short")

    assert not ends.outlet.has_unsent
    assert ends.client.recv(99) == b"short"
    assert is_all_free(ends.backlog)


def test_an_answer_in_memory_is_kept_and_arrives_whole(ends: Ends) -> None:
    ends.outlet.sendall(LARGE)
    assert ends.outlet.has_unsent and not is_all_free(ends.backlog)

    assert read_all(ends, len(LARGE)) == LARGE

    assert ends.outlet.push() and not ends.outlet.has_unsent
    assert is_all_free(ends.backlog)


def test_a_file_is_sent_on_after_whoever_opened_it_has_closed_it(ends: Ends, film: Path) -> None:
    with film.open("rb") as file:
        assert ends.outlet.sendfile(file, 100) == len(LARGE) - 100

    assert ends.outlet.has_unsent and is_all_free(ends.backlog)
    assert read_all(ends, len(LARGE) - 100) == LARGE[100:]


def test_a_file_that_was_cut_off_meanwhile_ends_the_connection(ends: Ends, film: Path) -> None:
    with film.open("rb+") as file:
        ends.outlet.sendfile(file)
        file.truncate(0)

    with pytest.raises(ConnectionResetError):
        read_all(ends, len(LARGE))


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "GRACE_SECONDS", 0.1)
    monkeypatch.setattr(pace, "BYTES_PER_SECOND_MIN", 1 << 40)


@pytest.mark.usefixtures("hasty")
def test_what_there_is_no_room_for_is_waited_for_by_a_thread_and_not_for_ever(ends: Ends) -> None:
    ends.backlog.take(ROOM - 1)

    with pytest.raises(TimeoutError):
        ends.outlet.sendall(LARGE)
    ends.backlog.give_back(ROOM - 1)
    assert is_all_free(ends.backlog)


@pytest.mark.usefixtures("hasty")
def test_of_a_file_that_was_given_up_nothing_is_sent_once_its_number_is_that_of_another(ends: Ends, film: Path) -> None:
    ends.outlet.sendall(LARGE)
    ends.outlet.sendall(LARGE[:1])

    with film.open("rb") as file, pytest.raises(TimeoutError):
        ends.outlet.sendfile(file)

    assert not ends.outlet.has_unsent


@pytest.mark.usefixtures("hasty")
def test_of_an_answer_that_is_made_while_it_is_sent_no_more_is_made_than_is_taken(ends: Ends) -> None:
    ends.outlet.sendall(LARGE)
    ends.outlet.sendall(b"more")

    with pytest.raises(TimeoutError):
        ends.outlet.sendall(b"and more")


def test_a_connection_that_is_closed_gives_its_room_back(ends: Ends) -> None:
    ends.outlet.sendall(LARGE)

    ends.outlet.close()

    assert is_all_free(ends.backlog)


@pytest.fixture
def poller() -> Iterator[selectors.BaseSelector]:
    with selectors.DefaultSelector() as made:
        yield made


def test_a_client_that_takes_too_little_for_too_long_is_given_up(
    ends: Ends, poller: selectors.BaseSelector, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_up: list[Connection] = []
    sending = SendingConnections(given_up.append)
    conn = Connection(Config(), ends.outlet, None, None, lambda conn: None)
    ends.outlet.sendall(LARGE)
    sending.add(conn, poller, then=lambda: None)

    # What has gone is enough for a while
    monkeypatch.setattr(pace, "GRACE_SECONDS", -1.0)
    sending.drop_overdue(poller)
    assert (given_up, len(sending)) == ([], 1)

    conn.sock.sent_bytes = 0
    sending.drop_overdue(poller)
    assert (given_up, len(sending)) == ([conn], 0)
    assert not poller.get_map()


def test_a_client_that_left_is_given_up(ends: Ends, poller: selectors.BaseSelector) -> None:
    given_up: list[Connection] = []
    sending = SendingConnections(given_up.append)
    conn = Connection(Config(), ends.outlet, None, None, lambda conn: None)
    ends.outlet.sendall(LARGE)
    sending.add(conn, poller, then=lambda: None)

    ends.client.close()
    for key, _ in poller.select(5):
        key.data(key.fileobj)

    assert (given_up, len(sending)) == ([conn], 0)
