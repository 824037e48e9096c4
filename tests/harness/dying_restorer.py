"""A process that restores a backup and kills itself, as kill -9 does, before its n-th command reaches the database.

Called with: connection string, database, folder, archive, n.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from pymongo import MongoClient

from config import Config
from projectapi import create_app
from tests.harness.commands import Death


def main(uri: str, database: str, folder: str, archive: str, commands: str) -> None:
    """Restore, or die on the way."""
    config = Config(
        app_env="testing", mongodb_uri=uri, mongodb_database=database, media_dir=Path(folder) / "media", log_level="ERROR"
    )
    with MongoClient[dict[str, Any]](uri, tz_aware=True, event_listeners=[Death(int(commands))]) as client:
        app = create_app(config, mongo_client=client)
        result = app.test_cli_runner().invoke(args=("backup", "restore", archive))
        print(result.output)
        sys.exit(result.exit_code)


if __name__ == "__main__":
    main(*sys.argv[1:])
