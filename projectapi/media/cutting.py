"""The ffmpeg commands that really cut a video: decode, cut to the frame, encode again."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from projectapi.media.ffmpeg import ffmpeg_command
from projectapi.media.sandbox import CONTAINERS, FIRST_INPUT, Limits
from projectapi.media.segments import Cut

OUTPUT = "output.mp4"

Reading = Sequence[Cut]
"""Cuts that come one after the other in the source, near enough to be read in one go."""

_READINGS_MAX = 16
"""Most readings in one run: each has a decoder of its own, whose pictures take memory."""

_CUTS_MAX = 90
"""Most cuts in one run: an expression of ffmpeg may have a hundred terms."""

_GAP_SECONDS = 5
"""Decoding through a gap of this length costs about as much as seeking across it, back to the keyframe before."""

_PROGRESS = ("-progress", "pipe:1", "-stats_period", "0.5")
_FRAMES_DONE = re.compile(rb"^frame=\s*(\d+)$", re.MULTILINE)

_AUDIO_RATE = 48_000
_THREADS = str(min(4, os.cpu_count() or 1))
_MEMORY_BYTES = 6 * 2**30
_OUTPUT_BYTES = 8 * 2**30
_READ_AHEAD_SECONDS = 2


def limits(seconds: float) -> Limits:
    """Return what one run of ffmpeg may use within `seconds`."""
    cpu_seconds = max(1, round(seconds * (os.cpu_count() or 1)))
    return Limits(seconds=seconds, cpu_seconds=cpu_seconds, memory_bytes=_MEMORY_BYTES, output_bytes=_OUTPUT_BYTES)


def batches(cuts: Sequence[Cut], rate: Fraction) -> list[list[Reading]]:
    """Split cuts into as few runs of ffmpeg as their limits allow, and each run into readings."""
    runs: list[list[list[Cut]]] = []
    for number, cut in enumerate(cuts):
        if number % _CUTS_MAX == 0:
            runs.append([[cut]])
        elif not cut.black and 0 <= (cut.first - cuts[number - 1].after) / rate <= _GAP_SECONDS:
            runs[-1][-1].append(cut)
        elif len(runs[-1]) < _READINGS_MAX:
            runs[-1].append([cut])
        else:
            runs.append([[cut]])
    return [list[Reading](run) for run in runs]


def frames_done(printed: bytes) -> int | None:
    """Return how many frames a run has made by what it printed last, None when that does not say."""
    found = _FRAMES_DONE.findall(printed)
    return int(found[-1]) if found else None


def cut_command(
    readings: Sequence[Reading], rate: Fraction, *, audio: bool, height: int | None = None, output: str = OUTPUT
) -> list[str]:
    """Return the ffmpeg command that cuts the source, open once per reading, and joins the pieces as `output`.

    Pictures are scaled down to `height` pixels if it is given. The run prints how many frames are done. A ``.mov`` gets
    uncompressed sound, so that it can be joined with others without a gap; an ``.mp4`` is finished.
    """
    inputs = [word for number, reading in enumerate(readings) for word in _input(number, reading, rate)]
    encoding = ["-c:a", "pcm_s16le"] if output.endswith(".mov") else _finished_sound()
    return [
        *_ffmpeg(),
        *inputs,
        *("-filter_complex_threads", "1", "-filter_complex", _graph(readings, rate, audio, height)),
        *("-map", "[v]", *(("-map", "[a]", *encoding) if audio else ())),
        *("-c:v", "libx264", "-preset", "ultrafast", "-crf", "20", "-threads", _THREADS),
        *("-fps_mode", "cfr", "-r", str(rate), "-map_metadata", "-1", "-movflags", "+faststart", output),
    ]


def join_command(script: Path, output: str = OUTPUT) -> list[str]:
    """Return the ffmpeg command that joins pieces of ours, listed in an ffconcat script of ours in the scratch folder."""
    return [
        *_ffmpeg(),
        *("-f", "concat", "-protocol_whitelist", "file", "-format_whitelist", "concat,mov", "-i", script.name),
        *("-c:v", "copy", *_finished_sound(), "-map_metadata", "-1", "-movflags", "+faststart", output),
    ]


def trial_command() -> list[str]:
    """Return an ffmpeg command that encodes a moment of black and writes nothing. Raises RuntimeError without ffmpeg."""
    black = ("-f", "lavfi", "-i", "color=size=64x64:duration=0.1")
    return [*_ffmpeg(), *black, "-c:v", "libx264", "-threads", "1", "-f", "null", "-"]


def _ffmpeg() -> list[str]:
    return [*ffmpeg_command(), *_PROGRESS]


def _finished_sound() -> list[str]:
    return ["-c:a", "aac", "-b:a", "160k"]


def _input(number: int, reading: Reading, rate: Fraction) -> list[str]:
    seek, lead = _seek(reading, rate)
    frames = reading[-1].after - reading[0].first
    length = float(lead + frames / rate) + _READ_AHEAD_SECONDS
    return [
        *("-threads", _THREADS if frames > rate else "1", "-sn", "-dn"),
        *("-protocol_whitelist", "fd", "-format_whitelist", CONTAINERS),
        *(("-ss", f"{float(seek):.6f}") if seek else ()),
        *("-t", f"{length:.6f}", "-fd", str(FIRST_INPUT + number), "-i", "fd:"),
    ]


def _seek(reading: Reading, rate: Fraction) -> tuple[Fraction, Fraction]:
    """Return where to start reading, and how long after that the first cut begins, in seconds.

    Half a frame early, because the frame nearest to the cut may stand a little before it (pictures that begin after the
    sound, times rounded to milliseconds), and ffmpeg drops what stands before.
    """
    start = reading[0].first / rate
    seek = max(Fraction(0), start - 1 / rate / 2)
    return seek, start - seek


def _graph(readings: Sequence[Reading], rate: Fraction, audio: bool, height: int | None) -> str:
    """Return the filter graph: every piece has exactly its number of frames and exactly as much sound, then all are joined."""
    pieces = [_pictures(number, reading, rate, height) for number, reading in enumerate(readings)]
    if audio:
        pieces += [_sound(number, reading, rate) for number, reading in enumerate(readings)]
    pads = "".join(f"[v{number}][a{number}]" if audio else f"[v{number}]" for number in range(len(readings)))
    outlets = "[v][a]" if audio else "[v]"
    return ";".join([*pieces, f"{pads}concat=n={len(readings)}:v=1:a={int(audio)}{outlets}"])


def _pictures(number: int, reading: Reading, rate: Fraction, height: int | None) -> str:
    origin = reading[0].first
    lead = float(_seek(reading, rate)[1])
    wanted = "+".join(f"between(n,{cut.first - origin},{cut.after - origin - 1})" for cut in reading)
    # tpad repeats the last picture for ever, and it is trim that stops it: so trim stands before select drops frames.
    return (
        f"[{number}:V:0]setpts=PTS-{lead:.6f}/TB,fps={rate}:start_time=0,tpad=stop=-1:stop_mode=clone,"
        f"trim=end_frame={reading[-1].after - origin},select='{wanted}',setpts=N,"
        f"{_scale(height)},format=yuv420p{_black_before(reading, rate)}[v{number}]"
    )


def _scale(height: int | None) -> str:
    # The encoder takes even numbers only.
    return f"scale=-2:trunc(min(ih\\,{height})/2)*2" if height else "scale=trunc(iw/2)*2:trunc(ih/2)*2"


def _black_before(reading: Reading, rate: Fraction) -> str:
    black = reading[0].black
    # setpts forgets the frame rate, by which tpad counts.
    return f",fps={rate},tpad=start={black}:start_mode=add:color=black" if black else ""


def _sound(number: int, reading: Reading, rate: Fraction) -> str:
    origin = reading[0].first
    lead = float(_seek(reading, rate)[1])
    parts = range(len(reading))
    cuts = [
        f"[s{number}_{part}]atrim=start_sample={_samples(cut.first - origin, rate)}:"
        f"end_sample={_samples(cut.after - origin, rate)},asetpts=PTS-STARTPTS[c{number}_{part}]"
        for part, cut in enumerate(reading)
    ]
    return ";".join(
        [
            f"[{number}:a:0]asetpts=PTS-{lead:.6f}/TB,aresample={_AUDIO_RATE}:async=1:first_pts=0,"
            f"aformat=sample_fmts=fltp:channel_layouts=stereo,apad,asplit={len(reading)}"
            + "".join(f"[s{number}_{part}]" for part in parts),
            *cuts,
            "".join(f"[c{number}_{part}]" for part in parts)
            + f"concat=n={len(reading)}:v=0:a=1{_silence_before(reading, rate)}[a{number}]",
        ]
    )


def _silence_before(reading: Reading, rate: Fraction) -> str:
    black = reading[0].black
    # adelay leaves what it delays without times.
    return f",adelay={_samples(black, rate)}S:all=1,asetpts=N/SR/TB" if black else ""


def _samples(frames: int, rate: Fraction) -> int:
    return round(frames / rate * _AUDIO_RATE)
