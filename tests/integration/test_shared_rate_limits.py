"""Requests are counted in Redis for all workers together; while it is away each worker counts alone, and nobody waits."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import mongomock
import pytest
from flask.testing import FlaskClient

from config import Config
from projectapi import create_app
from projectapi.infra.redis_client import connect
from tests.harness.tcp_proxy import Mode, TcpProxy

LIMIT = 5


@pytest.fixture
def redis_proxy(redis_url: str) -> Iterator[TcpProxy]:
    port = urlsplit(redis_url).port
    assert port is not None
    with TcpProxy(port) as proxy:
        yield proxy


@pytest.fixture
def make_worker(redis_proxy: TcpProxy, tmp_path: Path) -> Iterator[Callable[[], FlaskClient]]:
    """Make clients, each of an application of its own, as the worker processes of one server have."""
    made = []

    def make() -> FlaskClient:
        config = Config(
            app_env="testing", mongodb_uri="mongodb://unused/", media_dir=tmp_path, rate_limits=f"{LIMIT}/hour"
        )
        client = connect(f"redis://127.0.0.1:{redis_proxy.port}/0")
        app = create_app(config, mongo_client=mongomock.MongoClient(tz_aware=True), redis_client=client)
        made.append(app)
        return app.test_client()

    yield make
    for app in made:
        app.extensions["projectapi"].close()


def statuses(worker: FlaskClient, address: str, count: int) -> list[int]:
    how = {"environ_overrides": {"REMOTE_ADDR": address}}
    return [worker.get("/docs", **how).status_code for _ in range(count)]


def test_all_workers_count_together(make_worker: Callable[[], FlaskClient]) -> None:
    one, other = make_worker(), make_worker()

    assert statuses(one, "192.0.2.1", LIMIT - 1) == [200] * (LIMIT - 1)
    assert statuses(other, "192.0.2.1", 2) == [200, 429]
    assert statuses(one, "192.0.2.1", 1) == [429]
    assert statuses(one, "192.0.2.2", 1) == [200]


@pytest.mark.parametrize("trouble", [Mode.DROP, Mode.BLACKHOLE])
def test_with_redis_away_requests_pass_at_once_and_are_counted_by_each_worker(
    make_worker: Callable[[], FlaskClient], redis_proxy: TcpProxy, trouble: Mode
) -> None:
    worker = make_worker()
    address = f"192.0.2.{10 + trouble.value}"
    assert statuses(worker, address, 1) == [200]

    redis_proxy.switch(trouble)
    started = time.monotonic()
    seen = statuses(worker, address, LIMIT + 2)

    assert seen == [200] * LIMIT + [429] * 2
    # Each look at a Redis that hangs takes 0.2 s, and after the first there is but one now and then.
    assert time.monotonic() - started < 2


def test_when_redis_is_back_it_counts_again(make_worker: Callable[[], FlaskClient], redis_proxy: TcpProxy) -> None:
    one, other = make_worker(), make_worker()
    redis_proxy.switch(Mode.DROP)
    assert statuses(one, "192.0.2.30", 2) == [200, 200]

    redis_proxy.switch(Mode.PASS)

    def counted_together() -> bool:
        address = f"192.0.3.{time.monotonic_ns() % 250}"
        return statuses(one, address, LIMIT) + statuses(other, address, 1) == [200] * LIMIT + [429]

    deadline = time.monotonic() + 15
    while not counted_together():
        assert time.monotonic() < deadline
        time.sleep(0.2)
