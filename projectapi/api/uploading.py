"""How an upload's bytes reach their part file without a detour: Flask's request, with a place for the file to go."""

from __future__ import annotations

from typing import IO, Any, cast

from flask import Request

from projectapi.project import FORM_OVERHEAD_BYTES
from projectapi.protocols import IncomingFile


class UploadRequest(Request):
    """Writes the first file of a multipart body straight into the part file that a handler named."""

    part: IncomingFile | None = None

    def receive_into(self, part: IncomingFile, max_bytes: int) -> None:
        """Let the file of this request be written into `part`; call it before `files` or `form` are read."""
        self.part = part
        self.max_content_length = max_bytes + FORM_OVERHEAD_BYTES

    def _get_file_stream(self, *args: Any, **options: Any) -> IO[bytes]:
        # Werkzeug would spool the file to a temporary place first and so write a large video twice.
        part, self.part = self.part, None
        if part is not None:
            return cast(IO[bytes], part)
        return super()._get_file_stream(*args, **options)
