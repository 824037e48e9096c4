"""Recognise English speech in a WAV with PocketSphinx; runs in the sandbox only, as a script of its own.

Prints how many seconds are done, a line each time, and leaves the words as JSON in the file that it is told: a list of
[text, start, end, confidence]. The model is the one inside the wheel.
"""

from __future__ import annotations

import json
import os
import re
import sys
import wave
from collections.abc import Iterator
from pathlib import Path

from pocketsphinx import Decoder, Segmenter

_INPUT = 3
_FRAMES_PER_SECOND = 100
_UTTERANCE_SECONDS = 30
_VARIANT = re.compile(r"\(\d+\)$")
_SILENCE = {"<s>", "</s>", "<sil>"}

# The model's own fillers, and sounds of people who think, which the language model would else force into words.
_FILLERS = """<s> SIL
</s> SIL
<sil> SIL
[NOISE] +NSN+
[SPEECH] +SPN+
++UM++ AH M
++UH++ AH
++ER++ ER
++HMM++ HH M
"""
# Ten thousand times the usual, at which none is ever heard; much more would make fillers of words.
_FILLER_PROBABILITY = 1e-4

Heard = tuple[str, float, float, float]


def utterances(sound: wave.Wave_read) -> Iterator[tuple[float, bytes]]:
    """Return what sounds like speech, with the second at which it begins, in pieces of at most half a minute."""
    most = _UTTERANCE_SECONDS * sound.getframerate() * sound.getsampwidth()
    for speech in Segmenter(sample_rate=sound.getframerate()).segment(_Samples(sound)):
        for start in range(0, len(speech.pcm), most):
            seconds = start / (sound.getframerate() * sound.getsampwidth())
            yield speech.start_time + seconds, speech.pcm[start : start + most]


class _Samples:
    """The samples of a WAV as a stream of bytes."""

    def __init__(self, sound: wave.Wave_read) -> None:
        self._sound = sound

    def read(self, count: int) -> bytes:
        return self._sound.readframes(count // self._sound.getsampwidth())


def words(decoder: Decoder, start: float, samples: bytes) -> Iterator[Heard]:
    """Return the words of one utterance that begins at `start` seconds."""
    decoder.start_utt()
    decoder.process_raw(samples, full_utt=True)
    decoder.end_utt()
    # Asked for first: it makes the decoder work out how sure it is of each word.
    decoder.get_prob()
    for heard in decoder.seg() or ():
        if heard.word not in _SILENCE:
            begin, end = heard.start_frame / _FRAMES_PER_SECOND, (heard.end_frame + 1) / _FRAMES_PER_SECOND
            confidence = min(1.0, max(0.0, heard.prob))
            yield _VARIANT.sub("", heard.word), round(start + begin, 2), round(start + end, 2), round(confidence, 4)


def main(output: str) -> None:
    """Recognise the WAV on the input descriptor."""
    fillers = Path("fillers.dict")
    fillers.write_text(_FILLERS, encoding="ascii")
    decoder = Decoder(samprate=16_000, loglevel="FATAL", fdict=str(fillers), fillprob=_FILLER_PROBABILITY)
    found: list[Heard] = []
    with os.fdopen(_INPUT, "rb") as file, wave.open(file) as sound:
        for start, samples in utterances(sound):
            found.extend(words(decoder, start, samples))
            print(start + len(samples) / (2 * 16_000), flush=True)
    Path(output).write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
