"""Errors and traces go where the settings say, and nothing of what people made goes with them."""

from __future__ import annotations

import gzip
import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import brotli
import pytest
import sentry_sdk
from flask import Flask
from pymongo.errors import WriteError

from projectapi.infra import telemetry
from tests.harness.whole_app import wait_for

SECRET = "MARKTIMELINE"


class Receiver(ThreadingHTTPServer):
    """Takes whatever is sent to it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.received: list[tuple[str, bytes]] = []


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        unpack = {"gzip": gzip.decompress, "br": brotli.decompress}.get(self.headers.get("Content-Encoding", ""), bytes)
        body = unpack(body)
        assert isinstance(self.server, Receiver)
        self.server.received.append((self.path, body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def app() -> Flask:
    """An application that breaks while it works on what somebody made."""
    app = Flask("broken")

    @app.post("/save")
    def save() -> str:
        timeline = SECRET
        try:
            try:
                # As the driver does, which quotes what it could not write.
                raise WriteError(f"Document failed validation: {timeline}", 99)
            except WriteError as error:
                raise RuntimeError(f"cannot save {len(timeline)} clips") from error
        except RuntimeError:
            logging.getLogger("projectapi.errors").exception("internal_error")
        return "said"

    return app


def test_an_error_is_reported_without_the_body_and_the_variables_it_was_made_of(receiver: Receiver, app: Flask) -> None:
    telemetry.report_errors(f"http://key@127.0.0.1:{receiver.server_port}/1", release="1.0.0", environment="production")
    try:
        app.test_client().post("/save", json={"timeline": SECRET}, headers={"Authorization": f"Bearer {SECRET}"})
        sentry_sdk.flush(10)
        wait_for(lambda: any(b"cannot save" in body for _, body in receiver.received), 10, "the report")
    finally:
        sentry_sdk.get_client().close()

    sent = b"".join(body for _, body in receiver.received)
    assert b"internal_error" in sent and b"1.0.0" in sent
    assert SECRET.encode() not in sent


def test_each_request_has_a_span(receiver: Receiver, app: Flask) -> None:
    provider = telemetry.trace(app, f"http://127.0.0.1:{receiver.server_port}/", release="1.0.0")
    assert provider is not None

    app.test_client().post("/save", json={"timeline": SECRET})
    provider.shutdown()

    (path, body), *_ = receiver.received
    assert path == "/v1/traces"
    assert b"POST /save" in body and b"projectapi" in body and SECRET.encode() not in body


@pytest.mark.parametrize("setting", ["SENTRY_DSN", "OTEL_EXPORTER_OTLP_ENDPOINT"])
def test_missing_packages_are_told_and_stop_nothing(
    app: Flask, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, setting: str
) -> None:
    def no_package(name: str) -> None:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(telemetry, "find_spec", no_package)
    logging.getLogger("projectapi").addHandler(caplog.handler)
    try:
        if setting == "SENTRY_DSN":
            telemetry.report_errors("http://key@localhost/1", release="1", environment="production")
        else:
            assert telemetry.trace(app, "http://localhost:4318", release="1") is None
    finally:
        logging.getLogger("projectapi").removeHandler(caplog.handler)

    assert f"{setting} is set" in caplog.text and "requirements-telemetry.txt" in caplog.text
