"""The worker's patience: with what waits for a thread, with those who close slowly, and with itself."""

from __future__ import annotations

import logging
import selectors
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from gunicorn.config import Config

from projectapi.serving import worker as serving
from projectapi.serving.connection import Connection
from projectapi.serving.outlet import Backlog, Outlet
from projectapi.serving.refusals import Refusals
from projectapi.serving.worker import BoundedWorker
from tests.harness.raw_http import assert_refused, get, reply_from

ORIGIN = "http://localhost:3000"


class CountingWorker(BoundedWorker):
    """Keeps what it counts."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.counted: list[tuple[str, int, str]] = []
        self.waits: list[float] = []


@pytest.fixture
def worker() -> Iterator[CountingWorker]:
    """A worker with its loop's parts, that was not started."""
    settings = Config()
    settings.set("threads", 2)
    made = CountingWorker(1, 1, [], None, 30, settings, logging.getLogger("test"))
    made.limit(
        waiting=3,
        refusals=Refusals([ORIGIN], lambda *refusal: made.counted.append(refusal)),
        note_wait=made.waits.append,
    )
    made.poller = selectors.DefaultSelector()
    yield made
    made.poller.close()
    made.tmp.close()


@dataclass
class Pair:
    """Both ends of a connection, which counts as one that a thread works on."""

    ours: Connection
    client: socket.socket


@pytest.fixture
def pair(worker: BoundedWorker) -> Iterator[Pair]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname(), timeout=5)
        accepted, address = listener.accept()
    ours = Connection(worker.cfg, Outlet(accepted, Backlog()), address, ("127.0.0.1", 0), worker._close_in_peace)
    yield Pair(ours, client)
    client.close()
    ours.close()


def run_loop(worker: BoundedWorker) -> None:
    worker.wait_for_and_dispatch_events(timeout=1.0)


def received(client: socket.socket) -> bytes:
    return b"".join(iter(lambda: client.recv(1 << 16), b""))


def wait_for_head(pair: Pair) -> None:
    deadline = time.monotonic() + 5
    while not pair.ours.has_head:
        assert time.monotonic() < deadline
        pair.ours.read()


def test_what_waits_too_long_for_a_thread_is_refused_while_all_threads_are_taken(
    worker: CountingWorker, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "QUEUE_SECONDS", 0.0)
    pair.client.sendall(get("/projects", Origin=ORIGIN))
    wait_for_head(pair)
    taken = threading.Event()
    worker.tpool = worker.get_thread_pool()
    worker.method_queue.init()
    for _ in range(2):
        worker.tpool.submit(taken.wait, 10)
    worker.nr_conns = 3
    worker.enqueue_req(pair.ours)

    worker.murder_pending()

    worker.method_queue.run_callbacks(None)
    pair.ours.close()
    reply = reply_from(received(pair.client))
    taken.set()
    worker.tpool.shutdown()
    worker.method_queue.close()
    assert_refused(reply, 503, "overloaded")
    assert reply.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert worker.counted == [("GET", 503, "overloaded")]
    assert worker.waits == []


def test_a_page_of_an_unknown_origin_may_not_read_the_refusal(worker: CountingWorker, pair: Pair) -> None:
    pair.client.sendall(get("/projects", Origin="http://evil.example", X_Request_Id="mine-1"))
    wait_for_head(pair)
    worker.nr_conns = 6

    worker.enqueue_req(pair.ours)
    pair.ours.close()

    reply = reply_from(received(pair.client))
    assert_refused(reply, 503, "overloaded")
    assert "Access-Control-Allow-Origin" not in reply.headers
    assert reply.headers["X-Request-Id"] == "mine-1"
    assert worker.counted == [("GET", 503, "overloaded")]


def test_who_neither_sends_nor_closes_is_left_after_a_while(
    worker: BoundedWorker, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "_SILENT_SECONDS", 0.0)
    pair.ours.close(graceful=True)
    assert (worker.nr_conns, worker.under_way) == (1, 0)

    worker.murder_pending()

    assert (worker.nr_conns, list(worker.closing)) == (0, [])
    assert pair.ours.sock.fileno() == -1


def test_who_sends_a_little_for_ever_is_left_as_well(
    worker: BoundedWorker, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "_DROPPING_SECONDS", 0.0)
    pair.ours.close(graceful=True)
    pair.client.sendall(b"x")
    run_loop(worker)

    worker.murder_pending()

    assert pair.ours.sock.fileno() == -1


def test_only_so_many_are_waited_for(worker: BoundedWorker, pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "_CLOSING_MAX", 1)
    near, far = socket.socketpair()
    earlier = Connection(worker.cfg, Outlet(near, Backlog()), None, None, worker._close_in_peace)
    with far:
        earlier.close(graceful=True)

        pair.ours.close(graceful=True)

        assert list(worker.closing) == [pair.ours]
        assert far.recv(1) == b""


def test_what_arrives_in_the_round_in_which_a_connection_is_closed_does_no_harm(worker: BoundedWorker, pair: Pair) -> None:
    pair.ours.close(graceful=True)
    pair.client.sendall(b"x")
    ((ready, _),) = worker.poller.select(5)
    worker._close_now(pair.ours)

    ready.data(ready.fileobj)

    assert (worker.nr_conns, list(worker.closing)) == (0, [])


@pytest.mark.parametrize(("under_way", "stays"), [(1, True), (0, False)])
def test_a_worker_that_has_served_its_time_stays_until_nothing_is_under_way(
    worker: BoundedWorker, under_way: int, stays: bool
) -> None:
    served: Any = worker
    served._recycle_at, served.nr, served.nr_conns = 10, 10, under_way

    worker.notify()

    assert worker.alive is stays
