"""The application with a recogniser that the tests hold by a folder, and with leases that run out within seconds.

Each call leaves a file ``heard_<process id>`` in `MEDIA_DIR`; it goes on when there is a file ``go_on``.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from config import Config
from projectapi import create_app
from projectapi.protocols import Word
from projectapi.stores import assembly
from projectapi.stores.mongo_jobs import MongoJobStore

SECONDS = 3.0


class HeldRecogniser:
    """Hears one word, once it may."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def transcribe(
        self, audio_or_video: Path, *, duration: float, language: str | None, report: Callable[[float], None]
    ) -> list[Word]:
        (self._folder / f"heard_{os.getpid()}").touch()
        while not (self._folder / "go_on").exists():
            report(0.25)
            time.sleep(0.05)
        return [Word("hello", 0.1, 0.4, 0.9, False)]


assembly.MongoJobStore = partial(MongoJobStore, lease_seconds=SECONDS, queue_seconds=SECONDS)  # type: ignore[assignment, misc]
settings = Config.from_env()
app = create_app(settings, recogniser=HeldRecogniser(settings.media_dir))
