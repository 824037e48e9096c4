"""Two servers, and the application on them as often as a test needs it, each time in other circumstances.

The passwords in the connection strings, and the words in what is saved, are marks: no log may show them.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import platform
import signal
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pymongo

from projectapi.devstack.servers import MONGODB, REDIS, Kind
from tests.harness.killable import GunicornApp, KillableServer, running
from tests.harness.tcp_proxy import TcpProxy

MONGODB_PASSWORD = "Mondgeheimnis"
REDIS_PASSWORD = "Rotgeheimnis"
MEDIA_DISK_BYTES = 8 << 20
_MONGODB_USER = "faultuser"


def can_have_wrong_clocks() -> bool:
    """Tell whether this system is the one that the library which turns clocks was built for."""
    return sys.platform == "linux" and platform.machine() == "x86_64"


def _with_password(kind: Kind) -> Kind:
    def command(port: int, folder: Path) -> list[str]:
        return [*kind.command(port, folder), "--requirepass", REDIS_PASSWORD]

    uri = kind.uri.replace("://", f"://:{REDIS_PASSWORD}@")
    question = f"AUTH {REDIS_PASSWORD}\r\n".encode() + kind.question
    return dataclasses.replace(kind, command=command, uri=uri, question=question)


def _with_fail_points(kind: Kind) -> Kind:
    return dataclasses.replace(kind, command=lambda port, folder: [*kind.command(port, folder), "--enable-test-commands"])


class World:
    """The servers run from entering the block to leaving it; so do the applications, each from when it is first asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.mongodb = KillableServer(_with_fail_points(MONGODB), folder)
        self.redis = KillableServer(_with_password(REDIS), folder)
        self.clock_file = folder / "clock"
        self._apps: dict[str, GunicornApp] = {}
        self._stack = ExitStack()

    def __enter__(self) -> World:
        with ExitStack() as stack:
            stack.enter_context(running(self.mongodb))
            stack.enter_context(running(self.redis))
            with pymongo.MongoClient[dict[str, Any]](self.mongodb.uri) as client:
                client["admin"].command("createUser", _MONGODB_USER, pwd=MONGODB_PASSWORD, roles=["root"])
            self.mongodb_proxy = stack.enter_context(TcpProxy(self.mongodb.port))
            self.redis_proxy = stack.enter_context(TcpProxy(self.redis.port))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        # All at once first: each takes seconds to end.
        for app in self._apps.values():
            app.signal_master(signal.SIGTERM)
        self._stack.close()

    @property
    def app(self) -> GunicornApp:
        """The application with two workers, tied to the servers directly."""
        return self.started("plain")

    @property
    def far_app(self) -> GunicornApp:
        """One that reaches both servers through the proxies."""
        return self.started("far", mongodb_port=self.mongodb_proxy.port, redis_port=self.redis_proxy.port)

    @property
    def half_far_app(self) -> GunicornApp:
        """One with a single worker that reaches Redis, and only Redis, through the proxy."""
        return self.started("half far", redis_port=self.redis_proxy.port, workers=1)

    @property
    def small_disk_app(self) -> GunicornApp:
        """One whose media folder is a file system of a few MiB."""
        return self.started("small disk", media_disk_bytes=MEDIA_DISK_BYTES, DISK_RESERVE_BYTES="0")

    @property
    def wrong_clock_app(self) -> GunicornApp:
        """One whose wall clock is off by what `set_clock` said; its monotonic clock is right."""
        found = importlib.util.find_spec("libfaketime")
        assert found is not None and found.origin is not None
        library = next(Path(found.origin).parent.rglob("libfaketime.so.1"))
        environment = {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self.clock_file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }
        if not self.clock_file.exists():
            self.set_clock(0)
        return self.started("wrong clock", **environment)

    def set_clock(self, seconds: int) -> None:
        """Have the wrong clock show the time in so many seconds; negative ones are in the past."""
        new = self.clock_file.with_suffix(".new")
        new.write_text(f"{seconds:+d}\n")
        new.replace(self.clock_file)

    def started(
        self, name: str, *, mongodb_port: int = 0, redis_port: int = 0, workers: int = 2, **options: Any
    ) -> GunicornApp:
        """Return the application of this name; the ports, where given, are those of proxies."""
        if name not in self._apps:
            first = not self._apps
            app = GunicornApp(
                self.folder / f"app {name}",
                mongodb_uri=self._mongodb_uri(mongodb_port),
                redis_url=self.redis.kind.uri.format(port=redis_port or self.redis.port),
                workers=workers,
                **{"LOG_LEVEL": "DEBUG", **options},
            )
            if first:
                app.release()
            self._stack.enter_context(running(app))
            self._apps[name] = app
        return self._apps[name]

    def logs(self) -> dict[str, str]:
        """Return what each application has logged, by its name."""
        return {name: app.log.read_text() for name, app in self._apps.items()}

    def _mongodb_uri(self, port: int) -> str:
        place = f"{_MONGODB_USER}:{MONGODB_PASSWORD}@127.0.0.1:{port or self.mongodb.port}"
        # Else the driver would go to the address that the server says it has, past the proxy.
        return f"mongodb://{place}/?authSource=admin" + ("&directConnection=true" if port else "")
