"""The speech room: it listens to videos. The rest of projectapi uses `open_recogniser` and nothing below it."""

from __future__ import annotations

import logging
from importlib.util import find_spec
from pathlib import Path

from projectapi.protocols import Recogniser
from projectapi.speech.pocketsphinx_recogniser import PocketSphinx
from projectapi.speech.sound import WorkFolder
from projectapi.speech.whisper_recogniser import Whisper

__all__ = ["open_recogniser"]

_log = logging.getLogger(__name__)


def open_recogniser(choice: str, whisper_model_dir: Path | None, work_folder: WorkFolder) -> Recogniser | None:
    """Return the recogniser of this server, None when it has none; nothing is loaded before its first use.

    `choice` is ``auto`` (Whisper where it and its model are there, else PocketSphinx), ``whisper``, ``pocketsphinx`` or
    ``off``. What is missing for the one that was chosen is logged, and there is none then: nobody gets another unasked.
    """
    if choice == "off":
        return None
    lack = _lack_of_whisper(whisper_model_dir)
    if whisper_model_dir is not None and not lack and choice != "pocketsphinx":
        return Whisper(whisper_model_dir, work_folder)
    if choice == "whisper":
        _log.error("Transcription is not available: SPEECH is whisper, and %s.", lack)
        return None
    if find_spec("pocketsphinx") is None:
        _log.error("Transcription is not available: pocketsphinx is not installed.")
        return None
    return PocketSphinx(work_folder)


def _lack_of_whisper(model_dir: Path | None) -> str:
    if model_dir is None:
        return "WHISPER_MODEL_DIR is not set"
    if not model_dir.is_dir():
        return "WHISPER_MODEL_DIR is no folder"
    if find_spec("faster_whisper") is None:
        return "faster-whisper is not installed (pip install -r requirements-whisper.txt)"
    return ""
