"""Real servers and real applications for the tests; each fixture says how long it lives."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mongomock
import pytest
from flask import Flask
from flask.testing import FlaskClient

from config import Config
from projectapi import create_app
from projectapi.devstack.servers import MONGODB, REDIS, EmbeddedServer, Kind
from projectapi.protocols import Backend, Recogniser


@pytest.fixture(autouse=True)
def fresh_logging() -> None:
    """Let each test meet the log as a new process does: an application that was made before has set it up for itself."""
    logger = logging.getLogger("projectapi")
    logger.handlers.clear()
    logger.propagate = True
    logger.setLevel(logging.NOTSET)


AppMaker = Callable[..., Flask]


def _running(kind: Kind, folder: Path) -> Iterator[str]:
    server = EmbeddedServer(kind, folder)
    server.start()
    try:
        server.wait_until_ready()
        yield server.uri
    finally:
        server.stop()


@pytest.fixture(scope="session")
def mongodb_uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A MongoDB wire server of this test process, over TCP."""
    yield from _running(MONGODB, tmp_path_factory.mktemp("mongodb"))


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Redis server of this test process, over TCP."""
    yield from _running(REDIS, tmp_path_factory.mktemp("redis"))


@pytest.fixture(scope="session")
def app(mongodb_uri: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """The application on real servers, set up as `flask db init` does; tests share it and make their own projects."""
    config = Config(
        app_env="testing",
        mongodb_uri=mongodb_uri,
        redis_url=redis_url,
        media_dir=tmp_path_factory.mktemp("media"),
        max_upload_bytes=20 * 2**20,
        speech="off",
    )
    app = create_app(config)
    app.extensions["projectapi"].schema.set_up()
    yield app
    app.extensions["projectapi"].close()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A client of the application on real servers."""
    return app.test_client()


@pytest.fixture
def make_app(tmp_path: Path) -> Iterator[AppMaker]:
    """Make applications over a database in memory, each with the settings that a test names, and perhaps a recogniser."""
    made: list[Flask] = []

    def make(*, recogniser: Recogniser | None = None, **settings: Any) -> Flask:
        defaults = {
            "app_env": "testing",
            "mongodb_uri": "mongodb://unused/",
            "media_dir": tmp_path / "media",
            "speech": "off",
        }
        config = Config(**{**defaults, **settings})
        app = create_app(config, mongo_client=mongomock.MongoClient(tz_aware=True), recogniser=recogniser)
        made.append(app)
        return app

    yield make
    for app in made:
        app.extensions["projectapi"].close()


@pytest.fixture
def light_app(make_app: AppMaker) -> Flask:
    """The application over a database in memory, for what does not depend on a real one."""
    return make_app()


@pytest.fixture
def light_client(light_app: Flask) -> FlaskClient:
    """A client of the application over a database in memory."""
    return light_app.test_client()


@pytest.fixture
def backend(app: Flask) -> Backend:
    """The parts of the application on real servers."""
    backend = app.extensions["projectapi"]
    assert isinstance(backend, Backend)
    return backend
