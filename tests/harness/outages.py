"""A database and a cache that tests take away, and applications on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from flask.testing import FlaskClient

from projectapi.devstack.servers import MONGODB, REDIS
from tests.harness.killable import KillableServer, running, set_up_database

ClientMaker = Callable[..., FlaskClient]


@dataclass(frozen=True)
class Servers:
    """A MongoDB that is set up and a Redis, and the folder of the media files."""

    media_dir: Path
    mongodb: KillableServer
    redis: KillableServer

    def bring_back(self) -> None:
        """Have both running, whatever was done to them."""
        for server in (self.redis, self.mongodb):
            server.thaw_or_start()


@contextmanager
def running_servers(folder: Path) -> Iterator[Servers]:
    """Have both servers run while the block does."""
    servers = Servers(folder / "media", KillableServer(MONGODB, folder), KillableServer(REDIS, folder))
    with running(servers.mongodb), running(servers.redis):
        set_up_database(servers.mongodb.uri, servers.redis.uri, servers.media_dir)
        yield servers


def take_away(server: KillableServer, how: str) -> None:
    """Let a server vanish ("killed"), or stand still with its connections open ("frozen")."""
    if how == "killed":
        server.kill()
    else:
        server.freeze()
