"""A process that restores a backup and kills itself, as kill -9 does, before its n-th command reaches the database.

Called with: connection string, database, folder, archive, n. With n = 0 it lives and prints how many commands it needed.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

from config import Config
from projectapi import create_app


class Death(CommandListener):
    """Comes before the n-th command."""

    def __init__(self, commands: int) -> None:
        self._commands = commands
        self.count = 0

    def started(self, event: CommandStartedEvent) -> None:
        """Count, and kill."""
        self.count += 1
        if self.count == self._commands:
            os.kill(os.getpid(), signal.SIGKILL)

    def succeeded(self, event: CommandSucceededEvent) -> None:
        """See `started`."""

    def failed(self, event: CommandFailedEvent) -> None:
        """See `started`."""


def main(uri: str, database: str, folder: str, archive: str, commands: str) -> None:
    """Restore, or die on the way."""
    death = Death(int(commands))
    config = Config(
        app_env="testing", mongodb_uri=uri, mongodb_database=database, media_dir=Path(folder) / "media", log_level="ERROR"
    )
    with MongoClient[dict[str, Any]](uri, tz_aware=True, event_listeners=[death]) as client:
        app = create_app(config, mongo_client=client)
        result = app.test_cli_runner().invoke(args=("backup", "restore", archive))
        print(result.output, death.count)
        sys.exit(result.exit_code)


if __name__ == "__main__":
    main(*sys.argv[1:])
