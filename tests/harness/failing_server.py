"""A MongoDB wire server over TCP that fails where it is told to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from pymongo import MongoClient

from projectapi.devstack.servers import MONGODB, EmbeddedServer

ALL_COMMANDS = ("find", "aggregate", "insert", "update", "delete", "findAndModify", "count", "distinct", "getMore")


@contextmanager
def failing_server(folder: Path) -> Iterator[str]:
    """Have a server run while the block does, with its data under `folder`; yield its connection string."""

    def command(port: int, data: Path) -> list[str]:
        return [*MONGODB.command(port, data), "--enable-test-commands"]

    embedded = EmbeddedServer(replace(MONGODB, command=command), folder)
    embedded.start()
    try:
        embedded.wait_until_ready()
        yield embedded.uri
    finally:
        embedded.stop()


@contextmanager
def failing(admin: MongoClient[dict[str, Any]], command: str | Sequence[str], mode: Any, **how: Any) -> Iterator[None]:
    """Let the server fail the next calls of a command, or of several."""
    commands = [command] if isinstance(command, str) else list(command)
    fail_point = {"configureFailPoint": "failCommand", "mode": mode, "data": {"failCommands": commands, **how}}
    admin.admin.command(fail_point)
    try:
        yield
    finally:
        admin.admin.command({"configureFailPoint": "failCommand", "mode": "off"})
