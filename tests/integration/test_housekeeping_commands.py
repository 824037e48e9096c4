"""The commands of people who run projectapi: `flask db` and `flask trash`."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask
from pymongo import MongoClient

from config import Config
from projectapi import create_app
from projectapi.project import SCHEMA_VERSION
from tests.harness.housekeeping_world import World


@pytest.fixture
def app(mongodb_uri: str, tmp_path: Path) -> Iterator[Flask]:
    """An application with a database of its own."""
    name = f"test_{secrets.token_hex(6)}"
    config = Config(
        app_env="testing", mongodb_uri=mongodb_uri, mongodb_database=name, media_dir=tmp_path / "media", log_level="ERROR"
    )
    with MongoClient(mongodb_uri, tz_aware=True) as client:
        app = create_app(config, mongo_client=client)
        yield app
        client.drop_database(name)


@pytest.fixture
def world(app: Flask, mongodb_uri: str, tmp_path: Path) -> Iterator[World]:
    """The same database and media folder, set up."""
    with MongoClient(mongodb_uri, tz_aware=True) as client:
        world = World(client[app.config["PROJECTAPI"].mongodb_database], tmp_path / "media")
        world.schema.set_up()
        yield world


def run(app: Flask, *words: str) -> Result:
    return app.test_cli_runner().invoke(args=words)


def lines(result: Result) -> list[str]:
    return [" ".join(line.split()) for line in result.output.splitlines() if line.strip()]


def test_status_tells_what_to_do_and_then_that_it_is_done(app: Flask) -> None:
    before = run(app, "db", "status")
    assert (before.exit_code, lines(before)[-1]) == (1, "Run `flask db init`.")

    assert run(app, "db", "init").exit_code == 0

    after = run(app, "db", "status")
    assert after.exit_code == 0
    assert lines(after) == [
        f"schema version of the code {SCHEMA_VERSION}",
        f"of the database {SCHEMA_VERSION}",
        "collection documents oldest shape newest shape to migrate validator indexes",
        "projects 0 - - 0 in place in place",
        "timeline_states 0 - - 0 in place in place",
        "idempotency_keys 0 - - 0 in place in place",
        "jobs 0 - - 0 in place in place",
        "Everything is in place.",
    ]


def test_a_database_newer_than_the_code_is_refused_in_one_sentence(app: Flask, world: World) -> None:
    world.database["metadata"].update_one({"_id": "main"}, {"$set": {"schemaVersion": 99}})

    status = run(app, "db", "status")
    assert (status.exit_code, lines(status)[-1][:51]) == (1, "The database is newer than this version of projecta")
    for command in ("init", "migrate"):
        refused = run(app, "db", command)
        assert refused.exit_code == 1
        assert "The database has schema version 99 and this version of projectapi knows only" in refused.output


def test_the_api_refuses_to_work_on_a_database_newer_than_the_code(app: Flask, world: World) -> None:
    world.database["metadata"].update_one({"_id": "main"}, {"$set": {"schemaVersion": 99}})

    answer = app.test_client().get("/projects/")

    assert (answer.status_code, answer.get_json()["code"]) == (503, "database_too_new")
    assert app.test_client().get("/health").status_code == 200


@pytest.mark.usefixtures("world")
def test_migrate_says_how_many_documents_it_upgraded(app: Flask) -> None:
    assert lines(run(app, "db", "migrate", "--dry-run")) == [
        "projects 0 would be upgraded to schema version 1",
        "timeline_states 0 would be upgraded to schema version 1",
    ]
    assert lines(run(app, "db", "migrate"))[0] == "projects 0 upgraded to schema version 1"


def test_a_sweep_reports_in_counts_and_a_dry_run_says_the_same_before(app: Flask, world: World) -> None:
    project_id = world.create()
    world.add_video(project_id)
    for number in range(4):
        world.save(project_id, number, ago=timedelta(days=400, seconds=-number))
    stray = world.media / "videos" / "00000000-0000-4000-8000-000000000000.mp4"
    stray.write_bytes(b"film")
    os.utime(stray, (time.time() - 90_000,) * 2)
    expected = [
        "projects looked at 1",
        "versions taken from history 2",
        "revisions deleted that nothing points to 0",
        "revisions deleted that have no project 0",
        "revisions marked that have no project, to go in an hour 0",
        "files deleted that no project names 1",
    ]

    assert lines(run(app, "db", "sweep", "--dry-run")) == ["What would be done:", *expected]
    assert stray.exists()
    assert lines(run(app, "db", "sweep")) == ["Done:", *expected]
    assert not stray.exists()
    assert world.history(project_id).keys() == {1, 4}


def test_how_much_history_a_sweep_leaves_is_a_setting(app: Flask, world: World, mongodb_uri: str) -> None:
    settings = app.config["PROJECTAPI"]
    project_id = world.create()
    for number in range(4):
        world.save(project_id, number, ago=timedelta(days=400, seconds=-number))
    patient = Config(
        app_env="testing",
        mongodb_uri=mongodb_uri,
        mongodb_database=settings.mongodb_database,
        media_dir=settings.media_dir,
        history_keep_all_hours=24 * 500,
    )
    with MongoClient(mongodb_uri, tz_aware=True) as client:
        assert run(create_app(patient, mongo_client=client), "db", "sweep").exit_code == 0

    assert world.history(project_id).keys() == {1, 2, 3, 4}


def test_the_trash_is_listed_restored_and_purged(app: Flask, world: World) -> None:
    holiday, wedding = world.create("Holiday", "ann"), world.create("Wedding", "bob")
    world.add_video(wedding)
    world.save(wedding, 1)
    world.delete(holiday, ago=timedelta(days=40))
    world.delete(wedding, ago=timedelta(days=35))

    listed = lines(run(app, "trash", "list"))
    assert listed[0] == "id deleted (UTC) video owner name"
    assert [line.split()[0] for line in listed[1:3]] == [holiday, wedding]
    assert listed[1].endswith("none ann Holiday")
    assert listed[3] == "2 projects in the trash."
    assert lines(run(app, "trash", "list", "--owner", "bob"))[-1] == "1 project in the trash."

    assert lines(run(app, "trash", "restore", holiday)) == [f"{holiday} is back."]
    assert lines(run(app, "trash", "purge", "--older-than", "36d")) == [
        "Removed for ever: 0 projects, 0 revisions, 0 videos."
    ]
    would = run(app, "trash", "purge", "--older-than", "30d", "--dry-run")
    assert lines(would) == ["Would be removed: 1 project, 1 revision, 1 video."]
    assert lines(run(app, "trash", "purge", "--older-than", "30d")) == ["Removed for ever: 1 project, 1 revision, 1 video."]
    assert lines(run(app, "trash", "list")) == ["0 projects in the trash."]
    assert [project["name"] for project in world.projects.find()] == ["Holiday"]


@pytest.mark.usefixtures("world")
def test_what_is_not_in_the_trash_cannot_be_restored(app: Flask) -> None:
    refused = run(app, "trash", "restore", "nothing")

    assert refused.exit_code == 1
    assert "nothing was not restored; is it in `flask trash list`? Project not found" in refused.output


@pytest.mark.parametrize("age", ["30", "d", "-1d", "1w", "1.5d", "999999d", "٣٠d", ""])
def test_an_age_that_is_none_removes_nothing(app: Flask, world: World, age: str) -> None:
    world.delete(world.create(), ago=timedelta(days=400))

    refused = run(app, "trash", "purge", "--older-than", age)

    assert refused.exit_code == 2
    assert "days as in 30d or hours as in 12h are allowed" in " ".join(refused.output.split())
    assert world.projects.count_documents({}) == 1


@pytest.mark.parametrize("age", ["0d", "12h", "399d", "99999h"])
def test_an_age_is_given_in_days_or_hours(app: Flask, world: World, age: str) -> None:
    world.delete(world.create(), ago=timedelta(days=400))

    removed = run(app, "trash", "purge", "--older-than", age).output

    assert removed.startswith("Removed for ever: 0" if age == "99999h" else "Removed for ever: 1")


def test_a_purge_without_an_age_is_refused(app: Flask) -> None:
    assert run(app, "trash", "purge").exit_code == 2
