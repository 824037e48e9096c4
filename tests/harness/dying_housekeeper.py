"""A process that purges or sweeps and kills itself, as kill -9 does, before its n-th command reaches the database.

Called with: connection string, database, media folder, ``purge`` or ``sweep``, n.
"""

from __future__ import annotations

import os
import signal
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

from tests.harness.housekeeping_world import World


class Death(CommandListener):
    """Comes before the n-th command."""

    def __init__(self, commands: int) -> None:
        self._left = commands

    def started(self, event: CommandStartedEvent) -> None:
        """Count, and kill."""
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def succeeded(self, event: CommandSucceededEvent) -> None:
        """See `started`."""

    def failed(self, event: CommandFailedEvent) -> None:
        """See `started`."""


def main(uri: str, database: str, media: str, job: str, commands: str) -> None:
    """Do the job, or die on the way."""
    with MongoClient[dict[str, Any]](uri, tz_aware=True, event_listeners=[Death(int(commands))]) as client:
        world = World(client[database], Path(media))
        if job == "purge":
            world.purge(older_than=timedelta(0))
        else:
            world.sweep()


if __name__ == "__main__":
    main(*sys.argv[1:])
