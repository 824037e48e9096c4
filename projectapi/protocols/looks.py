"""What editors show of a video besides the video itself: pictures of moments, a strip of them, the shape of its sound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from projectapi.project import Video


@dataclass(frozen=True, slots=True, kw_only=True)
class Filmstrip:
    """How the tiles of a filmstrip lie on its sheet: `count` of them, from left to right, row after row.

    Tile n, from 0, stands for the time from n times `interval` seconds on; sizes are in pixels.
    """

    tile_width: int
    tile_height: int
    columns: int
    rows: int
    interval: float
    count: int
    duration: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Waveform:
    """The shape of a video's sound: the lowest and the highest sample, -128 to 127, of every `samples_per_pixel` samples.

    `data` has both in turn, of all channels together; it is empty for a video without sound.
    """

    sample_rate: int
    samples_per_pixel: int
    data: Sequence[int]

    @property
    def length(self) -> int:
        """The number of pairs."""
        return len(self.data) // 2


class VideoLooks(Protocol):
    """Makes what is shown of a video when it is first asked for, keeps it, and makes it again when it is gone.

    Every method may raise VideoLost, VideoNotFound, MediaBusy (it is still being made: ask again), ProjectApiError when the
    tool fails, Unavailable and DiskFull.
    """

    def frame_at(self, video: Video, seconds: float) -> Path:
        """Return the picture (JPEG, upright, at most 640 pixels long) that is seen at this time, the last one after the end."""

    def filmstrip_of(self, video: Video) -> Filmstrip:
        """Return how the filmstrip is laid out; nothing is made for that."""

    def filmstrip_sheet(self, video: Video) -> Path:
        """Return the sheet (JPEG) with all tiles of the filmstrip."""

    def waveform_of(self, video: Video, peaks_per_second: int) -> Waveform:
        """Return the waveform with so many peaks for each second, or fewer for a video of many hours."""
