"""Servers that a test can take away, gunicorn on a database that a test can make slow, and rooms for videos."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask.testing import FlaskClient
from pymongo import MongoClient

from config import Config
from projectapi import create_app
from projectapi.media import MediaRoom
from projectapi.project import Video
from tests.harness.failing_server import failing_server
from tests.harness.killable import GunicornApp, running, set_up_database
from tests.harness.outages import ClientMaker, Servers, running_servers
from tests.harness.stores import connect
from tests.harness.tcp_proxy import Mode, TcpProxy

SLOW_SECONDS = 0.4
"""How much later each message between the application and the database arrives when it is slow."""

Served = Callable[..., GunicornApp]


@pytest.fixture(scope="module")
def database_proxy(mongodb_uri: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TcpProxy]:
    """What stands between the applications of a module and their database."""
    set_up_database(mongodb_uri, redis_url, tmp_path_factory.mktemp("media"))
    port = urlsplit(mongodb_uri).port
    assert port is not None
    with TcpProxy(port, delay_seconds=SLOW_SECONDS) as proxy:
        yield proxy


@pytest.fixture
def slow_database(database_proxy: TcpProxy) -> Iterator[Callable[[], None]]:
    """Make the database slow, until the test ends."""
    yield lambda: database_proxy.switch(Mode.DELAY)
    database_proxy.switch(Mode.PASS)


@pytest.fixture
def serve(database_proxy: TcpProxy, redis_url: str, tmp_path: Path) -> Iterator[Served]:
    """Start the application under gunicorn as the Procfile does, with the settings that a test names."""
    with ExitStack() as running_apps:

        def start(*, workers: int = 1, **settings: str) -> GunicornApp:
            uri = f"mongodb://127.0.0.1:{database_proxy.port}/?directConnection=true"
            app = GunicornApp(tmp_path / "app", mongodb_uri=uri, redis_url=redis_url, workers=workers, **settings)
            running_apps.enter_context(running(app))
            return app

        yield start


@pytest.fixture(scope="session")
def both_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """The two servers that all tests of outages share."""
    with running_servers(tmp_path_factory.mktemp("outages")) as servers:
        yield servers


@pytest.fixture
def servers(both_servers: Servers) -> Servers:
    """Both servers, running, whatever the test before did to them."""
    both_servers.bring_back()
    return both_servers


@pytest.fixture
def make_client(servers: Servers) -> Iterator[ClientMaker]:
    """Make clients of applications on these servers, with the settings that a test names."""
    with ExitStack() as stack:

        def make(**settings: Any) -> FlaskClient:
            uris = {"mongodb_uri": servers.mongodb.uri, "redis_url": servers.redis.uri}
            app = create_app(Config(**{"app_env": "testing", "media_dir": servers.media_dir, **uris, **settings}))
            stack.callback(app.extensions["projectapi"].close)
            return app.test_client()

        yield make
        # A client of a database that is away takes seconds to close.
        servers.mongodb.thaw_or_start()


@pytest.fixture(scope="session")
def failing_uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A MongoDB wire server that fails where it is told to."""
    with failing_server(tmp_path_factory.mktemp("failing")) as uri:
        yield uri


@pytest.fixture(scope="session")
def admin(failing_uri: str) -> Iterator[MongoClient[dict[str, Any]]]:
    """A client that tells that server where to fail."""
    with connect(failing_uri) as client:
        yield client


@pytest.fixture
def room(tmp_path: Path) -> MediaRoom:
    """A media folder of the test's own, with the tools that work in it."""
    return MediaRoom(tmp_path / "media", 2**30)


@pytest.fixture
def upload(room: MediaRoom) -> Callable[..., Video]:
    """Put a video into the room and return its record."""

    def send(content: bytes | Path, name: str = "video.mp4") -> Video:
        content = content.read_bytes() if isinstance(content, Path) else content
        with room.receive(len(content)) as part:
            part.write(content)
            return room.accept(part, name)

    return send
