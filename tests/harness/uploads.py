"""A client that uploads one video after the other into the same project, each with its number in its bytes."""

from __future__ import annotations

import struct
from pathlib import Path

from tests.harness.caller import Caller, CallFailed
from tests.harness.load import Load
from tests.harness.numbered import Track
from tests.harness.whole_app import Reply, upload_form
from tests.media_samples import small_mp4_bytes

DISK_FULL = "507 disk_full"


class Uploads:
    """Uploads as a part of a `Load`, on the application at `port`; `track` says which upload was acknowledged last."""

    def __init__(self, load: Load, port: int) -> None:
        self._load = load
        self._port = port
        self._project_id = load.new_project("0")
        self.track = Track("uploads")
        load.write_on(self.track, self._upload, kind="upload")

    @property
    def outcomes(self) -> list[str]:
        """What came of the uploads so far, in order."""
        return [answer.outcome for answer in self._load.tally.answers if answer.kind == "upload"]

    def served(self) -> int | None:
        """Return the number of the video that the project has, None when there is no answer. Fails when it is not whole."""
        try:
            with Caller([self._port], self._load.owner) as caller:
                reply = caller.call("GET", f"/media/{self._project_id}/video")
        except CallFailed:
            return None
        if reply.status != 200:
            return None
        number = int.from_bytes(reply.body[-8:], "big")
        assert reply.body == _video(number), "half a video, or another one"
        return number

    def _upload(self, caller: Caller, number: int) -> Reply:
        body, headers = upload_form(self._project_id, _video(number))
        return caller.call("POST", "/media/upload", body, Content_Type=headers["Content-Type"])


class Filler:
    """A file that takes what is left of a small disk until it is deleted."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "filler"

    def fill(self) -> None:
        """Leave no room; there may be some again when somebody else deletes a file."""
        with self._path.open("ab", buffering=0) as file:
            try:
                while file.write(bytes(4096)):
                    pass
            except OSError:
                return

    def delete(self) -> None:
        """Give the room back."""
        self._path.unlink()


def _video(number: int) -> bytes:
    # An MP4 may end with a box of unused bytes.
    return small_mp4_bytes() + struct.pack(">I4sQ", 16, b"free", number)
