"""Worlds to clear up in."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mongomock
import pytest
from pymongo import MongoClient
from pymongo.database import Database

from tests.harness.housekeeping_world import World


@pytest.fixture
def wire_database(mongodb_uri: str) -> Iterator[Database[dict[str, Any]]]:
    """An empty database of a test's own on a real server."""
    with MongoClient[dict[str, Any]](mongodb_uri, tz_aware=True, w="majority", journal=True) as client:
        name = f"test_{secrets.token_hex(6)}"
        yield client[name]
        client.drop_database(name)


@pytest.fixture
def wire_world(wire_database: Database[dict[str, Any]], tmp_path: Path) -> World:
    """A world on a real server, set up with validators and indexes."""
    world = World(wire_database, tmp_path / "media")
    world.schema.set_up()
    return world


@pytest.fixture
def light_world(tmp_path: Path) -> World:
    """A world in memory."""
    client: Any = mongomock.MongoClient(tz_aware=True)
    return World(client["test"], tmp_path / "media")


@pytest.fixture(params=["light", "wire"])
def world(request: pytest.FixtureRequest) -> World:
    """The same world, once in memory and once on a real server."""
    found: World = request.getfixturevalue(f"{request.param}_world")
    return found
