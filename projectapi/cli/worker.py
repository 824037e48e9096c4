"""`flask worker`: a process that cuts, exports and transcribes, so that the web processes need not."""

from __future__ import annotations

import click

from projectapi.cli.printing import backend


@click.command("worker")
def worker() -> None:
    """Do jobs until told to stop. Needs Redis, and the same MEDIA_DIR as the web processes; start several for more at once.

    Nobody has to run it: while no worker is alive, the web processes do the jobs themselves.
    """
    found = backend().worker
    if found is None:
        raise click.ClickException("There is nothing to listen to: REDIS_URL is not set. The web processes do the jobs.")
    found.work()
