"""What keeps uploads that may break off and go on must do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadPlan:
    """What a client says before it sends: for which project, how many bytes, and under which name the file is known to them.

    `owner` is who may go on with it, None for anybody who knows its address; `metadata` and `concatenation` are the headers
    `Upload-Metadata` and `Upload-Concat` as they were sent. A part of a concatenation is for no project yet.
    """

    project_id: str
    owner: str | None
    length: int
    original_name: str | None
    metadata: str
    concatenation: str = ""

    @property
    def is_partial(self) -> bool:
        """Whether this is only to become a part of another upload."""
        return self.concatenation == "partial"


@dataclass(frozen=True, slots=True)
class Checksum:
    """What the bytes of one request must add up to; `algorithm` is a name that `hashlib` knows."""

    algorithm: str
    digest: bytes


class ResumableUpload(Protocol):
    """One upload while the request at hand has it for itself."""

    @property
    def plan(self) -> UploadPlan: ...
    @property
    def offset(self) -> int:
        """How many bytes are safely on the disk."""

    @property
    def is_stored(self) -> bool:
        """Whether the whole of it has become the project's video."""

    @property
    def begun_at(self) -> datetime:
        """When it was created."""

    @property
    def expires_at(self) -> datetime:
        """When it may be swept away, unless more bytes come."""

    def append(self, chunks: Iterable[bytes], checksum: Checksum | None = None) -> None:
        """Take bytes in at the end; what had come before an error or a crash stays, but never bytes that were not checked.

        Raises VideoTooLarge, DiskFull, ChecksumMismatch, and whatever `chunks` raises.
        """

    def is_wanted_elsewhere(self) -> bool:
        """Tell whether another request waits for this upload."""

    def chunks(self) -> Iterator[bytes]:
        """Yield all bytes that came so far."""

    def whole(self) -> Any:
        """Return the whole file, for `VideoFiles.accept`, which leaves the upload's own bytes where they are."""

    def settle(self) -> None:
        """Remember that the whole became the project's video, and let go of the bytes."""

    def discard(self) -> None:
        """Forget the upload and its bytes."""


class ResumableUploads(Protocol):
    """Keeps uploads on the media disk, so that they survive every kill and restart of the server."""

    def create(self, plan: UploadPlan) -> str:
        """Make room for an upload and return its unguessable name. Raises VideoTooLarge, DiskFull and Unavailable."""

    def open(self, upload_id: str) -> AbstractContextManager[ResumableUpload]:
        """Have an upload for oneself. Raises UploadNotFound, UploadExpired, and UploadLocked while another request has it."""

    def receiving(self) -> AbstractContextManager[None]:
        """Hold one of the places for requests that bring bytes. Raises MediaBusy when all are taken."""

    def sweep(self, *, dry_run: bool = False) -> list[str]:
        """Delete uploads that were left alone for too long and return their names."""
