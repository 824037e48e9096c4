"""The cache while the house is kept: commands and imports announce what they write, as every request does."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from pymongo import MongoClient
from pymongo.database import Database

from projectapi.project import now
from tests.contract.calls import create_project, history, save
from tests.contract.shapes import assert_success
from tests.contract.timelines import make_state
from tests.harness.backup_world import running_app
from tests.harness.whole_app import wait_for

ANNA = {"X-User-Id": "anna"}
TRASH = "/projects?deleted=true"


@pytest.fixture
def database(mongodb_uri: str) -> Iterator[Database[dict[str, Any]]]:
    """The database of the application, to be edited by hand."""
    with MongoClient[dict[str, Any]](mongodb_uri, tz_aware=True) as client:
        yield client[f"test_{secrets.token_hex(6)}"]


@pytest.fixture
def app(mongodb_uri: str, redis_url: str, database: Database[dict[str, Any]], tmp_path: Path) -> Iterator[Flask]:
    """An application with a database of its own, and a cache."""
    with running_app(mongodb_uri, database.name, tmp_path, redis_url=redis_url) as app:
        yield app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A client of the application."""
    return app.test_client()


def run(app: Flask, *command: str) -> None:
    """Run a command of `flask`."""
    result = app.test_cli_runner().invoke(args=command)
    assert result.exit_code == 0, result.output


def cached(client: FlaskClient, path: str) -> Any:
    """Return what the cache has at `path`."""

    def hit() -> Any:
        answer = client.get(path, headers=ANNA)
        return answer if answer.headers["X-Cache"] == "HIT" else None

    return wait_for(hit, 10.0, f"{path} to come from the cache").get_json()["data"]


def outdate_a_document(database: Database[dict[str, Any]], project_id: str) -> None:
    older = {"$set": {"schemaVersion": 0}}
    database["projects"].update_one({"projectId": project_id}, older, bypass_document_validation=True)


def make_history_old(database: Database[dict[str, Any]], project_id: str) -> None:
    long_ago = now() - timedelta(days=900)
    for version in (1, 2, 3):
        at = {"createdAt": long_ago + timedelta(seconds=version), "updatedAt": long_ago}
        database["timeline_states"].update_one({"projectId": project_id, "version": version}, {"$set": at})


WRITING: dict[str, tuple[Callable[[Database[dict[str, Any]], str], None], tuple[str, str]]] = {
    "migrations": (outdate_a_document, ("db", "migrate")),
    "the sweep": (make_history_old, ("db", "sweep")),
}


@pytest.mark.parametrize("command", WRITING)
def test_a_command_that_writes_to_a_project_makes_everything_that_is_cached_of_it_outdated(
    app: Flask, client: FlaskClient, database: Database[dict[str, Any]], command: str
) -> None:
    # Given a project in the cache, and a change of it of which the cache knows nothing
    make_due, arguments = WRITING[command]
    project_id = create_project(client, "Holiday", **ANNA)
    for number in (1, 2, 3, 4):
        save(client, project_id, make_state(zoom=number))
    paths = [f"/projects/{project_id}", f"/timeline/{project_id}/history", "/projects/"]
    for path in paths:
        cached(client, path)
    database["projects"].update_one({"projectId": project_id}, {"$set": {"name": "By hand"}})
    make_due(database, project_id)
    assert client.get(paths[0]).get_json()["data"]["name"] == "Holiday"

    # When a command has work to do on it
    run(app, *arguments)

    # Then every read sees what the database holds
    assert client.get(paths[0]).get_json()["data"]["name"] == "By hand"
    assert [found["name"] for found in client.get(paths[2], headers=ANNA).get_json()["data"]] == ["By hand"]
    versions = len(history(client, project_id))
    assert versions == database["timeline_states"].count_documents({"projectId": project_id, "discardedAt": {"$exists": False}})
    assert (versions < 4) is (command == "the sweep")


def test_the_trash_is_seen_as_it_is_after_every_command(app: Flask, client: FlaskClient) -> None:
    # Given two projects in the trash, which everybody looks at
    ids = [create_project(client, name, **ANNA) for name in ("one", "two")]
    for project_id in ids:
        assert_success(client.delete(f"/projects/{project_id}"))
    assert len(cached(client, TRASH)) == 2
    assert cached(client, "/projects/") == []

    # When one of them is brought back
    run(app, "trash", "restore", ids[0])

    # Then it is among the projects and not in the trash
    assert assert_success(client.get(f"/projects/{ids[0]}"))["name"] == "one"
    assert [found["name"] for found in cached(client, "/projects/")] == ["one"]
    assert [found["name"] for found in cached(client, TRASH)] == ["two"]

    # And when the trash is emptied, it is empty
    run(app, "trash", "purge", "--older-than", "0h")
    assert client.get(TRASH, headers=ANNA).get_json()["data"] == []


def test_an_imported_project_is_in_the_list_at_once(client: FlaskClient) -> None:
    project_id = create_project(client, "Holiday", **ANNA)
    with client.get(f"/projects/{project_id}/export", headers=ANNA) as exported:
        bundle = exported.get_data()
    assert len(cached(client, "/projects/")) == 1

    answer = client.post("/projects/import", data=bundle, content_type="application/zip", headers=ANNA)

    assert answer.status_code == 200, answer.get_data()
    assert len(client.get("/projects/", headers=ANNA).get_json()["data"]) == 2
