"""A client that uploads one video after the other into the same project, each with its number in its bytes."""

from __future__ import annotations

import struct
from pathlib import Path

from tests.harness.caller import Caller, CallFailed
from tests.harness.load import Load
from tests.harness.numbered import Track
from tests.harness.whole_app import Reply
from tests.media_samples import small_mp4_bytes

_BOUNDARY = b"----projectapi"
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
        fields = b'\r\nContent-Disposition: form-data; name="project_id"\r\n\r\n' + self._project_id.encode()
        file = b'\r\nContent-Disposition: form-data; name="file"; filename="film.mp4"\r\nContent-Type: video/mp4\r\n\r\n'
        parts = (fields + b"\r\n", file + _video(number) + b"\r\n")
        body = b"".join(b"--" + _BOUNDARY + part for part in parts) + b"--" + _BOUNDARY + b"--\r\n"
        return caller.call("POST", "/media/upload", body, Content_Type="multipart/form-data; boundary=" + _BOUNDARY.decode())


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
