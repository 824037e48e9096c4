"""Whisper (faster-whisper) as a recogniser: many languages, far fewer mistakes; needs a model folder and its own package."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from projectapi import errors
from projectapi.media.sandbox import Sandbox
from projectapi.protocols import Recogniser, Word
from projectapi.speech.fillers import is_filler
from projectapi.speech.sound import TOO_LONG, WorkFolder, decode_sound, listening_seconds, sound_bytes

_log = logging.getLogger(__name__)


class Whisper(Recogniser):
    """`Recogniser` with the model in a folder; nothing is ever downloaded. What `report` raises ends the work and is raised.

    The model is loaded at the first use and stays in memory; it sees only sound that the sandbox has decoded.
    """

    def __init__(self, model_dir: Path, work_folder: WorkFolder) -> None:
        self._model_dir = model_dir
        self._work_folder = work_folder
        self._sandbox = Sandbox(slots=1, wait_seconds=0)
        self._loading = threading.Lock()
        self._loaded: Any = None

    def transcribe(
        self, media: Path, *, duration: float, language: str | None, report: Callable[[float], None]
    ) -> list[Word]:
        """See `Recogniser.transcribe`; the language is found out when it is None. Raises as `decode_sound` does as well."""
        with self._work_folder(sound_bytes(duration)) as scratch:
            sound = decode_sound(media, scratch, self._sandbox, lambda _: report(0.0))
            give_up = time.monotonic() + listening_seconds(duration)
            words = self._listen(sound, language, partial(_reported, report, give_up)) if sound else []
        report(1.0)
        return words

    def _listen(self, sound: Path, language: str | None, report: Callable[[float], None]) -> list[Word]:
        model = self._model()
        code = language.partition("-")[0].lower() if language else None
        words = []
        try:
            segments, found = model.transcribe(str(sound), language=code, word_timestamps=True)
            # Each segment is recognised when it is asked for, so a report between them can end the work.
            for segment in segments:
                words += [_word(heard, found.language) for heard in segment.words or ()]
                report(min(1.0, segment.end / found.duration) if found.duration else 0.0)
        except (RuntimeError, ValueError) as error:
            _log.error("Whisper failed: %s", error)
            raise errors.SpeechUnavailable from error
        return words

    def _model(self) -> Any:
        with self._loading:
            if self._loaded is None:
                try:
                    from faster_whisper import WhisperModel

                    self._loaded = WhisperModel(str(self._model_dir), local_files_only=True)
                except (ImportError, OSError, RuntimeError, ValueError) as error:
                    _log.error("Whisper's model cannot be loaded: %s", error)
                    raise errors.SpeechUnavailable from error
            return self._loaded


def _reported(report: Callable[[float], None], give_up: float, done: float) -> None:
    """Pass on how much is done. Raises SpeechUnavailable when it is not all and the clock has passed `give_up`."""
    report(done)
    if done < 1.0 and time.monotonic() > give_up:
        _log.warning("Whisper was given up: it took too long")
        raise errors.SpeechUnavailable(TOO_LONG)


def _word(heard: Any, language: str | None) -> Word:
    text = str(heard.word).strip()
    confidence = min(1.0, max(0.0, float(heard.probability)))
    return Word(text, float(heard.start), float(heard.end), confidence, is_filler(text, language))
