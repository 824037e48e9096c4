"""What is shown of a video besides the video: frames, filmstrips and waveforms, made once from the original and kept.

::

    <root>/looks/<uuid>_frame_<hundredths>.jpg    what is seen at a time, in hundredths of a second
    <root>/looks/<uuid>_filmstrip_<recipe>.jpg
    <root>/looks/<uuid>_peaks_<recipe>.dat
    <root>/looks/….lock                           while one of them is made

The uuid is that of the original, whose bytes never change. All of them may go at any time, and go with the video.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from projectapi import errors
from projectapi.media.filmstrip import SHEET, layout, sheet_command
from projectapi.media.identities import identity_of
from projectapi.media.made_once import MadeOnce, Make
from projectapi.media.picture_commands import FRAME, frame_commands
from projectapi.media.sandbox import Limits, Sandbox, SandboxError, SandboxTimeout
from projectapi.media.sound_peaks import LEVELS, finest, levels_command, read_peaks, silence, write_peaks
from projectapi.media.storage import LOOKS, MediaFolder
from projectapi.project import Video
from projectapi.protocols import Filmstrip, VideoLooks, Waveform

_LIMITS = Limits(seconds=180, cpu_seconds=300, memory_bytes=3 * 2**30, output_bytes=64 * 2**20)
_FRAMES_MAX = 300
_FRAME_WAIT_SECONDS, _WAIT_SECONDS = 10.0, 20.0

# Raised when the same video would give another sheet or other peaks, so that what an older version made is not taken for it.
_STRIP_RECIPE, _PEAKS_RECIPE = 1, 1

_FAILED = "The server could not make this from the video. Your project and the video are untouched."
_TOO_LONG = "This takes longer than the server may work on it. Your project and the video are untouched."
_PEAKS = "peaks.dat"

_log = logging.getLogger(__name__)


class Looks(VideoLooks):
    """`VideoLooks` over a media folder; `path_of` says where an original lies, or what became of it."""

    def __init__(self, folder: MediaFolder, path_of: Callable[[Video], Path], *, at_once: int = 2) -> None:
        self._folder = folder
        self._path_of = path_of
        self._sandbox = Sandbox(slots=2 * at_once, wait_seconds=_FRAME_WAIT_SECONDS)
        # Frames have places of their own: they are quick, and should not wait for what is slow.
        self._frames = MadeOnce(folder, at_once=at_once, make_seconds=_LIMITS.seconds)
        self._rest = MadeOnce(folder, at_once=at_once, make_seconds=_LIMITS.seconds)

    def frame_at(self, video: Video, seconds: float) -> Path:
        """See `VideoLooks.frame_at`; times are taken to a hundredth of a second."""
        hundredths = round(min(seconds, video.duration) * 100)
        name = _name(video, f"frame_{hundredths}.jpg")
        return self._look(self._frames, video, name, partial(self._make_frame, video, hundredths / 100), _FRAME_WAIT_SECONDS)

    def filmstrip_of(self, video: Video) -> Filmstrip:
        """See `VideoLooks.filmstrip_of`."""
        self._path_of(video)
        return layout(video)

    def filmstrip_sheet(self, video: Video) -> Path:
        """See `VideoLooks.filmstrip_sheet`."""
        name = _name(video, f"filmstrip_{_STRIP_RECIPE}.jpg")
        return self._look(self._rest, video, name, partial(self._make_sheet, video), _WAIT_SECONDS)

    def waveform_of(self, video: Video, peaks_per_second: int) -> Waveform:
        """See `VideoLooks.waveform_of`."""
        self._path_of(video)
        if video.audio_codec is None:
            return silence(peaks_per_second)
        name = _name(video, f"peaks_{_PEAKS_RECIPE}.dat")
        path = self._look(self._rest, video, name, partial(self._make_peaks, video), _WAIT_SECONDS)
        try:
            return read_peaks(path, peaks_per_second)
        except FileNotFoundError as error:
            raise errors.VideoNotFound from error

    def _look(self, made: MadeOnce, video: Video, name: str, make: Make, wait_seconds: float) -> Path:
        source = self._path_of(video)
        path = made.path(name, make, wait_seconds)
        # Who discards a video deletes the original first and then what was made of it: this may have come too late for that.
        if not source.exists():
            path.unlink(missing_ok=True)
            raise errors.VideoNotFound
        return path

    def _make_frame(self, video: Video, seconds: float, scratch: Path) -> Path:
        picture = scratch / FRAME
        for command in frame_commands(video, seconds):
            self._run(command, video, scratch)
            if picture.is_file() and picture.stat().st_size > 0:
                self._make_room_for_frame(video)
                return picture
        _log.error("no picture of %s was found at %.2f s", video.path, seconds)
        raise errors.ProjectApiError(_FAILED)

    def _make_sheet(self, video: Video, scratch: Path) -> Path:
        self._run(sheet_command(video, layout(video)), video, scratch)
        return scratch / SHEET

    def _make_peaks(self, video: Video, scratch: Path) -> Path:
        rate = finest(video.duration)
        self._run(levels_command(rate), video, scratch)
        with self._failing_plainly(video):
            write_peaks(scratch / LEVELS, rate, scratch / _PEAKS)
        return scratch / _PEAKS

    def _run(self, command: list[str], video: Video, scratch: Path) -> None:
        source = self._path_of(video)
        with self._failing_plainly(video), self._sandbox.place():
            self._sandbox.run(command, source=source, scratch=scratch, limits=_LIMITS)

    @contextmanager
    def _failing_plainly(self, video: Video) -> Iterator[None]:
        try:
            yield
        except SandboxTimeout as error:
            _log.warning("looking at %s was given up: it took too long", video.path)
            raise errors.MediaBusy(_TOO_LONG, headers={"Retry-After": "3600"}) from error
        except FileNotFoundError as error:
            raise errors.VideoNotFound from error
        except (SandboxError, ValueError) as error:
            _log.error("looking at %s failed: %s", video.path, error)
            raise errors.ProjectApiError(_FAILED) from error

    def _make_room_for_frame(self, video: Video) -> None:
        """Keep the frames that were asked for last, so that there are not too many with one more."""
        frames = list((self._folder.root / LOOKS).glob(_name(video, "frame_*.jpg").removeprefix(f"{LOOKS}/")))
        excess = len(frames) + 1 - _FRAMES_MAX
        if excess > 0:
            with suppress(FileNotFoundError):
                for path in sorted(frames, key=lambda path: path.stat().st_mtime)[:excess]:
                    path.unlink(missing_ok=True)


def _name(video: Video, what: str) -> str:
    return f"{LOOKS}/{identity_of(video)}_{what}"
