"""What clients do to connections, on a real server: it answers in the one shape of errors, loses nothing, and stays up."""

from __future__ import annotations

import http.client
import json
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.killable import GunicornApp, running
from tests.harness.raw_http import RawClient, assert_refused, get
from tests.harness.tcp_proxy import TcpProxy
from tests.harness.whole_app import Reply

MEBIBYTE = bytes(2**20)
ORIGIN = "http://localhost:3000"


@pytest.fixture(scope="module")
def server(
    database_proxy: TcpProxy, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GunicornApp]:
    """The application under gunicorn, the same for all tests here: none of them may get it down."""
    uri = f"mongodb://127.0.0.1:{database_proxy.port}/?directConnection=true"
    folder = tmp_path_factory.mktemp("server")
    app = GunicornApp(folder, mongodb_uri=uri, redis_url=redis_url, workers=1, WEB_THREADS="4")
    with running(app):
        (worker,) = app.workers()
        yield app
        assert app.workers() == [worker], "a worker died"
    assert "Traceback" not in app.log.read_text(), app.log.read_text()


def head(path: str, *lines: str, method: str = "POST") -> bytes:
    """Return the head of a request, with these lines in it."""
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: localhost", *lines, "", ""]).encode()


def projects(server: GunicornApp) -> list[str]:
    with RawClient(server.port) as client:
        return [project["_id"] for project in client.send(get("/projects")).answer().data]


# Refused bodies


@pytest.mark.parametrize("path", ["/projects", "/timeline/", "/nowhere", "/media/transcribe"])
def test_who_still_sends_a_refused_body_gets_to_read_why(server: GunicornApp, path: str) -> None:
    with RawClient(server.port) as client:
        client.send(head(path, f"Content-Length: {40 * 2**20}", "Content-Type: application/json", f"Origin: {ORIGIN}"))
        # When the answer was given long before the last byte is sent
        client.send(*[MEBIBYTE] * 40)

        answer = client.answer()

    assert_refused(answer, *((404, "not_found") if path == "/nowhere" else (413, "body_too_large")))
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN


def test_usual_clients_read_the_refusal_of_40_mebibytes(server: GunicornApp) -> None:
    body = b'{"name": "' + bytes(40 * 2**20)
    request = urllib.request.Request(f"http://127.0.0.1:{server.port}/projects", body, {"Content-Type": "application/json"})

    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=30)

    with refused.value as error:
        assert_refused(Reply(error.code, dict(error.headers), error.read()), 413, "body_too_large")


def test_a_video_that_is_too_large_is_refused_to_who_still_sends_it(
    database_proxy: TcpProxy, redis_url: str, tmp_path: Path
) -> None:
    uri = f"mongodb://127.0.0.1:{database_proxy.port}/?directConnection=true"
    app = GunicornApp(tmp_path, mongodb_uri=uri, redis_url=redis_url, workers=1, MAX_UPLOAD_BYTES=str(2**20))
    form = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.mp4"\r\n\r\n'
    with running(app), RawClient(app.port) as client:
        fields = (f"Content-Length: {30 * 2**20}", "Content-Type: multipart/form-data; boundary=x")
        client.send(head("/media/upload", *fields), form)
        client.send(*[MEBIBYTE] * 29, bytes(2**20 - len(form)))

        assert_refused(client.answer(), 413, "video_too_large")
    assert not [path for path in (tmp_path / "media").rglob("*") if path.is_file()]


def test_nobody_sends_for_ever(server: GunicornApp) -> None:
    with RawClient(server.port) as client:
        client.send(head("/projects", f"Content-Length: {2**40}", "Content-Type: application/json"))
        sent = 0

        with pytest.raises(OSError):
            while sent < 200:
                client.send(MEBIBYTE)
                sent += 1

    assert 64 <= sent < 100


def test_a_body_in_pieces_without_a_length_is_taken_and_bounded_all_the_same(server: GunicornApp) -> None:
    fields = ("Transfer-Encoding: chunked", "Content-Type: application/json", "X-User-Id: pieces")
    with RawClient(server.port) as client:
        taken = client.send(head("/projects", *fields), b'9\r\n{"name": \r\n4\r\n"x"}\r\n0\r\n\r\n').answer()
    with RawClient(server.port) as client:
        client.send(head("/projects", *fields), *[b"100000\r\n" + MEBIBYTE + b"\r\n"] * 40, b"0\r\n\r\n")
        refused = client.answer()

    assert (taken.status, taken.data["name"]) == (200, "x")
    assert_refused(refused, 413, "body_too_large")


# Lies and ambiguities


BODY = b'{"name": "smuggled"}'
FIELDS = ("Content-Type: application/json",)

_FORM = "Content-Type: application/x-www-form-urlencoded"

AMBIGUOUS: dict[str, tuple[bytes, int]] = {
    "two lengths": (head("/projects", *FIELDS, "Content-Length: 20", "Content-Length: 5") + BODY, 400),
    "a list of lengths": (head("/projects", *FIELDS, "Content-Length: 20, 20") + BODY, 400),
    "a length that is no number": (head("/projects", *FIELDS, "Content-Length: +20") + BODY, 400),
    "a length below zero": (head("/projects", *FIELDS, "Content-Length: -1") + BODY, 400),
    "a length and chunks": (
        head("/projects", *FIELDS, "Content-Length: 5", "Transfer-Encoding: chunked") + b"0\r\n\r\n" + BODY,
        400,
    ),
    "chunks in disguise": (head("/projects", *FIELDS, "Transfer-Encoding: xchunked") + b"0\r\n\r\n", 501),
    "chunks twice": (head("/projects", *FIELDS, "Transfer-Encoding: chunked, chunked") + b"0\r\n\r\n", 400),
    "a chunk whose length is no number": (head("/projects", *FIELDS, "Transfer-Encoding: chunked") + b"ZZ\r\n", 400),
    "a chunk that does not end": (head("/projects", *FIELDS, "Transfer-Encoding: chunked") + b"2\r\n{}xx", 400),
    "a form with such a chunk": (head("/media/transcribe", _FORM, "Transfer-Encoding: chunked") + b"ZZ\r\n", 400),
    "a space before the colon": (head("/projects", *FIELDS, "Content-Length : 20") + BODY, 400),
    "a folded line": (head("/projects", *FIELDS, "X-A: b", " Content-Length: 20") + BODY, 400),
    "a bare line feed": (b"POST /projects HTTP/1.1\nHost: x\nContent-Length: 20\r\n\r\n" + BODY, 400),
    "NUL in a header": (head("/projects", *FIELDS, "X-A: a\0b"), 400),
    "no version": (b"GET /\r\n\r\n", 400),
    "rubbish": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    "two hosts": (b"GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    "an address without end": (get("/" + "x" * 5000), 414),
    "a header without end": (get("/health", X_Long="x" * 9000), 431),
    "too many headers": (get("/health", **{f"X_{number}": "x" for number in range(200)}), 431),
    "a head of a megabyte": (b"GET /health HTTP/1.1\r\n" + b"X-A: b\r\n" * 130_000, 431),
    "an expectation that nobody meets": (head("/projects", *FIELDS, "Content-Length: 20", "Expect: miracles"), 417),
}


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_what_can_be_read_in_two_ways_is_not_read_at_all(server: GunicornApp, name: str) -> None:
    before = projects(server)
    raw, status = AMBIGUOUS[name]

    with RawClient(server.port) as client:
        answer = client.send(raw).answer()
        closed = client.is_closed_within(5)

    assert_refused(answer, status, "bad_request")
    assert closed, "what follows must not be taken for another request"
    assert projects(server) == before


def test_what_the_parser_refuses_is_named_and_may_be_read_as_everything_else(server: GunicornApp) -> None:
    with RawClient(server.port) as client:
        answer = client.send(get("/health", Origin=ORIGIN, X_Request_Id="long-1", X_Long="x" * 9000)).answer()

    assert_refused(answer, 431, "bad_request")
    assert answer.headers["X-Request-Id"] == "long-1"
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN


def test_a_body_shorter_than_was_said_changes_nothing(server: GunicornApp) -> None:
    before = projects(server)
    whole = json.dumps({"name": "whole"}).encode()

    with RawClient(server.port) as client:
        client.send(head("/projects", *FIELDS, f"Content-Length: {len(whole) + 1}"), whole)
        client.socket.shutdown(1)
        answer = client.answer()

    assert_refused(answer, 400, "bad_request")
    assert projects(server) == before


def test_a_body_longer_than_was_said_is_not_taken_for_the_next_request(server: GunicornApp) -> None:
    smuggled = head("/projects", *FIELDS, "Content-Length: 20") + BODY
    short = b'{"name": "x"}'

    with RawClient(server.port) as client:
        client.send(head("/nowhere", *FIELDS, f"Content-Length: {len(short)}"), short, b"rubbish " + smuggled)
        arrived = b"".join(iter(lambda: client.socket.recv(1 << 16), b""))

    assert re.findall(rb"HTTP/1.1 (\d+)", arrived) == [b"404", b"400"]


def test_a_client_that_hangs_up_in_the_middle_is_forgotten(server: GunicornApp) -> None:
    for sent in (b"", b"GET /hea", head("/projects", *FIELDS, "Content-Length: 20") + BODY[:9], get("/projects")):
        with RawClient(server.port) as client:
            client.send(sent)

    with RawClient(server.port) as client:
        assert client.send(get("/health")).answer().status == 200


PATHS = [
    "/static/../../../../etc/passwd",
    "/static/videos/../../../../../etc/passwd",
    "/static/%2e%2e/%2e%2e/etc/passwd",
    "/static/..%2f..%2fetc%2fpasswd",
    "/static/videos/%00",
    "/static/videos\\..\\..\\secret",
    "/static/videos/",
    "/static/",
    "//etc/passwd",
    "/projects/%00",
    "/projects/..%5c..",
    "/%ff%fe",
]


@pytest.mark.parametrize("path", PATHS)
def test_a_path_leads_nowhere_but_to_what_is_served(server: GunicornApp, path: str) -> None:
    with RawClient(server.port) as client:
        answer = client.send(get(path)).answer()

    assert answer.status == 404
    assert b"root:" not in answer.body


def test_an_answer_to_head_has_no_body(server: GunicornApp) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    for _ in range(2):
        connection.request("HEAD", "/nowhere")
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (404, b"")
    connection.close()
