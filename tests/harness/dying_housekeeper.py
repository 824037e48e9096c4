"""A process that purges or sweeps and kills itself, as kill -9 does, before its n-th command reaches the database.

Called with: connection string, database, media folder, ``purge`` or ``sweep``, n.
"""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

from pymongo import MongoClient

from tests.harness.commands import Death
from tests.harness.housekeeping_world import World


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
