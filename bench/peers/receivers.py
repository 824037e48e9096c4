"""Two ways of taking a file that others go: Flask's own for forms, and tusd's of appending pieces.

tusd's store (a file, and a file about it) neither waits for the disk nor adds up a checksum, and nobody looks into what came.
"""

from __future__ import annotations

import json
import os
import uuid
from pathlib import Path

from flask import Flask, Response, request

_FOLDER = Path(os.environ["MEDIA_DIR"])
_COPY_BYTES = 32 * 1024

app = Flask(__name__)


@app.get("/health")
def health() -> str:
    """Say that the server is there."""
    return "here"


@app.post("/upload")
def take_form() -> Response:
    """Keep the form's file as Flask's documentation shows it: spooled by the parser, copied to its place."""
    path = _FOLDER / f"{uuid.uuid4()}.mp4"
    request.files["file"].save(path)
    path.unlink()
    return Response(status=200)


@app.post("/files")
def create() -> Response:
    """Begin an upload in pieces."""
    name = uuid.uuid4().hex
    (_FOLDER / name).touch()
    _tell(name, 0)
    return Response(status=201, headers={"Location": f"/files/{name}"})


@app.patch("/files/<name>")
def append(name: str) -> Response:
    """Append a piece, and say in the file beside it how far it is."""
    path = _FOLDER / name
    with path.open("ab") as file:
        while data := request.stream.read(_COPY_BYTES):
            file.write(data)
    offset = path.stat().st_size
    _tell(name, offset)
    return Response(status=204, headers={"Upload-Offset": str(offset)})


def _tell(name: str, offset: int) -> None:
    (_FOLDER / f"{name}.info").write_text(json.dumps({"ID": name, "Offset": offset, "MetaData": {}}))
