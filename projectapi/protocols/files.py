"""What a room of video files must do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from projectapi.project import Segment, Video
from projectapi.protocols.jobs import Report
from projectapi.timeline.cut import Edit


class Arriving(Protocol):
    """Something on its way in."""

    @property
    def bytes(self) -> int:
        """How many bytes came in so far."""


class IncomingFile(Arriving, Protocol):
    """A part file that an upload is written into."""

    def write(self, data: bytes, /) -> int:
        """Append bytes. Raises VideoTooLarge and DiskFull; then the part is gone."""


class TrimmedFile(Protocol):
    """A cut copy of a video: its path relative to the media folder, its duration in seconds."""

    @property
    def path(self) -> str: ...
    @property
    def duration(self) -> float: ...


class VideoFiles(Protocol):
    """Keeps video files on the server's disk and works on them; knows files and no projects."""

    def receive(self, expected_bytes: int | None = None) -> AbstractContextManager[IncomingFile]:
        """Lend a part file for an upload of about `expected_bytes`, which is deleted afterwards unless `accept` took it.

        Raises VideoTooLarge, DiskFull, MediaBusy and Unavailable.
        """

    def accept(self, part: Any, original_name: str | None) -> Video:
        """Probe a whole part that `receive` gave, and give it its place.

        Raises InvalidVideo, MediaBusy, DiskFull and Unavailable.
        """

    def begun_at(self, video: Video) -> datetime | None:
        """Return when the upload of a video began, None where that is not known."""

    def discard(self, video: Video) -> None:
        """Delete the files of a video that no record names any more."""

    def sweep(self, in_use: Set[str], older_than_seconds: float, *, dry_run: bool = False) -> Sequence[str]:
        """Delete files older than this that nothing points to, and return their names; `in_use` holds the paths in records."""

    def put_back(self, name: str, chunks: Iterable[bytes]) -> None:
        """Store a file of a backup under the name that a record has for it. Raises NotFound for a name that is none of ours."""

    def path_of(self, video: Video) -> Path:
        """Return where the original lies. Raises VideoLost when the file is gone."""

    def sha256_of(self, video: Video) -> str:
        """Read the whole original and return its checksum, in hexadecimal. Raises VideoLost."""

    def thumbnail_path_of(self, video: Video) -> Path:
        """Return where the thumbnail lies. Raises ThumbnailNotFound."""

    def static_path(self, relative: str) -> Path:
        """Return a file of the media folder. Raises NotFound for anything that is not to be served."""

    def find_trimmed(self, video: Video, segments: Sequence[Segment]) -> TrimmedFile | None:
        """Return what `trim` made, if it is still there. Raises VideoNotFound, and ValidationFailed as `trim` does."""

    def trim(self, video: Video, segments: Sequence[Segment], report: Report) -> TrimmedFile:
        """Return the file that holds just these segments of the original, made anew unless it is there.

        Raises VideoNotFound, ValidationFailed when nothing is left of a segment, MediaBusy when it takes too long,
        ProjectApiError when it cannot be done, and what `report` raises; then nothing is left of it.
        """

    def find_rendered(self, video: Video, edit: Edit) -> TrimmedFile | None:
        """Return what `render` made, if it is still there. Raises VideoNotFound, ValidationFailed."""

    def render(self, video: Video, edit: Edit, report: Report) -> TrimmedFile:
        """Return the file that shows what the edit says, made anew unless it is there.

        Where a shot shows nothing of the original it is black. Raises what `trim` raises, ValidationFailed when all is black.
        """
