"""What an application sends to MongoDB, watched from inside its driver."""

from __future__ import annotations

import os
import signal

from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent


class StartedCommands(CommandListener):
    """Hears of commands as they are sent, and of what becomes of them only if a child asks for it."""

    def started(self, event: CommandStartedEvent) -> None:
        """See `CommandListener`."""

    def succeeded(self, event: CommandSucceededEvent) -> None:
        """See `CommandListener`."""

    def failed(self, event: CommandFailedEvent) -> None:
        """See `CommandListener`."""


class Death(StartedCommands):
    """Kills the process, as kill -9 does, before its n-th command reaches the database."""

    def __init__(self, commands: int) -> None:
        self._left = commands

    def started(self, event: CommandStartedEvent) -> None:
        """Count, and kill."""
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
