"""The process' MongoClient: durable, impatient, and not connected before somebody asks something."""

from __future__ import annotations

import logging
import re
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import dns.resolver
import flask_pymongo
import pytest
from flask import Flask
from pymongo import MongoClient, ReadPreference
from pymongo.errors import ConfigurationError

from projectapi.infra.mongo import connect

Connect = Callable[[str], MongoClient[dict[str, Any]]]
SRV_URI = "mongodb+srv://editor:s3cret@cluster0.example.net/"


@pytest.fixture
def app() -> Flask:
    return Flask("projectapi")


@pytest.fixture
def connect_to(app: Flask) -> Iterator[Connect]:
    made = []

    def connect_to(uri: str) -> MongoClient[dict[str, Any]]:
        made.append(connect(app, uri, max_pool_size=20, min_pool_size=2))
        return made[-1]

    yield connect_to
    for client in made:
        client.close()


@pytest.fixture
def app_log(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> pytest.LogCaptureFixture:
    monkeypatch.setattr(logging.getLogger("projectapi"), "propagate", True)
    return caplog


@pytest.fixture
def questions_to_dns(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let no DNS server answer; return the list that the questions come to stand in."""
    asked: list[str] = []

    def fail(name: str, *_: Any, **__: Any) -> None:
        asked.append(name)
        raise dns.resolver.LifetimeTimeout(timeout=2, errors=[])

    monkeypatch.setattr(dns.resolver, "resolve", fail)
    return asked


def test_the_pool_keeps_to_its_limits(connect_to: Connect) -> None:
    pool = connect_to("mongodb://db/").options.pool_options

    assert (pool.min_pool_size, pool.max_pool_size) == (2, 20)


def test_nothing_is_waited_for_without_end(connect_to: Connect) -> None:
    options = connect_to("mongodb://db/").options
    pool = options.pool_options

    assert (options.server_selection_timeout, pool.wait_queue_timeout) == (2, 2)
    assert (pool.connect_timeout, pool.socket_timeout, options.heartbeat_frequency) == (2, 20, 0.5)


def test_a_write_counts_when_a_majority_has_it_on_disk(connect_to: Connect) -> None:
    client = connect_to("mongodb://db/")

    assert client.write_concern.document == {"w": "majority", "j": True}
    assert client.read_preference == ReadPreference.PRIMARY
    assert (client.options.retry_writes, client.options.retry_reads) == (True, True)


def test_the_server_s_operators_see_who_is_connected(connect_to: Connect) -> None:
    assert connect_to("mongodb://db/").options.pool_options.appname == "projectapi"


def test_times_carry_their_zone_whatever_the_connection_string_says(connect_to: Connect) -> None:
    assert connect_to("mongodb://db/?tz_aware=false").codec_options.tz_aware


@pytest.mark.parametrize("uri", ["mongodb://127.0.0.1:{port}/", "mongodb://127.0.0.1:{port}/?connect=true"])
def test_nothing_is_connected_before_the_first_use(connect_to: Connect, uri: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        threads = set(threading.enumerate())

        connect_to(uri.format(port=server.getsockname()[1]))

        # Others may end meanwhile: those of a client that a test before this one had.
        assert set(threading.enumerate()) <= threads
        with pytest.raises(BlockingIOError):
            server.accept()


@pytest.mark.parametrize("separator", ["&", ";"])
def test_options_of_the_connection_string_win_over_ours(connect_to: Connect, separator: str) -> None:
    named = ["appName=other", "maxpoolsize=1", "socketTimeoutMS=5000", "serverSelectionTimeoutMS=7000", "retryReads=false"]

    options = connect_to("mongodb://db/?" + separator.join(named)).options

    pool = options.pool_options
    assert (pool.appname, pool.max_pool_size, pool.socket_timeout) == ("other", 1, 5)
    assert (options.server_selection_timeout, options.retry_reads) == (7, False)


def test_flask_pymongo_s_client_is_found_through_the_application(app: Flask, connect_to: Connect) -> None:
    client = connect_to("mongodb://db/")

    assert isinstance(client, flask_pymongo.wrappers.MongoClient)
    assert app.extensions["pymongo"].cx is client


def test_the_application_s_json_stays_as_it_is(app: Flask, connect_to: Connect) -> None:
    before = app.json

    connect_to("mongodb://db/")

    assert app.json is before


def test_a_worker_starts_while_dns_is_away(connect_to: Connect, questions_to_dns: list[str]) -> None:
    client = connect_to(SRV_URI)

    assert client["projectapi"].name == "projectapi"
    assert questions_to_dns == []


def test_each_use_asks_dns_again_until_it_answers(connect_to: Connect, questions_to_dns: list[str]) -> None:
    client = connect_to(SRV_URI)

    for _ in range(2):
        with pytest.raises(ConfigurationError):
            client.admin.command("ping")

    assert questions_to_dns == ["_mongodb._tcp.cluster0.example.net"] * 2


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ("w=1", ["w"]),
        ("journal=false", ["journal"]),
        ("retryWrites=false", ["retryWrites"]),
        ("readPreference=secondary", ["readPreference"]),
        ("w=1&journal=false&retryWrites=false", ["w", "journal", "retryWrites"]),
        ("w=2;readPreference=primaryPreferred", ["w", "readPreference"]),
    ],
)
def test_a_connection_string_that_weakens_promises_is_named_once(
    connect_to: Connect, app_log: pytest.LogCaptureFixture, options: str, named: list[str]
) -> None:
    connect_to(f"mongodb://editor:s3cret@db/?{options}")

    (record,) = app_log.records
    assert record.levelno == logging.WARNING
    assert re.findall(r"(\w+): ", record.getMessage()) == named
    assert "s3cret" not in record.getMessage()


@pytest.mark.parametrize("options", ["", "?w=majority&journal=true&retryWrites=true&readPreference=primary", "?appName=editor"])
def test_a_connection_string_that_keeps_them_is_passed_over_in_silence(
    connect_to: Connect, app_log: pytest.LogCaptureFixture, options: str
) -> None:
    connect_to(f"mongodb://db/{options}")

    assert app_log.records == []
