"""`flask cache`: looking after the cache."""

from __future__ import annotations

import click
from flask.cli import AppGroup

from projectapi.cli.printing import backend
from projectapi.errors import ProjectApiError
from projectapi.protocols import Cache

cache = AppGroup("cache", help="Look after the cache.")


@cache.command("purge")
def purge() -> None:
    """Forget everything that is cached, in all workers; run it after editing data by hand in MongoDB."""
    engine = _engine()
    try:
        engine.purge()
    except ProjectApiError as error:
        raise click.ClickException(f"The cache was not purged: {error.text}") from error
    click.echo("The cache is empty: every worker reads the database anew.")


@cache.command("status")
def status() -> None:
    """Show whether the cache is in use, and on which server."""
    engine = _engine()
    engine.prepare()
    state = engine.status()
    click.echo(f"mode          {state.mode}")
    click.echo(f"epoch         {state.epoch or '-'}")
    click.echo(f"Redis server  {state.server or '-'}")
    click.echo(f"circuit       {'open: Redis failed lately and is being spared' if state.circuit_open else 'closed'}")


def _engine() -> Cache:
    engine = backend().cache
    if engine is None:
        raise click.ClickException("There is no cache: REDIS_URL is not set.")
    return engine
