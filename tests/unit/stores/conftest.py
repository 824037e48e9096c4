"""The stores that the contract suite runs over."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import mongomock
import pytest

from projectapi.project import new_id
from tests.harness.stores import Stores, connect, open_stores, prepare


def _in_memory(_: pytest.FixtureRequest) -> Iterator[Stores]:
    yield open_stores(prepare(mongomock.MongoClient(tz_aware=True)["projectapi"]))


def _on_a_server(request: pytest.FixtureRequest) -> Iterator[Stores]:
    with connect(request.getfixturevalue("mongodb_uri")) as client:
        yield open_stores(prepare(client[f"stores_{new_id()}"]))


def _behind_the_cache(request: pytest.FixtureRequest) -> Iterator[Stores]:
    app = request.getfixturevalue("app")
    backend = app.extensions["projectapi"]
    with connect(request.getfixturevalue("mongodb_uri")) as client:
        yield Stores(backend.projects, backend.timelines, client[app.config["PROJECTAPI"].mongodb_database])


# One line makes the whole suite run over one more kind of store.
KINDS: dict[str, Callable[[pytest.FixtureRequest], Iterator[Stores]]] = {
    "mongomock": _in_memory,
    "mongodb": _on_a_server,
    "cached": _behind_the_cache,
}


@pytest.fixture(scope="session", params=list(KINDS))
def stores(request: pytest.FixtureRequest) -> Iterator[Stores]:
    """Both stores over each kind of database in turn; tests share it and make their own projects and owners."""
    yield from KINDS[request.param](request)
