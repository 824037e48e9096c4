"""How a filmstrip is laid out, and the ffmpeg command that makes its sheet. Times are in seconds, sizes in pixels."""

from __future__ import annotations

import math
from fractions import Fraction

from projectapi.media.picture_commands import read_pictures, squared
from projectapi.project import Video
from projectapi.protocols import Filmstrip

SHEET = "sheet.jpg"

_INTERVALS = [Fraction(1, 4), Fraction(1, 2), *map(Fraction, (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 1800))]
_TILES_MAX = 100
_COLUMNS = 10
_TILE_HEIGHT = 90
_TILE_WIDTHS = (32, 240)

_DECODED_MAX = 8_000_000_000
"""Most pixels that are decoded for a sheet, about two minutes of 1080p: of a longer video only keyframes are."""


def layout(video: Video) -> Filmstrip:
    """Return how the filmstrip of `video` is laid out: at most a hundred tiles, ten in a row, at a round interval."""
    interval = next((step for step in _INTERVALS if video.duration / step <= _TILES_MAX), _INTERVALS[-1])
    count = max(1, min(_TILES_MAX, math.ceil(round(video.duration / interval, 6))))
    columns = min(_COLUMNS, count)
    return Filmstrip(
        tile_width=_tile_width(video),
        tile_height=_TILE_HEIGHT,
        columns=columns,
        rows=math.ceil(count / columns),
        interval=float(interval),
        count=count,
        duration=video.duration,
    )


def sheet_command(video: Video, strip: Filmstrip) -> list[str]:
    """Return the ffmpeg command that makes the sheet as `SHEET`.

    Each tile shows what is seen at its time, or the keyframe before that when decoding all of the video would take long.
    """
    size = f"{strip.tile_width}:{strip.tile_height}"
    filters = [
        # Up: the latest picture at or before a tile's time. The last one stays until all tiles are there.
        f"fps={1 / Fraction(strip.interval)}:round=up:start_time=0",
        *squared(f"{size}:force_original_aspect_ratio=decrease"),
        f"pad={size}:-1:-1",
        f"tpad=stop=-1:stop_mode=clone,trim=end_frame={strip.count},tile={strip.columns}x{strip.rows}",
    ]
    reading = read_pictures(keyframes_only=_pixels(video) > _DECODED_MAX)
    return [*reading, "-vf", ",".join(filters), "-frames:v", "1", "-q:v", "5", "-update", "1", SHEET]


def _pixels(video: Video) -> float:
    return video.duration * (video.frame_rate or 30) * video.width * video.height


def _tile_width(video: Video) -> int:
    width, height = (video.height, video.width) if video.rotation % 180 else (video.width, video.height)
    wanted = round(_TILE_HEIGHT * width / height / 2) * 2
    return min(max(wanted, _TILE_WIDTHS[0]), _TILE_WIDTHS[1])
