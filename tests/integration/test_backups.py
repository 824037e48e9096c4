"""Backups: everything is in them, nothing damaged passes for whole, and restoring may be killed anywhere."""

from __future__ import annotations

import os
import random
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask

from tests.harness.backup_world import answers, fill, running_app

PROJECTS = int(os.environ.get("BACKUP_PROJECTS", "40"))


def run(app: Flask, *words: str) -> Result:
    return app.test_cli_runner().invoke(args=("backup", *words))


def done(app: Flask, *words: str) -> str:
    result = run(app, *words)
    assert result.exit_code == 0, result.output
    return result.output


def archives(app: Flask) -> list[Path]:
    folder: Path = app.config["PROJECTAPI"].backup_dir
    return sorted(folder.glob("*.zip"))


@pytest.fixture
def app(mongodb_uri: str, tmp_path: Path) -> Iterator[Flask]:
    """An application with a database and folders of its own."""
    with running_app(mongodb_uri, f"test_{secrets.token_hex(6)}", tmp_path) as app:
        yield app


def drop(app: Flask) -> None:
    """Lose the database and all videos."""
    backend = app.extensions["projectapi"]
    settings = app.config["PROJECTAPI"]
    backend.backups._target_of(settings.mongodb_database)._database.client.drop_database(settings.mongodb_database)
    shutil.rmtree(settings.media_dir, ignore_errors=True)


def test_what_was_lost_comes_back_byte_for_byte(app: Flask) -> None:
    client = app.test_client()
    ids = fill(client, PROJECTS)
    before = answers(client, ids)
    done(app, "create", "--videos")
    drop(app)
    assert client.get(f"/projects/{ids[0]}").status_code == 404

    output = done(app, "restore", str(archives(app)[0]))

    assert f"{PROJECTS} projects" in output
    assert answers(client, ids) == before
    status = app.test_cli_runner().invoke(args=("db", "status"))
    assert (status.exit_code, status.output.splitlines()[-1]) == (0, "Everything is in place.")
