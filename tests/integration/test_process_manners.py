"""Processes come and go, and no request is lost by it; when there is too much to do, everybody hears so at once."""

from __future__ import annotations

import base64
import re
import selectors
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import redis
from pymongo.errors import InvalidOperation

from config import Config
from projectapi import create_app
from projectapi.serving.pace import GRACE_SECONDS
from projectapi.serving.worker import QUEUE_SECONDS
from tests.harness.caller import Caller
from tests.harness.numbers import numbers_of
from tests.harness.raw_http import RawClient, assert_refused, get, reply_from
from tests.harness.whole_app import Reply, wait_for
from tests.integration.conftest import Served

ORIGIN = "http://localhost:3000"
HOST_KILLS_AFTER_SECONDS = 30.0
HASTY = "tests.harness.hasty_app:app"

SlowDatabase = Callable[[], None]


def slow_get(owner: str) -> bytes:
    """Return a request whose answer no cache has, so that it takes as long as the database does."""
    return get("/projects", X_User_Id=owner, Origin=ORIGIN)


def is_refused(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except ConnectionRefusedError:
        return True
    return False


def test_what_runs_at_sigterm_is_answered_on_new_and_kept_connections_and_then_all_ends_well(
    serve: Served, slow_database: SlowDatabase
) -> None:
    app = serve(workers=2)
    with RawClient(app.port) as kept, RawClient(app.port) as new, RawClient(app.port) as silent:
        assert kept.send(get("/health")).answer().status == 200
        slow_database()

        # When the host asks to stop while one request is on its way on each kind of connection
        started = time.monotonic()
        kept.send(slow_get("kept"))
        new.send(slow_get("new"))
        app.signal_master(signal.SIGTERM)

        # Then nobody new is let in, and both get their answers
        wait_for(lambda: is_refused(app.port), 10, "the port to be closed")
        for client in (kept, new):
            assert client.answer().status == 200
        assert app.wait(HOST_KILLS_AFTER_SECONDS - 5) == 0
        assert time.monotonic() - started < 25
        assert silent.is_closed_within(5)
    assert "Traceback" not in app.log.read_text(), app.log.read_text()


def test_a_reload_loses_no_request(serve: Served) -> None:
    app = serve(workers=2)
    before = set(app.workers())

    def call_until_reloaded(number: int) -> Counter[int]:
        seen: Counter[int] = Counter()
        with Caller([app.port], f"reload-{number}") as caller:
            while before & set(app.workers()):
                seen[caller.call("GET", "/projects").status] += 1
                seen[caller.call("POST", "/projects", {"name": "x"}).status] += 1
        return seen

    with ThreadPoolExecutor(6) as pool:
        calls = [pool.submit(call_until_reloaded, number) for number in range(6)]
        app.signal_master(signal.SIGHUP)
        seen = sum((call.result(60) for call in calls), Counter())

    assert set(seen) == {200}
    assert len(app.workers()) == 2


def test_a_worker_that_has_served_its_time_leaves_between_requests(serve: Served, slow_database: SlowDatabase) -> None:
    app = serve(workers=1, GUNICORN_CMD_ARGS="--max-requests 40 --max-requests-jitter 0")
    (worker,) = app.workers()
    slow_database()

    # When the number of requests is reached while a slow one runs
    with RawClient(app.port) as slow, Caller([app.port], "quick") as quick:
        slow.send(slow_get("slow"))
        statuses = {quick.call("GET", "/health").status for _ in range(60)}

        # Then neither it nor any other is cut
        assert slow.answer().status == 200
    assert statuses == {200}
    wait_for(lambda: app.workers() not in ([], [worker]), 20, "another worker in its place")


@dataclass
class Crowd:
    """Clients that all ask at once, each with a connection of its own; `waits` are the seconds until each was answered."""

    port: int
    size: int
    answers: list[Reply] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)

    def ask(self, seconds: float) -> None:
        received: dict[socket.socket, bytes] = {}
        with ExitStack() as stack:
            selector = stack.enter_context(selectors.DefaultSelector())
            for number in range(self.size):
                client = stack.enter_context(socket.create_connection(("127.0.0.1", self.port), timeout=10))
                received[client] = b""
                selector.register(client, selectors.EVENT_READ)
                client.sendall(get("/projects", X_User_Id=f"crowd-{number}", Origin=ORIGIN, Connection="close"))
            started = time.monotonic()
            while selector.get_map() and time.monotonic() < started + seconds:
                for key, _ in selector.select(1.0):
                    client = key.fileobj
                    assert isinstance(client, socket.socket)
                    piece = client.recv(1 << 16)
                    received[client] += piece
                    if not piece:
                        selector.unregister(client)
                        self.answers.append(reply_from(received[client]))
                        self.waits.append(time.monotonic() - started)
        assert len(self.answers) == self.size, "somebody got no answer"


def resident_megabytes(pid: int) -> float:
    pages = int((Path("/proc") / str(pid) / "statm").read_text().split()[1])
    return pages * 4096 / 2**20


def test_who_would_wait_too_long_is_told_at_once_and_all_others_are_served(
    serve: Served, slow_database: SlowDatabase
) -> None:
    threads, waiting = 2, 2
    app = serve(workers=1, WEB_THREADS=str(threads), MAX_WAITING_REQUESTS=str(waiting))
    (worker,) = app.workers()
    slow_database()
    Crowd(app.port, 500).ask(60)
    before, counted = resident_megabytes(worker), numbers_of(app.port)

    # When 500 ask at once, and the database takes its time for each
    crowd = Crowd(app.port, 500)
    crowd.ask(60)

    # Then as many as may wait are served, and the others are refused within a second
    refused = [(answer, wait) for answer, wait in zip(crowd.answers, crowd.waits, strict=True) if answer.status == 503]
    served = [answer for answer in crowd.answers if answer.status == 200]
    assert len(served) + len(refused) == 500
    assert threads + waiting <= len(served) < 50
    assert max(wait for _, wait in refused) < 1.0
    for answer, _ in refused:
        assert_refused(answer, 503, "overloaded")
        assert int(answer.headers["Retry-After"]) > 0
        assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    # And each is counted as what it was, with the waits of those that had to wait
    now = numbers_of(app.port)
    assert now.gain(counted, "projectapi_requests_total", method="GET", route="(refused)", status="503") == len(refused)
    assert now.gain(counted, "projectapi_errors_total", status="503", code="overloaded") == len(refused)
    assert 0 < now.gain(counted, "projectapi_queue_seconds_count") < len(served)
    assert now.gain(counted, "projectapi_queue_seconds_sum") > 0
    # And nothing of it stays
    assert resident_megabytes(worker) - before < 10
    assert app.workers() == [worker]


def test_clients_that_say_little_keep_nobody_from_being_served(serve: Served) -> None:
    app = serve(workers=1, WEB_THREADS="2")
    silent = [RawClient(app.port) for _ in range(20)]
    halting = [RawClient(app.port).send(b"GET /health HTTP/1.1\r\nHost: x\r\n") for _ in range(20)]

    with Caller([app.port], "somebody") as caller:
        started = time.monotonic()
        assert {caller.call("GET", "/health").status for _ in range(20)} == {200}

    assert time.monotonic() - started < 5
    # They may go on where they stopped
    assert halting[0].send(b"\r\n").answer().status == 200
    for client in (*silent, *halting):
        client.socket.close()


@contextmanager
def dripping(port: int, *heads: bytes, drop: bytes = b"x") -> Iterator[list[RawClient]]:
    """Have clients that sent these heads and then send their bodies drop by drop, for as long as the block runs."""
    clients = [RawClient(port).send(head) for head in heads]
    ended = threading.Event()

    def drip() -> None:
        while not ended.wait(0.5):
            for client in clients:
                with suppress(OSError):
                    client.send(drop)

    sender = threading.Thread(target=drip)
    sender.start()
    try:
        yield clients
    finally:
        ended.set()
        sender.join()
        for client in clients:
            client.socket.close()


def post(path: str, length: int) -> bytes:
    return f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n".encode()


@pytest.mark.parametrize(("path", "length"), [("/projects", 500), ("/nowhere", 500), ("/nowhere", 500_000)])
def test_bodies_that_come_drop_by_drop_keep_nobody_from_being_served(serve: Served, path: str, length: int) -> None:
    app = serve(workers=1, WEB_THREADS="2")
    with RawClient(app.port) as reader:
        assert reader.send(get("/projects")).answer().status == 200
        with dripping(app.port, *[post(path, length)] * 6):
            started = time.monotonic()
            for address in ("/health", "/projects"):
                assert reader.send(get(address)).answer().status == 200
            waited = time.monotonic() - started

    assert waited < 2


def test_when_large_bodies_hold_all_threads_others_are_told_soon_and_those_that_drip_are_ended(serve: Served) -> None:
    app = serve(workers=1, app=HASTY, WEB_THREADS="2", LOG_LEVEL="INFO")
    with dripping(app.port, *[post("/projects", 500_000)] * 2) as slow, RawClient(app.port) as other:
        started = time.monotonic()
        assert_refused(other.send(get("/health")).answer(), 503, "overloaded")
        assert time.monotonic() - started < QUEUE_SECONDS
        for client in slow:
            client.socket.settimeout(GRACE_SECONDS)
            assert_refused(client.answer(), 408, "request_timeout")
        with RawClient(app.port) as later:
            assert later.send(get("/health")).answer().status == 200


def test_uploads_that_drip_lose_their_places_and_a_resumable_one_keeps_its_bytes(serve: Served) -> None:
    # Given a worker whose places for uploads are taken by clients that send 600 bytes a second
    app = serve(workers=1, app=HASTY, UPLOADS_AT_ONCE="3")
    with Caller([app.port], "somebody") as caller:
        project_id = caller.call("POST", "/projects", {"name": "Film"}).data["_id"]
        plan = {"Upload_Length": "500000", "Upload_Metadata": f"project_id {base64.b64encode(project_id.encode()).decode()}"}
        address = caller.call("POST", "/media/uploads", Tus_Resumable="1.0.0", **plan).headers["Location"]
        video, length = f"PUT /media/{project_id}/video HTTP/1.1", "Host: x\r\nContent-Length: 500000"
        heads = [
            f"{video}\r\n{length}\r\n\r\n",
            f"POST /media/upload HTTP/1.1\r\n{length}\r\nContent-Type: multipart/form-data; boundary=b\r\n\r\n"
            '--b\r\nContent-Disposition: form-data; name="file"; filename="a.mp4"\r\n\r\n',
            f"PATCH {address} HTTP/1.1\r\n{length}\r\nContent-Type: application/offset+octet-stream\r\n"
            "Tus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\n\r\n",
        ]
        endings = [(400, "upload_incomplete"), (408, "request_timeout"), (400, "upload_incomplete")]
        with dripping(app.port, *map(str.encode, heads), drop=bytes(300)) as slow, RawClient(app.port) as other:
            assert_refused(other.send(heads[0].encode()).answer(), 503, "media_busy")
            # When they have gone on for long enough, then they are ended in plain words
            for client, ending in zip(slow, endings, strict=True):
                client.socket.settimeout(GRACE_SECONDS)
                assert_refused(client.answer(), *ending)
        # And what came of the resumable one is there
        offset = caller.call("HEAD", address, Tus_Resumable="1.0.0").headers["Upload-Offset"]
        assert int(offset) >= 1024


def test_who_stops_in_the_middle_of_a_small_body_is_told_so(serve: Served) -> None:
    app = serve(workers=1, app=HASTY, LOG_LEVEL="INFO")
    head = post("/projects", 500).removesuffix(b"\r\n") + f"Origin: {ORIGIN}\r\nX-Request-Id: stopped-1\r\n\r\n".encode()
    with RawClient(app.port) as client:
        answer = client.send(head, b'{"name"').answer()

    assert_refused(answer, 408, "request_timeout")
    assert answer.headers["X-Request-Id"] == "stopped-1"
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert numbers_of(app.port).total("projectapi_requests_total", method="POST", route="(refused)", status="408") == 1
    assert re.search(r"INFO .*stopped-1.* refused: request_timeout", app.log.read_text()), app.log.read_text()


def test_a_part_of_the_next_request_behind_a_whole_one_takes_no_thread(serve: Served) -> None:
    app = serve(workers=1, WEB_THREADS="1")
    with RawClient(app.port) as halting, RawClient(app.port) as other:
        assert halting.send(get("/health") + get("/nowhere")[:20]).answer().status == 200

        started = time.monotonic()
        assert other.send(get("/health")).answer().status == 200

        assert time.monotonic() - started < 2
        assert halting.send(get("/nowhere")[20:]).answer().status == 404


def test_a_head_may_come_in_pieces_and_requests_one_behind_the_other(serve: Served) -> None:
    app = serve(workers=1)
    with RawClient(app.port) as client:
        assert client.send(*(bytes([byte]) for byte in get("/health"))).answer().status == 200
        client.send(get("/health") + get("/nowhere", Connection="close"))
        arrived = b"".join(iter(lambda: client.socket.recv(1 << 16), b""))
    assert re.findall(rb"HTTP/1.1 (\d+)", arrived) == [b"200", b"404"]


def test_closing_the_backend_gives_all_connections_back(mongodb_uri: str, redis_url: str, tmp_path: Path) -> None:
    app = create_app(Config(app_env="testing", mongodb_uri=mongodb_uri, redis_url=redis_url, media_dir=tmp_path))
    with redis.Redis.from_url(redis_url) as observer:
        before = observer.info("clients")["connected_clients"]
        assert app.test_client().get("/projects").status_code == 200
        assert observer.info("clients")["connected_clients"] > before

        app.extensions["projectapi"].close()

        wait_for(lambda: observer.info("clients")["connected_clients"] == before, 5, "the connections to Redis to be closed")
    with pytest.raises(InvalidOperation):
        app.extensions["pymongo"].cx.admin.command("ping")
