"""A backup is restored in the place of what is there while the application serves: nobody sees or changes a half of it."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from tests.contract.calls import create_project
from tests.harness.backup_world import answers, fill, running_app
from tests.harness.whole_app import wait_for
from tests.integration.test_backups import archives, done


@pytest.fixture(params=["with a cache", "without a cache"])
def app(request: pytest.FixtureRequest, mongodb_uri: str, redis_url: str, tmp_path: Path) -> Iterator[Flask]:
    """An application that has been serving for a while, with a cache and without."""
    settings: dict[str, Any] = {"redis_url": redis_url} if request.param == "with a cache" else {}
    with running_app(mongodb_uri, f"test_{secrets.token_hex(6)}", tmp_path, **settings) as app:
        yield app


@pytest.fixture
def operator(app: Flask, mongodb_uri: str, tmp_path: Path) -> Iterator[Flask]:
    """The same application in another process, where the commands run."""
    with running_app(mongodb_uri, app.config["PROJECTAPI"].mongodb_database, tmp_path) as operator:
        yield operator


def test_who_works_meanwhile_is_asked_to_come_back(app: Flask, operator: Flask) -> None:
    # Given an application that serves, and a restore that has begun with emptying
    client = app.test_client()
    ids = fill(client, 3, videos=0)
    answers(client, ids)
    done(operator, "create")
    name = app.config["PROJECTAPI"].mongodb_database
    target = operator.extensions["projectapi"].backups._target_of(name)
    target.begin("projectapi.zip", {})

    # When it is asked for anything, cached before or not, or to keep something
    tried = [
        client.get(f"/projects/{ids[0]}"),
        client.get("/projects"),
        client.get(f"/timeline/{ids[1]}/history"),
        client.get(f"/transcriptions/{ids[0]}"),
        client.put(f"/timeline/{ids[0]}", json={"timeline_state": {}}),
        client.post("/projects", json={"name": "New"}),
    ]

    # Then it says why not, and when to ask again, and has kept nothing
    assert {(answer.status_code, answer.get_json()["code"]) for answer in tried} == {(503, "restore_under_way")}
    assert {answer.headers["Retry-After"] for answer in tried} == {"60"}
    assert not target.has_documents([])

    # And works again, on what there is, when the restore is done
    target.finish()
    assert client.get("/projects").get_json()["data"] == []
    assert create_project(client, "New")


def test_readers_see_all_of_it_or_are_asked_to_come_back(app: Flask, operator: Flask) -> None:
    ids = fill(app.test_client(), 30, videos=1)
    done(operator, "create", "--videos")
    before = answers(app.test_client(), ids)
    present = [project_id for project_id in ids if before[f"/projects/{project_id}"][0] == 200]
    stop = threading.Event()
    seen: list[tuple[int, str]] = []

    def read() -> None:
        client = app.test_client()
        while not stop.is_set():
            for project_id in present:
                answer = client.get(f"/projects/{project_id}/debug")
                seen.append((answer.status_code, answer.get_json().get("code", "")))

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    wait_for(lambda: len(seen) > len(ids), 60, "the readers to begin")

    done(operator, "restore", archives(operator)[0].name, "--force")

    read_before = len(seen)
    wait_for(lambda: len(seen) > read_before + 4 * len(ids), 60, "the readers to go on")
    stop.set()
    for reader in readers:
        reader.join()
    assert {answer for answer in seen if answer[0] != 200} == {(503, "restore_under_way")}
    assert answers(app.test_client(), ids) == before
