"""The `flask` commands of people who run projectapi."""

from __future__ import annotations

import click
from flask import Flask

from projectapi.cli.backup import backup
from projectapi.cli.cache import cache
from projectapi.cli.db import db
from projectapi.cli.dev import dev_command
from projectapi.cli.media import media
from projectapi.cli.trash import trash
from projectapi.cli.worker import worker


def init_app(app: Flask) -> None:
    """Give `app` its commands."""
    for command in (backup, cache, db, dev_command, media, trash, worker):
        app.cli.add_command(command)


def is_development_server() -> bool:
    """Tell whether this process is `flask run`."""
    context = click.get_current_context(silent=True)
    return context is not None and context.info_name == "run"
