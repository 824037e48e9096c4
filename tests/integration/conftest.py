"""gunicorn on a database that a test can make slow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.harness.killable import GunicornApp, running, set_up_database
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
