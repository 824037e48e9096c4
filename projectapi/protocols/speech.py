"""What a speech recogniser must do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class Word:
    """A word that was heard: from `start` to `end`, in seconds of the video's time; `confidence` is from 0 to 1."""

    text: str
    start: float
    end: float
    confidence: float
    is_filler: bool


class Recogniser(Protocol):
    """Turns what is said in a recording into words."""

    def transcribe(
        self, media: Path, *, duration: float, language: str | None, report: Callable[[float], None]
    ) -> list[Word]:
        """Return the words in order of time; tell `report` how much is done, from 0 to 1.

        `duration` is that of the recording, in seconds. Raises SpeechUnavailable, DiskFull.
        """
