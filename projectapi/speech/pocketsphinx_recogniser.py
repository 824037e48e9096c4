"""PocketSphinx as a recogniser: works at once and without a network, in a child process; understands English only."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from projectapi import errors
from projectapi.media.sandbox import Limits, Sandbox, SandboxError, SandboxTimeout
from projectapi.protocols import Recogniser, Word
from projectapi.speech.fillers import is_filler
from projectapi.speech.sound import BYTES_PER_SECOND, TOO_LONG, WorkFolder, decode_sound, listening_seconds, sound_bytes

_CHILD = str(Path(__file__).with_name("pocketsphinx_child.py"))
_WORDS = "words.json"
_DECODING_SHARE = 0.05

# It takes about a third of a recording's length on one processor, more where little is silence.
_START_WORK_SECONDS, _WORK_PER_SECOND = 120, 4
_MEMORY_BYTES, _OUTPUT_BYTES = 2 * 2**30, 64 * 2**20

_ENGLISH_ONLY = "This server can transcribe English only. Everything else works: open the timeline from the projects page."

_log = logging.getLogger(__name__)


class PocketSphinx(Recogniser):
    """`Recogniser` with the English model inside PocketSphinx' wheel; what `report` raises ends the work and is raised."""

    def __init__(self, work_folder: WorkFolder) -> None:
        self._work_folder = work_folder
        # Whoever calls has a place already; see the jobs.
        self._sandbox = Sandbox(slots=1, wait_seconds=0)

    def transcribe(
        self, media: Path, *, duration: float, language: str | None, report: Callable[[float], None]
    ) -> list[Word]:
        """See `Recogniser.transcribe`. Raises VideoNotFound, ProjectApiError for what cannot be read, and DiskFull as well."""
        if language and language.partition("-")[0].lower() != "en":
            raise errors.SpeechUnavailable(_ENGLISH_ONLY)
        with self._work_folder(sound_bytes(duration)) as scratch:
            sound = decode_sound(media, scratch, self._sandbox, lambda _: report(0.0))
            words = self._listen(sound, scratch, report) if sound else []
        report(1.0)
        return words

    def _listen(self, sound: Path, scratch: Path, report: Callable[[float], None]) -> list[Word]:
        duration = sound.stat().st_size / BYTES_PER_SECOND
        command = [sys.executable, "-I", "-B", _CHILD, _WORDS]
        watch = _Progress(duration, report)
        try:
            self._sandbox.run(command, source=sound, scratch=scratch, limits=_limits(duration), watch=watch)
            heard = json.loads((scratch / _WORDS).read_text(encoding="utf-8"))
            return [_word(*item) for item in heard]
        except SandboxTimeout as error:
            raise errors.SpeechUnavailable(TOO_LONG) from error
        except (SandboxError, FileNotFoundError, ValueError, TypeError) as error:
            _log.error("PocketSphinx failed: %s", error)
            raise errors.SpeechUnavailable from error


class _Progress:
    """Turns the seconds that the child prints into shares of the whole, and lets `report` end the work at any time."""

    def __init__(self, duration: float, report: Callable[[float], None]) -> None:
        self._duration = duration
        self._report = report
        self._printed = b""
        self._share = _DECODING_SHARE

    def __call__(self, printed: bytes) -> None:
        *lines, self._printed = (self._printed + printed).split(b"\n")
        if lines and self._duration:
            done = min(1.0, float(lines[-1]) / self._duration)
            self._share = _DECODING_SHARE + (1 - _DECODING_SHARE) * done
        self._report(self._share)


def _limits(duration: float) -> Limits:
    return Limits(
        seconds=listening_seconds(duration),
        cpu_seconds=round(_START_WORK_SECONDS + _WORK_PER_SECOND * duration),
        memory_bytes=_MEMORY_BYTES,
        output_bytes=_OUTPUT_BYTES,
    )


def _word(text: Any, start: Any, end: Any, confidence: Any) -> Word:
    token = str(text)
    own_filler = token.startswith(("[", "++"))
    shown = token.strip("+").lower()
    return Word(shown, float(start), float(end), float(confidence), own_filler or is_filler(shown, "en"))
