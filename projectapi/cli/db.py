"""`flask db`: looking after the database."""

from __future__ import annotations

from typing import cast

import click
from flask import current_app
from flask.cli import AppGroup

from projectapi.errors import ProjectApiError
from projectapi.protocols import Backend

db = AppGroup("db", help="Look after the database.")


@db.command("init")
def init() -> None:
    """Create collections, validators and indexes, or bring them up to date. Safe to run at any time."""
    backend = cast(Backend, current_app.extensions["projectapi"])
    try:
        for line in backend.set_up_database():
            click.echo(line)
    except ProjectApiError as error:
        raise click.ClickException(f"The database was not set up: {error.__cause__ or error.text}") from error
