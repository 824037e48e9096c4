"""The `flask` commands of people who run projectapi."""

from __future__ import annotations

from collections.abc import Sequence

import click
from flask import Flask

from projectapi.cli.backup import backup
from projectapi.cli.cache import cache
from projectapi.cli.db import db
from projectapi.cli.dev import dev_command
from projectapi.cli.doctor import EXAMINATIONS, doctor
from projectapi.cli.media import media
from projectapi.cli.trash import trash
from projectapi.cli.worker import worker
from projectapi.protocols import Examination


def init_app(app: Flask, examinations: Sequence[Examination]) -> None:
    """Give `app` its commands; `examinations` are those of `flask doctor`, in this order."""
    app.extensions[EXAMINATIONS] = examinations
    for command in (backup, cache, db, dev_command, doctor, media, trash, worker):
        app.cli.add_command(command)


def is_development_server() -> bool:
    """Tell whether this process is `flask run`."""
    context = click.get_current_context(silent=True)
    return context is not None and context.info_name == "run"
