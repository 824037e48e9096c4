"""Files that are made to harm whoever opens them as a video; none is a video that anybody could cut.

`SCRIPTS` are texts that make a careless ffmpeg open another file or a URL, which stands in their place ``{target}``; `FILES`
are the rest, a megabyte in all. Nothing here was found in the wild: it is written by hand or made with our own ffmpeg.
"""

from __future__ import annotations

import struct
import sys
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path

from tests.media_samples import ffmpeg, make_picture, make_sound, make_video, small_mp4_bytes

_HLS = "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:3\n"

SCRIPTS = {
    "an HLS playlist": _HLS + "#EXTINF:3,\n{target}\n#EXT-X-ENDLIST\n",
    "an HLS playlist of playlists": "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{target}\n",
    "an HLS playlist with a key": _HLS + '#EXT-X-KEY:METHOD=AES-128,URI="{target}"\n#EXTINF:3,\n{target}\n#EXT-X-ENDLIST\n',
    "an HLS playlist with a header": _HLS + '#EXT-X-MAP:URI="{target}"\n#EXTINF:3,\n{target}\n#EXT-X-ENDLIST\n',
    "an HLS playlist with nested protocols": _HLS + "#EXTINF:3,\nconcat:{target}|subfile,,start,0,end,9,,:{target}\n",
    "an ffconcat script": "ffconcat version 1.0\nfile {target}\n",
    "an ffconcat script with options": "ffconcat version 1.0\noption safe 0\nfile '{target}'\nduration 3\n",
    "a DASH manifest": (
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT3S">'
        '<Period><AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1"><BaseURL>{target}</BaseURL>'
        "</Representation></AdaptationSet></Period></MPD>"
    ),
    "a session description": "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\na=control:{target}\r\n"
    "m=video 5004 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n",
    "a redirector": "[Reference]\r\nRef1={target}\r\nRef2={target}\r\n",
    "a playlist behind the mark of an MP4": "\0\0\0\x10ftypisom\0\0\0\0" + _HLS + "#EXTINF:3,\n{target}\n",
    "a playlist behind the mark of a picture": "GIF89a\n" + _HLS + "#EXTINF:3,\n{target}\n",
}

NAMES = [
    "../../etc/passwd",
    "videos/../../film.mp4",
    "/dev/zero",
    "film.mp4 -> /etc/passwd",
    "concat:a.mp4|b.mp4",
    "http://127.0.0.1/film.mp4",
    "-i",
    "%d.mp4",
    "| touch owned.mp4",
    "fd:",
]
"""Names that mean something to a shell, to ffmpeg or to a file system."""


def _made(make: Callable[[Path], object], name: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        make(path)
        return path.read_bytes()


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", 8 + len(content)) + kind + content


def _numbers(*values: int) -> bytes:
    return struct.pack(f">{len(values)}I", *values)


def _half() -> bytes:
    video = small_mp4_bytes()
    return video[: len(video) // 2]


def _index_first() -> bytes:
    fast = _made(lambda path: make_video(path, seconds=1.0, extra=["-movflags", "+faststart"]), "fast.mp4")
    return fast[: len(fast) // 2]


def _huge_avi() -> bytes:
    picture = "color=size=16000x4000:rate=1:duration=1"
    return _made(lambda path: ffmpeg("-f", "lavfi", "-i", picture, "-c:v", "mjpeg", str(path)), "huge.avi")


def _picture(size: int = 64) -> bytes:
    """Return a PNG that says it is a square of `size` pixels and has 64 by 64 of them."""
    picture = bytearray(_made(make_picture, "frame.png"))
    picture[16:24] = _numbers(size, size)
    picture[29:33] = _numbers(zlib.crc32(picture[12:29]))
    return bytes(picture)


def _mp4(*, samples: int = 1, sample_bytes: int = 0, sample_ticks: int = 1, again: bool = False, size: int = 64) -> bytes:
    """Return an MP4 with one track whose tables say all this of the one PNG that is in it.

    `again`: each of the samples is that same PNG.
    """
    frame = _picture(size)
    duration = min(samples * sample_ticks, 2**32 - 1)
    matrix = _numbers(0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
    entry = bytes(6) + struct.pack(">H", 1) + bytes(16) + struct.pack(">HH", size, size)
    entry += _numbers(0x480000, 0x480000, 0) + struct.pack(">H", 1) + bytes(32) + struct.pack(">Hh", 24, -1)
    header = _box(b"ftyp", b"isom" + bytes(4) + b"isom")
    mdat = _box(b"mdat", frame)
    table = (
        _box(b"stsd", _numbers(0, 1) + _box(b"png ", entry))
        + _box(b"stts", _numbers(0, 1, samples, sample_ticks))
        + _box(b"stsc", _numbers(0, 1, 1, 1 if again else samples, 1))
        + _box(b"stsz", _numbers(0, sample_bytes or len(frame), samples))
        + _box(b"stco", _numbers(0, samples if again else 1) + _numbers(len(header) + 8) * (samples if again else 1))
    )
    data = _box(b"dinf", _box(b"dref", _numbers(0, 1) + _box(b"url ", _numbers(1))))
    media = (
        _box(b"mdhd", _numbers(0, 0, 0, 1, duration, 0x55C40000))
        + _box(b"hdlr", _numbers(0, 0) + b"vide" + bytes(13))
        + _box(b"minf", _box(b"vmhd", bytes(12)) + data + _box(b"stbl", table))
    )
    track = _numbers(7, 0, 0, 1, 0, duration, 0, 0, 0, 0) + matrix + _numbers(size << 16, size << 16)
    movie = _numbers(0, 0, 0, 1, duration, 0x10000, 0x1000000, 0, 0) + matrix + bytes(24) + _numbers(2)
    moov = _box(b"moov", _box(b"mvhd", movie) + _box(b"trak", _box(b"tkhd", track) + _box(b"mdia", media)))
    return header + mdat + moov


def _compressed_index() -> bytes:
    """Return a QuickTime file whose compressed index says that it takes 2 GB and really takes 200 MB."""
    index = _box(b"dcom", b"zlib") + _box(b"cmvd", _numbers(2**31 - 1) + zlib.compress(bytes(200 * 10**6), 6))
    return _box(b"ftyp", b"qt  " + bytes(4) + b"qt  ") + _box(b"moov", _box(b"cmov", index))


def _nested_boxes() -> bytes:
    content = b""
    for _ in range(2000):
        content = _box(b"moov", content)
    return _box(b"ftyp", b"isom" + bytes(4) + b"isom") + content


def _element(identity: str, content: bytes) -> bytes:
    return bytes.fromhex(identity) + struct.pack(">Q", 1 << 56 | len(content)) + content


def _matroska(*milliseconds: int, packed: bytes | None = None) -> bytes:
    """Return a Matroska file that claims to be a second long, with a frame at each of these times; `packed` is one in zlib."""
    frame = packed or _picture()
    header = _element("4282", b"matroska") + _element("4287", b"\x04") + _element("4285", b"\x02")
    info = _element("2AD7B1", _numbers(1_000_000)) + _element("4489", struct.pack(">d", 1000))
    video = _element("B0", struct.pack(">H", 64)) + _element("BA", struct.pack(">H", 64))
    track = _element("D7", b"\x01") + _element("73C5", b"\x01") + _element("83", b"\x01") + _element("86", b"V_MS/VFW/FOURCC")
    bitmap = struct.pack("<IiiHH4sIiiII", 40, 64, 64, 1, 24, b"MPNG", 0, 0, 0, 0, 0)
    track += _element("63A2", bitmap) + _element("E0", video)
    if packed:
        compression = _element("5034", _element("4254", b"\0"))
        track += _element("6D80", _element("6240", _element("5031", b"\0") + _element("5032", b"\x01") + compression))
    block = _element("A3", b"\x81" + bytes(2) + b"\x80" + frame)
    clusters = b"".join(_element("1F43B675", _element("E7", struct.pack(">Q", time)) + block) for time in milliseconds)
    segment = _element("1549A966", info) + _element("1654AE6B", _element("AE", track)) + clusters
    return _element("1A45DFA3", header) + _element("18538067", segment)


def _many_per_second() -> bytes:
    picture = "color=black:size=64x64:rate=20000:duration=1"
    codec = ["-c:v", "libx264", "-preset", "ultrafast", "-video_track_timescale", "20000"]
    return _made(lambda path: ffmpeg("-f", "lavfi", "-i", picture, *codec, str(path)), "quick.mp4")


FILES: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"",
    "one byte": lambda: b"\0",
    "text": lambda: b"This is no video.\n" * 1000,
    "a web page": lambda: b"<!doctype html><video src='file:///etc/passwd'></video>" * 50,
    "a program": lambda: Path(sys.executable).read_bytes()[:200_000],
    "a picture called a video": lambda: _made(make_picture, "picture.png"),
    "a sound called a video": lambda: _made(make_sound, "sound.wav"),
    "a moving picture that is no video": lambda: b"GIF89a" + struct.pack("<HH", 65535, 65535) + bytes(500),
    "a video that lost its end": _half,
    "a video that lost its end, index first": _index_first,
    "the mark of an MP4 and nothing else": lambda: _box(b"ftyp", b"isom" + bytes(4) + b"isom"),
    "a picture of 64 million pixels": _huge_avi,
    "a claim of 65535 by 65535 pixels": lambda: _mp4(size=65535),
    "one frame that lasts 34 years": lambda: _mp4(sample_ticks=2**30),
    "a Matroska whose second frame comes after 34 years": lambda: _matroska(0, 2**40),
    "one frame of an hour, shown for 200 days": lambda: _mp4(samples=5000, sample_ticks=3600, again=True),
    "one frame, shown a hundred thousand times": lambda: _mp4(samples=10**5, again=True),
    "ten million frames in one kilobyte": lambda: _mp4(samples=10**7, sample_bytes=1),
    "a hundred million frames in one kilobyte": lambda: _mp4(samples=10**8, sample_bytes=1),
    "four thousand million frames in one kilobyte": lambda: _mp4(samples=2**32 - 1, sample_bytes=1),
    "twenty thousand frames a second": _many_per_second,
    "a compressed index of two gigabytes": _compressed_index,
    "a compressed frame of 200 megabytes": lambda: _matroska(0, packed=zlib.compress(bytes(2 * 10**8), 6)),
    "two thousand boxes in one another": _nested_boxes,
}
