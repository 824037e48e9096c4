"""The shape of a video's sound: the ffmpeg command that measures it, and the file that keeps what was measured.

The file is audiowaveform's binary format, version 2 (little-endian: version, flags, sample rate, samples per pixel, length,
channels, then pairs of signed bytes); see https://github.com/bbc/audiowaveform/blob/master/doc/DataFormat.md.
"""

from __future__ import annotations

import re
import struct
from array import array
from pathlib import Path

from projectapi.media.ffmpeg import ffmpeg_command, untrusted_input
from projectapi.project import PEAKS_PER_SECOND
from projectapi.protocols import Waveform

LEVELS = "levels.txt"

_SAMPLE_RATE = 48_000
_LENGTH_MAX = 400_000
_HEADER = struct.Struct("<iIiiIi")
_VERSION, _EIGHT_BITS, _CHANNELS = 2, 1, 1
_LEVEL = re.compile(r"lavfi\.astats\.Overall\.(Min|Max)_level=(-?\d+(?:\.\d+)?(?:e-?\d+)?)\s*", re.ASCII)


def finest(duration: float) -> int:
    """Return how many peaks are kept for each second of a video of this duration in seconds."""
    return max((rate for rate in PEAKS_PER_SECOND if rate * duration <= _LENGTH_MAX), default=PEAKS_PER_SECOND[0])


def levels_command(peaks_per_second: int) -> list[str]:
    """Return the ffmpeg command that writes the lowest and the highest level of every peak's samples to `LEVELS`."""
    filters = [
        # What begins after the pictures keeps its time; silence stands before it.
        f"aresample={_SAMPLE_RATE}:async=1:first_pts=0",
        "aformat=sample_fmts=flt:channel_layouts=mono",
        f"asetnsamples=n={_SAMPLE_RATE // peaks_per_second}:p=0",
        "astats=metadata=1:reset=1:measure_perchannel=none:measure_overall=Min_level+Max_level",
        f"ametadata=print:file={LEVELS}",
    ]
    return [
        *ffmpeg_command(),
        *untrusted_input(),
        *("-map", "0:a:0", "-vn", "-sn", "-dn", "-af", ",".join(filters), "-f", "null", "-"),
    ]


def write_peaks(levels: Path, peaks_per_second: int, target: Path) -> None:
    """Turn what the command wrote into a file of peaks. Raises ValueError for text that it did not write."""
    lows, highs = array("b"), array("b")
    with open(levels, encoding="ascii") as lines:
        for line in lines:
            found = _LEVEL.fullmatch(line)
            if found:
                (lows if found[1] == "Min" else highs).append(_byte(float(found[2])))
            if len(highs) > 2 * _LENGTH_MAX:
                raise ValueError("more levels than were asked for")
    pairs = array("b", (level for pair in zip(lows, highs, strict=True) for level in pair))
    header = _HEADER.pack(_VERSION, _EIGHT_BITS, _SAMPLE_RATE, _SAMPLE_RATE // peaks_per_second, len(lows), _CHANNELS)
    target.write_bytes(header + pairs.tobytes())


def read_peaks(path: Path, peaks_per_second: int) -> Waveform:
    """Return the peaks of a file, joined to at most so many for each second. Raises FileNotFoundError."""
    content = path.read_bytes()
    samples_per_pixel = _HEADER.unpack_from(content)[3]
    kept = _SAMPLE_RATE // samples_per_pixel
    wanted = max(rate for rate in PEAKS_PER_SECOND if rate <= max(1, peaks_per_second) and kept % rate == 0)
    pairs = array("b", content[_HEADER.size :])
    return Waveform(
        sample_rate=_SAMPLE_RATE,
        samples_per_pixel=_SAMPLE_RATE // wanted,
        data=_joined(pairs, kept // wanted),
    )


def silence(peaks_per_second: int) -> Waveform:
    """Return the waveform of a video without sound."""
    return Waveform(sample_rate=_SAMPLE_RATE, samples_per_pixel=_SAMPLE_RATE // peaks_per_second, data=[])


def _byte(level: float) -> int:
    return max(-128, min(127, round(level * 127)))


def _joined(pairs: array[int], count: int) -> list[int]:
    """Join every `count` pairs to one that spans them all."""
    lows, highs = pairs[::2], pairs[1::2]
    if count == 1:
        return pairs.tolist()
    joined = []
    for start in range(0, len(lows), count):
        joined += [min(lows[start : start + count]), max(highs[start : start + count])]
    return joined
