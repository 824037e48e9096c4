"""The ffmpeg commands that really cut a video: decode, cut to the frame, encode again."""

from __future__ import annotations

import os
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import imageio_ffmpeg

from projectapi.media.sandbox import CONTAINERS, FIRST_INPUT, Limits
from projectapi.media.segments import Cut

OUTPUT = "output.mp4"

_INPUTS_MAX = 16
"""Most cuts in one run: each has a decoder of its own, whose pictures take memory."""

_AUDIO_RATE = 48_000
_THREADS = str(min(4, os.cpu_count() or 1))
_MEMORY_BYTES = 6 * 2**30
_OUTPUT_BYTES = 8 * 2**30
_READ_AHEAD_SECONDS = 2


def limits(seconds: float) -> Limits:
    """Return what one run of ffmpeg may use within `seconds`."""
    cpu_seconds = max(1, round(seconds * (os.cpu_count() or 1)))
    return Limits(seconds=seconds, cpu_seconds=cpu_seconds, memory_bytes=_MEMORY_BYTES, output_bytes=_OUTPUT_BYTES)


def batches(cuts: Sequence[Cut]) -> list[Sequence[Cut]]:
    """Split many cuts into as many runs as they need."""
    return [cuts[i : i + _INPUTS_MAX] for i in range(0, len(cuts), _INPUTS_MAX)]


def cut_command(cuts: Sequence[Cut], rate: Fraction, *, audio: bool, output: str = OUTPUT) -> list[str]:
    """Return the ffmpeg command that cuts the source, open once per cut, and joins the pieces as `output`.

    A ``.mov`` gets uncompressed sound, so that it can be joined with others without a gap; an ``.mp4`` is finished.
    """
    inputs = [word for number, cut in enumerate(cuts) for word in _input(number, cut, rate)]
    encoding = ["-c:a", "pcm_s16le"] if output.endswith(".mov") else _finished_sound()
    return [
        *_ffmpeg(),
        *inputs,
        *("-filter_complex_threads", "1", "-filter_complex", _graph(cuts, rate, audio)),
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


def _ffmpeg() -> list[str]:
    return [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-nostdin", "-nostats", "-loglevel", "error", "-y"]


def _finished_sound() -> list[str]:
    return ["-c:a", "aac", "-b:a", "160k"]


def _input(number: int, cut: Cut, rate: Fraction) -> list[str]:
    seek, lead = _seek(cut, rate)
    length = float(lead + cut.frames / rate) + _READ_AHEAD_SECONDS
    return [
        *("-threads", _THREADS if cut.frames > rate else "1", "-sn", "-dn"),
        *("-protocol_whitelist", "fd", "-format_whitelist", CONTAINERS),
        *(("-ss", f"{float(seek):.6f}") if seek else ()),
        *("-t", f"{length:.6f}", "-fd", str(FIRST_INPUT + number), "-i", "fd:"),
    ]


def _seek(cut: Cut, rate: Fraction) -> tuple[Fraction, Fraction]:
    """Return where to start reading, and how long after that the cut begins, in seconds.

    Half a frame early, because containers that round their times (Matroska: milliseconds) put a frame a little before its
    moment, and ffmpeg would drop it.
    """
    start = cut.first / rate
    seek = max(Fraction(0), start - 1 / rate / 2)
    return seek, start - seek


def _graph(cuts: Sequence[Cut], rate: Fraction, audio: bool) -> str:
    """Return the filter graph: every piece has exactly its number of frames and exactly as much sound, then all are joined."""
    pieces = [_piece(number, cut, rate, audio) for number, cut in enumerate(cuts)]
    pads = "".join(f"[v{number}][a{number}]" if audio else f"[v{number}]" for number in range(len(cuts)))
    sound = "[a]" if audio else ""
    # concat counts in microseconds, which loses frames at 29.97: every frame is given its moment anew.
    numbered = f"[joined]settb=1/({rate}),setpts=N[v]"
    return ";".join([*pieces, f"{pads}concat=n={len(cuts)}:v=1:a={int(audio)}[joined]{sound}", numbered])


def _piece(number: int, cut: Cut, rate: Fraction, audio: bool) -> str:
    lead = float(_seek(cut, rate)[1])
    video = (
        f"[{number}:V:0]setpts=PTS-{lead:.6f}/TB,fps={rate}:start_time=0,"
        f"tpad=stop=-1:stop_mode=clone,trim=end_frame={cut.frames},setpts=PTS-STARTPTS,"
        f"scale=trunc(iw/2)*2:trunc(ih/2)*2,format=yuv420p[v{number}]"
    )
    if not audio:
        return video
    samples = round(cut.frames / rate * _AUDIO_RATE)
    return video + (
        f";[{number}:a:0]asetpts=PTS-{lead:.6f}/TB,aresample={_AUDIO_RATE}:async=1:first_pts=0,"
        f"apad,atrim=end_sample={samples},aformat=sample_fmts=fltp:channel_layouts=stereo,asetpts=PTS-STARTPTS[a{number}]"
    )
