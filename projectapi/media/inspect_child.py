"""Look into an untrusted video and make its thumbnail; runs in the sandbox only, as a script of its own.

Prints one JSON object: what was found, or ``{"refused": <reason>}``. `probing` reads it and trusts none of it. Makes a mark in
the scratch folder before it opens the file, so that what goes wrong before is not taken for the file's fault. PyAV is imported
here and nowhere else, so that no server process pays for it or shares memory with a decoder at work.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer
from av.filter import Graph
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

_INPUT = 3
_STILL_BRANDS = {"avif", "avis", "heic", "heix", "heim", "heis", "mif1", "msf1"}
_WEBM_MARK = b"\x42\x82\x84webm"
_LONG_SIDE = 640
_FRAME_SEARCH_MAX = 1500
_FRAME_SEARCH_SECONDS = 4.0
_DURATION_MAX = 48 * 3600
_FRAME_RATE_MAX = 1000
_INDEX_MAX = 12_000_000
_END_WINDOW_SECONDS = 10
_DURATION_DOUBT_SECONDS = 1.0
_BLURRED_RATE = 0.02
_TURNS = {90: ("transpose", "cclock"), 180: ("vflip,hflip", ""), -180: ("vflip,hflip", ""), -90: ("transpose", "clock")}


class Refused(Exception):
    """The file is no video that we take; the argument names the reason."""


def inspect(containers: str, max_pixels: int, thumbnail: str) -> dict[str, Any]:
    """Return what is in the file on the input descriptor and write `thumbnail`."""
    options = {"fd": str(_INPUT), "protocol_whitelist": "fd", "format_whitelist": containers}
    try:
        container = av.open("fd:", options=options)
    except (av.FFmpegError, ValueError) as error:
        raise Refused("unreadable") from error
    with container:
        stream = _picture(container, max_pixels)
        _refuse_false_index(container)
        first = _first_frame(container, stream)
        duration = _duration(container, stream)
        if duration > _DURATION_MAX:
            raise Refused("too_long")
        shown = _frame_at(container, stream, 1.0 if duration > 1.0 else duration / 2) or first
        # The decoder's sizes are the true ones, and they may change on the way.
        if max(first.width * first.height, shown.width * shown.height) > max_pixels:
            raise Refused("too_large")
        _write_thumbnail(shown, stream.sample_aspect_ratio, thumbnail)
        return _findings(container, stream, first, duration)


def _findings(container: InputContainer, stream: VideoStream, first: VideoFrame, duration: float) -> dict[str, Any]:
    audio = next((s.codec_context for s in container.streams.audio if s.codec_context), None)
    return {
        "container": container.format.name,
        "content_type": _content_type(container),
        "video_codec": stream.codec_context.codec.canonical_name,
        "audio_codec": audio.codec.canonical_name if audio else None,
        "width": first.width,
        "height": first.height,
        "frame_rate": _frame_rate(stream),
        "rotation": -first.rotation % 360,
        "duration": duration,
    }


def _frame_rate(stream: VideoStream) -> float | None:
    """Return the mean rate, or the nominal one where the mean is only blurred (fragmented files count it wrongly)."""
    mean, nominal = stream.average_rate, stream.guessed_rate
    if mean and mean > _FRAME_RATE_MAX and stream.frames > _FRAME_RATE_MAX:
        raise Refused("too_quick")
    if mean and nominal and abs(nominal / mean - 1) < _BLURRED_RATE:
        return float(nominal)
    rate = mean or nominal
    return float(rate) if rate else None


def _picture(container: InputContainer, max_pixels: int) -> VideoStream:
    """Return the first stream of moving pictures; covers of songs and still images are none."""
    if container.metadata.get("major_brand", "").strip().lower() in _STILL_BRANDS:
        raise Refused("still")
    for stream in container.streams.video:
        if stream.codec_context is None or stream.disposition & av.stream.Disposition.attached_pic:
            continue
        if stream.width * stream.height > max_pixels:
            raise Refused("too_large")
        stream.codec_context.thread_count = 1
        return stream
    raise Refused("no_video")


def _refuse_false_index(container: InputContainer) -> None:
    """Refuse an MP4, MOV or AVI whose own index points behind the end of the file, which lost the rest on its way.

    And one whose frames need more bytes than there are: its index names the same bytes again and again, for ever if it likes.
    """
    size = os.fstat(_INPUT).st_size
    if sum(len(stream.index_entries) for stream in container.streams) > _INDEX_MAX:
        raise Refused("too_many")
    used = 0
    for stream in container.streams:
        for entry in stream.index_entries:
            if entry.pos + entry.size > size:
                raise Refused("cut")
            used += entry.size
    if used > size:
        raise Refused("too_many")


def _content_type(container: InputContainer) -> str:
    names = container.format.name.split(",")
    if "mov" in names:
        # Files without the ftyp box are older than MP4, so they are QuickTime's.
        return "video/quicktime" if container.metadata.get("major_brand", "qt").strip() == "qt" else "video/mp4"
    if "matroska" in names:
        return "video/webm" if _WEBM_MARK in os.pread(_INPUT, 256, 0) else "video/x-matroska"
    return {"avi": "video/x-msvideo", "ogg": "video/ogg"}[names[0]]


def _seek(container: InputContainer, stream: VideoStream, seconds: float) -> None:
    if stream.time_base is None:
        return
    origin = (container.start_time or 0) / av.time_base
    try:
        container.seek(round((seconds + origin) / stream.time_base), stream=stream)
    except av.FFmpegError:
        _rewind(container)


def _rewind(container: InputContainer) -> None:
    try:
        container.seek(0)
    except av.FFmpegError as error:
        # An AVI that lost its index with its tail: nobody could move about in it, neither players nor trimming.
        raise Refused("cut") from error


def _first_frame(container: InputContainer, stream: VideoStream) -> VideoFrame:
    try:
        return next(container.decode(stream))
    except (av.FFmpegError, StopIteration) as error:
        raise Refused("undecodable") from error


def _frames(container: InputContainer, stream: VideoStream, seconds: float) -> Iterator[VideoFrame]:
    _seek(container, stream, seconds)
    try:
        yield from container.decode(stream)
    except av.FFmpegError:
        # What was decoded up to here is good; what follows is asked for by nobody.
        return


def _frame_at(container: InputContainer, stream: VideoStream, seconds: float) -> VideoFrame | None:
    origin = (container.start_time or 0) / av.time_base
    give_up = time.process_time() + _FRAME_SEARCH_SECONDS
    last = None
    for count, frame in enumerate(_frames(container, stream, seconds)):
        last = frame
        if frame.time is None or frame.time - origin >= seconds - 1e-3:
            break
        if count >= _FRAME_SEARCH_MAX or time.process_time() > give_up:
            break
    return last


def _duration(container: InputContainer, stream: VideoStream) -> float:
    """Return seconds; counted from the packets where the container does not say or cannot be believed."""
    declared = (container.duration or 0) / av.time_base
    if declared > 0 and "mov" in container.format.name:
        # The index was checked against the file's size, which proves the declared duration.
        return declared
    measured = _last_end(container, stream, max(0.0, declared - _END_WINDOW_SECONDS)) if declared > 0 else 0.0
    if abs(measured - declared) <= _DURATION_DOUBT_SECONDS and declared > 0:
        return declared
    measured = _last_end(container, stream, 0.0)
    if measured <= 0:
        raise Refused("no_duration")
    return measured


def _last_end(container: InputContainer, stream: VideoStream, seconds: float) -> float:
    """Return when the last packet after `seconds` ends, in seconds from the container's start."""
    origin = (container.start_time or 0) / av.time_base
    _seek(container, stream, seconds)
    end = origin
    try:
        for packet in container.demux(*container.streams.video, *container.streams.audio):
            if packet.pts is not None and packet.time_base is not None:
                end = max(end, float((packet.pts + (packet.duration or 0)) * packet.time_base))
    except MemoryError:
        raise
    except av.FFmpegError:
        pass
    return end - origin


def _write_thumbnail(frame: VideoFrame, aspect: Fraction | None, path: str) -> None:
    """Write `frame` upright, with square pixels, its long side at most 640, as a JPEG."""
    width, height = _displayed_size(frame, aspect)
    graph = Graph()
    steps = [graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base)]
    steps.append(graph.add("scale", f"{width}:{height}:out_range=full"))
    filters, argument = _TURNS.get(frame.rotation, ("", ""))
    steps += [graph.add(name, argument or None) for name in filters.split(",") if name]
    steps += [graph.add("format", "yuvj420p"), graph.add("buffersink")]
    graph.link_nodes(*steps).configure()
    graph.push(frame)
    picture = graph.pull()
    assert isinstance(picture, VideoFrame)
    encoder = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt = picture.width, picture.height, "yuvj420p"
    encoder.time_base = Fraction(1, 25)
    encoder.options = {"qmin": "3", "qmax": "5"}
    Path(path).write_bytes(b"".join(bytes(packet) for packet in [*encoder.encode(picture), *encoder.encode(None)]))


def _displayed_size(frame: VideoFrame, aspect: Fraction | None) -> tuple[int, int]:
    width = frame.width * float(aspect) if aspect else float(frame.width)
    factor = min(1.0, _LONG_SIDE / max(width, frame.height))
    return max(2, round(width * factor)), max(2, round(frame.height * factor))


def main(containers: str, max_pixels: str, thumbnail: str, mark: str) -> None:
    """Make the mark, inspect the file and print the answer; exit with EX_TEMPFAIL when there was not enough memory."""
    Path(mark).touch()
    try:
        answer = inspect(containers, int(max_pixels), thumbnail)
    except MemoryError:
        sys.exit(os.EX_TEMPFAIL)
    except Refused as refusal:
        if isinstance(refusal.__cause__, MemoryError):
            sys.exit(os.EX_TEMPFAIL)
        answer = {"refused": str(refusal)}
    except (av.FFmpegError, ValueError, ArithmeticError, LookupError):
        # Numbers and names out of the file that nothing here can work with. Other exceptions are faults of ours.
        answer = {"refused": "undecodable"}
    print(json.dumps(answer))


if __name__ == "__main__":
    main(*sys.argv[1:])
