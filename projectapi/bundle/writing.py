"""Making a bundle: a zip file that goes out while it is being made, whatever its size."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import IO
from urllib.parse import quote

import orjson

from projectapi.bundle.layout import FORMAT, FORMAT_VERSION, HISTORY, MANIFEST, OTIO, PROJECT, TIMELINE, TRANSCRIPT, VIDEO
from projectapi.project import JsonObject, Project, Revision, Timeline, Video
from projectapi.schemas.times import wire_time
from projectapi.timeline.otio import Media, timeline_to_otio
from projectapi.transcript import Transcript

_CHUNK_BYTES = 1 << 18
_LEVEL = 1
"""Timelines shrink to a tenth at the quickest level; a request should not keep a processor for long."""


@dataclass(frozen=True, slots=True)
class BundledVideo:
    """The project's video and its open file."""

    video: Video
    file: IO[bytes]


def bundle_of(project: Project, earlier: Iterable[Revision] | None, video: BundledVideo | None) -> Iterator[bytes]:
    """Yield the bytes of a bundle; `earlier` are the versions before the current one, the oldest first."""
    out = _ZipStream()
    yield from out.add(PROJECT, [orjson.dumps(_project_fields(project))])
    if project.timeline is not None:
        state = project.timeline.state
        yield from out.add(TIMELINE, [orjson.dumps(state)])
        yield from out.add(OTIO, [orjson.dumps(timeline_to_otio(project.name, state, _media(project.video, video)))])
    if project.transcript is not None:
        yield from out.add(TRANSCRIPT, [orjson.dumps(_transcript_fields(project.transcript))])
    if earlier is not None:
        yield from out.add(HISTORY, (orjson.dumps(_version_fields(r) | {"state": r.state}) + b"\n" for r in earlier))
    if video is not None:
        chunks = iter(partial(video.file.read, _CHUNK_BYTES), b"")
        # Videos are compressed already.
        yield from out.add(_name_of(video.video), chunks, zipfile.ZIP_STORED)
    yield from out.finish()


class _ZipStream:
    """A zip file that is handed out in pieces, and ends with a manifest of what went out."""

    def __init__(self) -> None:
        self._pieces = _Pieces()
        self._zip = zipfile.ZipFile(self._pieces, "w", compresslevel=_LEVEL)  # type: ignore[call-overload]
        self._files: list[JsonObject] = []

    def add(self, name: str, chunks: Iterable[bytes], method: int = zipfile.ZIP_DEFLATED) -> Iterator[bytes]:
        """Yield the bytes of one more file."""
        digest, size = hashlib.sha256(), 0
        entry = zipfile.ZipInfo(name)
        entry.compress_type = method
        with self._zip.open(entry, "w", force_zip64=True) as stream:
            for chunk in chunks:
                digest.update(chunk)
                size += len(chunk)
                stream.write(chunk)
                yield from self._pieces.take()
        self._files.append({"name": name, "bytes": size, "sha256": digest.hexdigest()})
        yield from self._pieces.take()

    def finish(self) -> Iterator[bytes]:
        """Yield the manifest and the end of the zip file."""
        manifest = {"format": FORMAT, "formatVersion": FORMAT_VERSION, "files": self._files}
        yield from self.add(MANIFEST, [orjson.dumps(manifest)])
        self._zip.close()
        yield from self._pieces.take()


class _Pieces:
    """Keeps what `zipfile` writes until it is taken; it cannot be sought, so nothing is written twice."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, data: bytes) -> int:
        """Keep a piece."""
        self._pieces.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Do nothing: there is nothing behind."""

    def take(self) -> Iterator[bytes]:
        """Yield what was written since the last time, in one piece, if anything was: an empty chunk would end an answer."""
        if self._pieces:
            taken = b"".join(self._pieces)
            self._pieces.clear()
            yield taken


def _project_fields(project: Project) -> JsonObject:
    return {
        "name": project.name,
        "description": project.description,
        "duration": project.duration,
        # That of a video is made anew by whoever takes the video in.
        "thumbnail": project.thumbnail if project.video is None else None,
        "created_at": wire_time(project.created_at),
        "timeline": _version_fields(project.timeline) if project.timeline else None,
    }


def _version_fields(version: Timeline | Revision) -> JsonObject:
    return {
        "version": version.version,
        "description": version.description,
        "change_summary": version.change_summary,
        "created_by": version.created_by,
        "created_at": wire_time(version.created_at),
        "updated_at": wire_time(version.updated_at),
    }


def _transcript_fields(transcript: Transcript) -> JsonObject:
    left_out = ("id", "project_id", "tag", "created_at", "updated_at")
    rest = {name: getattr(transcript, name) for name in transcript.__slots__ if name not in left_out}
    return {**rest, "created_at": wire_time(transcript.created_at), "updated_at": wire_time(transcript.updated_at)}


def _media(video: Video | None, bundled: BundledVideo | None) -> Media | None:
    if video is None or bundled is None:
        return None
    return Media(quote(_name_of(video)), video.duration, video.frame_rate)


def _name_of(video: Video) -> str:
    # A colon is no part of a file's name on Windows, and what reads bundles takes it for a drive's.
    return VIDEO + video.original_name.replace(":", "_")
