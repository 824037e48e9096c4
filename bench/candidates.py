"""Who is measured, and how each is started: one worker process, under the same settings of gunicorn where that runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.dialects import ConstantDialect, Dialect, EveDialect, ProjectapiDialect
from bench.processes import HOST, ROOT, Running, free_port, running
from projectapi.devstack.servers import MONGODB, REDIS, EmbeddedServer

THREADS = 4


@dataclass(frozen=True)
class Servers:
    """The two servers that all candidates share, and a folder for logs and files."""

    folder: Path
    mongodb: EmbeddedServer
    redis: EmbeddedServer
    initialised: set[str] = field(default_factory=set)

    def mongodb_uri(self, port: int | None = None) -> str:
        """Return the connection string, with the same durability for everybody; `port` may be a proxy's."""
        return f"mongodb://{HOST}:{port or self.mongodb.port}/?w=majority&journal=true&directConnection=true"


@contextmanager
def servers(folder: Path) -> Iterator[Servers]:
    """Run both servers on data in `folder`."""
    mongodb, redis = EmbeddedServer(MONGODB, folder), EmbeddedServer(REDIS, folder)
    try:
        mongodb.start()
        redis.start()
        mongodb.wait_until_ready()
        redis.wait_until_ready()
        yield Servers(folder, mongodb, redis)
    finally:
        mongodb.stop()
        redis.stop()


@dataclass(frozen=True)
class Candidate:
    """Somebody to measure; `name` is the table's column, `is_limit` says that it stores nothing."""

    name: str
    application: str
    dialect: Dialect
    runs_on_uvicorn: bool = False
    is_limit: bool = False
    has_cache: bool = True

    @property
    def database(self) -> str:
        """Return the name of its own database."""
        return "bench_" + self.name.lower().replace(" ", "_")

    @contextmanager
    def run(self, servers: Servers, *, cached: bool, mongodb_port: int | None = None) -> Iterator[Running]:
        """Run it, with Redis or without, on MongoDB or on what listens for it at `mongodb_port`."""
        port = free_port()
        environment = {
            **_ENVIRONMENT,
            "MONGODB_URI": servers.mongodb_uri(mongodb_port),
            "MONGODB_DATABASE": self.database,
            "REDIS_URL": servers.redis.uri if cached else "",
            "MEDIA_DIR": str(servers.folder / "media"),
            "INSTANCE_DIR": str(servers.folder),
        }
        if self is PROJECTAPI and self.database not in servers.initialised:
            _initialise_database(environment)
            servers.initialised.add(self.database)
        with running(self._command(port), port, servers.folder / f"{self.database}-{port}.log", environment) as application:
            yield application

    def _command(self, port: int) -> list[str]:
        if self.runs_on_uvicorn:
            quiet = ["--log-level", "warning", "--no-access-log"]
            return ["uvicorn", self.application, "--host", HOST, "--port", str(port), *quiet]
        # A worker that is replaced in between would take its CPU time with it.
        config = ROOT / ("gunicorn.conf.py" if self is PROJECTAPI else "bench/gunicorn_conf.py")
        settings = ["--config", str(config), "--bind", f"{HOST}:{port}", "--max-requests", "0"]
        return ["gunicorn", *settings, self.application]


_ENVIRONMENT: Mapping[str, str] = {
    "APP_ENV": "production",
    "SECRET_KEY": "only-for-the-benchmark",
    "WEB_CONCURRENCY": "1",
    "WEB_THREADS": str(THREADS),
    "PYTHONPATH": str(ROOT),
}

PROJECTAPI = Candidate("projectapi", "wsgi:app", ProjectapiDialect())
FASTAPI = Candidate("FastAPI", "bench.peers.fastapi_redis:app", Dialect(), runs_on_uvicorn=True)
FLASK = Candidate("Flask memoize", "bench.peers.flask_memoize:app", Dialect())
EVE = Candidate("Eve", "bench.peers.eve_app:app", EveDialect(), has_cache=False)
FLASK_CONSTANT = Candidate("Flask constant", "bench.limits:flask_app", ConstantDialect(), is_limit=True)
WSGI_CONSTANT = Candidate("WSGI constant", "bench.limits:wsgi_app", ConstantDialect(), is_limit=True)

CANDIDATES = (PROJECTAPI, FASTAPI, FLASK, EVE, FLASK_CONSTANT, WSGI_CONSTANT)


def _initialise_database(environment: Mapping[str, str]) -> None:
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "db", "init"]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"flask db init failed: {done.stderr[-500:]}")
