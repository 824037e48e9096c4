"""`flask doctor` names what is wrong with an installation, and nothing that must stay secret."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis
from flask import Flask
from pymongo import MongoClient
from pymongo.database import Database

from config import Config
from projectapi import create_app
from projectapi.devstack.servers import MONGODB
from tests.harness.killable import KillableServer, running
from tests.harness.tcp_proxy import Mode, TcpProxy
from tests.harness.whole_app import ROOT, free_port

SECONDS_MAX = 15.0
PASSWORD = "swordfish"


@dataclass(frozen=True)
class Installation:
    """An application with a database of its own, set up, on real servers."""

    app: Flask
    database: Database[dict[str, Any]]

    def doctor(self) -> tuple[int, dict[str, str]]:
        """Return the exit code and each line by the name of what was looked at."""
        done = self.app.test_cli_runner().invoke(args=["doctor"])
        return done.exit_code, lines_of(done.output)


def lines_of(output: str) -> dict[str, str]:
    found = [line for line in output.splitlines() if line[:4].strip() in ("OK", "WARN", "FAIL")]
    return {line[6:20].strip(): f"{line[:4].strip()} {line[22:]}" for line in found}


@pytest.fixture
def installation(mongodb_uri: str, redis_url: str, tmp_path: Path) -> Iterator[Installation]:
    name = f"test_{secrets.token_hex(6)}"
    config = Config(
        app_env="testing",
        mongodb_uri=mongodb_uri,
        redis_url=redis_url,
        mongodb_database=name,
        media_dir=tmp_path / "media",
        log_level="ERROR",
    )
    app = create_app(config)
    app.extensions["projectapi"].schema.set_up()
    with MongoClient[dict[str, Any]](mongodb_uri) as client:
        yield Installation(app, client[name])
        client.drop_database(name)
    app.extensions["projectapi"].close()


def test_a_whole_installation_is_in_order(installation: Installation) -> None:
    exit_code, lines = installation.doctor()

    assert exit_code == 0
    assert list(lines) == [
        *("settings", "connection", "write concern", "connections", "mongodb", "clock", "rights", "indexes", "validators"),
        *("schema version", "redis", "redis eviction", "disk", "videos", "backups", "ffmpeg"),
    ]
    assert {line for line in lines.values() if line.startswith("FAIL")} == set()
    assert "answers in" in lines["mongodb"]
    assert lines["clock"].startswith("OK")
    assert "allkeys-lru" in lines["redis eviction"]
    assert "encodes" in lines["ffmpeg"]


def test_a_missing_index_is_named_with_the_command_that_makes_it(installation: Installation) -> None:
    # given
    installation.database["projects"].drop_index("owner_name")
    # when
    exit_code, lines = installation.doctor()
    # then
    assert (exit_code, lines["indexes"]) == (1, "FAIL missing: projects.owner_name. Run `flask db init`.")
    installation.app.test_cli_runner().invoke(args=["db", "init"])
    assert installation.doctor()[1]["indexes"].startswith("OK")


def test_a_validator_of_somebody_elses_is_a_warning(installation: Installation) -> None:
    # given
    installation.database.command("collMod", "projects", validator={"name": {"$exists": True}})
    # when
    exit_code, lines = installation.doctor()
    # then
    assert exit_code == 0
    assert lines["validators"].startswith("WARN missing or of another version: projects.")


def test_a_database_that_is_newer_than_the_program_fails(installation: Installation) -> None:
    # given
    installation.database["metadata"].update_one({"_id": "main"}, {"$set": {"schemaVersion": 99}})
    # when
    exit_code, lines = installation.doctor()
    # then
    assert exit_code == 1
    assert lines["schema version"].startswith("FAIL the program's is 1, the database's 99. Install the newer version")


def test_a_disk_that_lost_its_mark_fails(installation: Installation) -> None:
    # given
    settings, disk = installation.app.config["PROJECTAPI"], installation.app.extensions["projectapi"].media_disk
    disk.mark_new()
    shutil.rmtree(settings.media_dir)
    # when
    exit_code, lines = installation.doctor()
    # then
    assert (exit_code, lines["videos"][:39]) == (1, "FAIL the disk under MEDIA_DIR was wiped")


def test_a_redis_that_refuses_when_it_is_full_is_a_warning(installation: Installation, redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as server:
        # given
        server.config_set("maxmemory-policy", "noeviction")
        try:
            # when
            exit_code, lines = installation.doctor()
        finally:
            server.config_set("maxmemory-policy", "allkeys-lru")
    # then
    assert exit_code == 0
    assert lines["redis eviction"].startswith("WARN noeviction")
    assert "allkeys-lru" in lines["redis eviction"]


def test_a_mongodb_that_stands_still_is_found_out_in_time(tmp_path: Path, redis_url: str) -> None:
    server = KillableServer(MONGODB, tmp_path)
    with running(server), TcpProxy(server.port) as way:
        uri = f"mongodb://127.0.0.1:{way.port}/?directConnection=true"
        config = Config(app_env="testing", mongodb_uri=uri, redis_url=redis_url, media_dir=tmp_path, log_level="ERROR")
        app = create_app(config)
        app.extensions["projectapi"].schema.set_up()
        # given
        way.switch(Mode.BLACKHOLE)
        # when
        started = time.monotonic()
        done = app.test_cli_runner().invoke(args=["doctor"])
        took = time.monotonic() - started
        app.extensions["projectapi"].close()
    # then
    lines = lines_of(done.output)
    assert done.exit_code == 1
    assert lines["mongodb"].startswith("FAIL MongoDB does not answer")
    assert lines["indexes"].startswith("WARN not looked at, as mongodb failed")
    assert lines["redis"].startswith("OK")
    assert took < SECONDS_MAX


def test_with_everything_away_the_whole_command_ends_in_time_and_gives_nothing_away(tmp_path: Path) -> None:
    # given
    settings = {
        "APP_ENV": "production",
        "MONGODB_URI": f"mongodb://rosalind:{PASSWORD}@127.0.0.1:{free_port()}/",
        "REDIS_URL": f"redis://:{PASSWORD}@127.0.0.1:{free_port()}/0",
        "MEDIA_DIR": str(tmp_path),
        "DYNO": "web.1",
    }
    # when
    done, took = flask_doctor(settings)
    # then
    assert done.returncode == 1
    lines = lines_of(done.stdout)
    assert lines["mongodb"].startswith("FAIL MongoDB does not answer")
    assert lines["redis"].startswith("FAIL Redis does not answer")
    assert lines["redis eviction"].startswith("WARN not looked at")
    assert "videos do not last" in lines["disk"]
    assert "CORS_ORIGINS" in lines["settings"]
    assert not [word for word in (PASSWORD, "rosalind", "Traceback") if word in done.stdout + done.stderr]
    # The log would name the host, between the lines; what one sends to whoever is to help does not.
    assert "127.0.0.1" not in done.stdout + done.stderr
    assert took < SECONDS_MAX


def test_wrong_settings_are_all_named_without_a_traceback() -> None:
    done, _ = flask_doctor({"MONGODB_URI": f"mongo://rosalind:{PASSWORD}@nowhere", "WEB_THREADS": "many"})

    assert done.returncode == 1
    assert "MONGODB_URI is ***: allowed is a connection string" in done.stderr
    assert "WEB_THREADS is 'many'" in done.stderr
    assert not [word for word in (PASSWORD, "Traceback") if word in done.stdout + done.stderr]


def flask_doctor(settings: dict[str, str]) -> tuple[subprocess.CompletedProcess[str], float]:
    environment = {"PATH": os.environ["PATH"], "FLASK_APP": "wsgi", **settings}
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "flask", "doctor"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done, time.monotonic() - started
