"""Reading a bundle that a stranger sent: everything in it is checked before anything of it is believed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import IO, Any

from marshmallow import Schema

from projectapi.bundle.layout import FORMAT, FORMAT_VERSION, HISTORY, MANIFEST, PROJECT, TIMELINE, TRANSCRIPT, VIDEO
from projectapi.bundle.opening import open_bundle, video_name, zip_understood
from projectapi.errors import BodyTooLarge, InvalidBundle, MalformedJson, ValidationFailed
from projectapi.project import JsonObject
from projectapi.protocols import ImportedProject, ImportedVersion
from projectapi.schemas.bundles import BundledProject, BundledTranscript, EarlierVersion, Manifest
from projectapi.schemas.json_body import parse_json
from projectapi.schemas.loading import load
from projectapi.schemas.timeline_schema import check_timeline
from projectapi.transcript import Transcript, with_values

_CHUNK_BYTES = 1 << 18
_VERSIONS_MAX = 10_000
_LINE_MAX_BYTES = 33 * (1 << 20)

_MANIFEST, _PROJECT, _TRANSCRIPT, _EARLIER = Manifest(), BundledProject(), BundledTranscript(), EarlierVersion()


class Bundle:
    """A bundle that was checked whole when it was made into one of these. Raises InvalidBundle, then and later."""

    def __init__(self, file: IO[bytes], max_video_bytes: int) -> None:
        self._archive = open_bundle(file, max_video_bytes)
        with zip_understood():
            self._check_files(self._loaded(MANIFEST, _MANIFEST))
            fields = self._loaded(PROJECT, _PROJECT)
            self._current = self._current_version(fields.pop("timeline"))
            self.project = ImportedProject(**fields, transcript=self._transcript())
            self._count_versions()
            self.video = video_name(self._archive)

    @property
    def video_file_name(self) -> str | None:
        """What the video's file was called."""
        return None if self.video is None else self.video.removeprefix(VIDEO)

    @property
    def video_bytes(self) -> int:
        """The video's size."""
        return 0 if self.video is None else self._archive.getinfo(self.video).file_size

    def video_chunks(self) -> Iterator[bytes]:
        """Yield the video's bytes."""
        if self.video is not None:
            yield from self._chunks(self.video)

    def versions(self) -> Iterator[ImportedVersion]:
        """Yield the versions of the timeline, the oldest first, the current one last; none when there is no timeline."""
        if self._current is not None:
            for fields in self._earlier():
                yield ImportedVersion(**fields)
            yield self._current

    def close(self) -> None:
        """Close the zip file."""
        self._archive.close()

    def __enter__(self) -> Bundle:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _check_files(self, manifest: JsonObject) -> None:
        if manifest["format"] != FORMAT or manifest["format_version"] != FORMAT_VERSION:
            raise InvalidBundle("This bundle is of a form that this server does not know. Nothing was imported.")
        listed = {file["name"]: file for file in manifest["files"]}
        if listed.keys() != set(self._archive.namelist()) - {MANIFEST} or len(listed) != len(manifest["files"]):
            raise InvalidBundle("The bundle's manifest does not name what is in it. Nothing was imported.")
        for name, file in listed.items():
            digest, size = hashlib.sha256(), 0
            for chunk in self._chunks(name):
                digest.update(chunk)
                size += len(chunk)
            if size != file["bytes"] or digest.hexdigest() != file["sha256"]:
                raise InvalidBundle("A file in the bundle is not what its manifest says. Nothing was imported.")

    def _current_version(self, fields: JsonObject | None) -> ImportedVersion | None:
        if (fields is None) is not (TIMELINE not in self._archive.namelist()):
            raise InvalidBundle("The bundle contradicts itself about its timeline. Nothing was imported.")
        if fields is None:
            return None
        state = self._json(TIMELINE)
        if problems := check_timeline(state):
            raise InvalidBundle(f"The bundle's timeline cannot be used: {problems[0]['msg']} Nothing was imported.")
        return ImportedVersion(state=state, **fields)

    def _count_versions(self) -> None:
        """Look at all earlier versions once, so that nothing is stored of a history of which the end cannot be used."""
        last = 0
        for number, fields in enumerate(self._earlier(), 1):
            if self._current is None or not last < fields["version"] < self._current.version:
                raise InvalidBundle("The versions in the bundle are not in their order. Nothing was imported.")
            if number > _VERSIONS_MAX:
                raise InvalidBundle(f"The bundle has more than {_VERSIONS_MAX:,} versions. Nothing was imported.")
            last = fields["version"]

    def _earlier(self) -> Iterator[JsonObject]:
        if HISTORY not in self._archive.namelist():
            return
        with zip_understood(), self._archive.open(HISTORY) as stream:
            for line in iter(partial(stream.readline, _LINE_MAX_BYTES), b""):
                with _said_of(HISTORY):
                    yield load(_EARLIER, parse_json(line.rstrip(b"\n")))

    def _transcript(self) -> Transcript | None:
        if TRANSCRIPT not in self._archive.namelist():
            return None
        fields = self._loaded(TRANSCRIPT, _TRANSCRIPT)
        own = {name: fields.pop(name) for name in ("version", "created_at", "updated_at")}
        with _said_of(TRANSCRIPT):
            return with_values(Transcript(id="", project_id="", tag="", **own), fields)

    def _loaded(self, name: str, schema: Schema) -> JsonObject:
        value = self._json(name)
        with _said_of(name):
            return load(schema, value)

    def _json(self, name: str) -> Any:
        with _said_of(name):
            return parse_json(self._archive.read(name))

    def _chunks(self, name: str) -> Iterator[bytes]:
        with zip_understood(), self._archive.open(name) as stream:
            while data := stream.read(_CHUNK_BYTES):
                yield data


@contextmanager
def _said_of(name: str) -> Iterator[None]:
    """Say of a file in the bundle what would otherwise be said of the request's body."""
    try:
        yield
    except MalformedJson as error:
        raise InvalidBundle(f"{name} in the bundle is not valid JSON. Nothing was imported.") from error
    except (ValidationFailed, BodyTooLarge) as error:
        raise InvalidBundle(f"{name} in the bundle cannot be used: {error.text} Nothing was imported.") from error
