"""The archive of a backup: one zip file, written front to back and sealed.

::

    idempotency_keys/000001.bson.zst      documents, one after the other, as `mongodump` writes them, compressed
    timeline_states/000001.bson.zst       the history of some projects, then
    media/videos/<uuid>.mp4               their media files, then
    projects/000001.bson.zst              these projects; and so on
    manifest.json                         what is in it: collections, and every member with bytes and SHA-256

The members are stored uncompressed (they are compressed already) and any zip program can take them out. The comment at the
end of the zip file is its seal, the SHA-256 of every byte before it: members' checksums alone would leave the bytes of the zip
format itself unguarded.
"""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, cast

import zstandard
from bson.errors import BSONError

from projectapi.project import JsonObject
from projectapi.protocols import BackupProblem

FORMAT = "projectapi backup"
FORMAT_VERSION = 1
MANIFEST = "manifest.json"
DOCUMENTS = ".bson.zst"

SEAL = b"sha256:"
SEAL_BYTES = len(SEAL) + 64
CHUNK_BYTES = 1 << 20
_DOCUMENT_MAX_BYTES = (16 << 20) + (16 << 10)
"""What MongoDB takes of a document, and what it adds to one by itself."""
_LEVEL = 3
_MANIFEST_MAX_BYTES = 256 << 20
_OF_DAMAGED_FILES = (zipfile.BadZipFile, zstandard.ZstdError, NotImplementedError, RuntimeError, EOFError, OSError)
_OF_UNEXPECTED_CONTENTS = (BSONError, ValueError, KeyError, TypeError, AttributeError)
_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Member:
    """A member of the archive: its size in bytes, its SHA-256, and how many documents it holds (None: it is a file)."""

    name: str
    bytes: int
    sha256: str
    documents: int | None = None


class ArchiveWriter:
    """Writes an archive; it has its name only when `finish` was called, so whatever has the name is whole."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.members: list[Member] = []
        self._part = path.with_name(path.name + ".part")
        # The archive holds everybody's work: nobody else on the machine is to read it.
        descriptor = os.open(self._part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        self._file = os.fdopen(descriptor, "w+b")
        self._sealed = _SealedStream(self._file)
        self._zip = zipfile.ZipFile(self._sealed, "w", zipfile.ZIP_STORED, allowZip64=True)  # type: ignore[call-overload]

    def add_documents(self, name: str, documents: Iterable[bytes]) -> Member:
        """Add a member with these BSON documents."""
        counted = _Counted(documents)
        compressor = zstandard.ZstdCompressor(level=_LEVEL).chunker(chunk_size=CHUNK_BYTES)
        return self._add(name + DOCUMENTS, _compressed(compressor, counted), counted)

    def add_file(self, name: str, chunks: Iterable[bytes]) -> Member:
        """Add a file as a member."""
        return self._add(name, chunks)

    def finish(self, manifest: JsonObject) -> None:
        """Add the manifest, seal the archive, give it its name, durably."""
        described = {"format": FORMAT, "formatVersion": FORMAT_VERSION, **manifest, "members": list(map(asdict, self.members))}
        self._add(MANIFEST, [json.dumps(described, indent=1).encode()])
        self._zip.comment = bytes(SEAL_BYTES)
        self._zip.close()
        self._file.seek(-SEAL_BYTES, os.SEEK_END)
        self._file.write(SEAL + self._sealed.hexdigest().encode())
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        os.rename(self._part, self.path)
        _sync_folder(self.path.parent)

    def abandon(self) -> None:
        """Delete what was written so far."""
        self._part.unlink(missing_ok=True)
        # On a full disk both try once more to write what is left over, and fail again.
        with suppress(OSError, ValueError):
            self._zip.close()
        with suppress(OSError):
            self._file.close()

    def _add(self, name: str, chunks: Iterable[bytes], counted: _Counted | None = None) -> Member:
        digest, size = hashlib.sha256(), 0
        with self._zip.open(zipfile.ZipInfo(name, _EPOCH), "w", force_zip64=True) as stream:
            for chunk in chunks:
                digest.update(chunk)
                size += len(chunk)
                stream.write(chunk)
        member = Member(name, size, digest.hexdigest(), counted.count if counted else None)
        self.members.append(member)
        return member


class _Counted:
    """Counts documents as they pass."""

    def __init__(self, documents: Iterable[bytes]) -> None:
        self.count = 0
        self._documents = documents

    def __iter__(self) -> Iterator[bytes]:
        for document in self._documents:
            self.count += 1
            yield document


def _compressed(chunker: Any, documents: Iterable[bytes]) -> Iterator[bytes]:
    for document in documents:
        yield from chunker.compress(document)
    yield from chunker.finish()


class _SealedStream:
    """A stream that cannot be sought, so that `zipfile` writes front to back, and hashes all but the place of the seal."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self._end = b""

    def write(self, data: bytes) -> int:
        """Write all of `data`."""
        self._file.write(data)
        seen = self._end + bytes(data)
        self._hash.update(memoryview(seen)[:-SEAL_BYTES])
        self._end = seen[-SEAL_BYTES:]
        return len(data)

    def flush(self) -> None:
        """Hand everything to the operating system."""
        self._file.flush()

    def hexdigest(self) -> str:
        """Return the SHA-256 of everything before the last bytes, which are the seal's."""
        return self._hash.hexdigest()


class ArchiveReader:
    """Reads an archive whose name is `path`; `checking.check` it first, unless it only is to be listed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with readable(path):
            self._zip = zipfile.ZipFile(path)
            self.manifest = self._read_manifest()
            self.members = [Member(**member) for member in self.manifest["members"]]

    def _read_manifest(self) -> JsonObject:
        if self._zip.getinfo(MANIFEST).file_size > _MANIFEST_MAX_BYTES:
            raise ValueError("the manifest is too large")
        manifest: JsonObject = json.loads(self._zip.read(MANIFEST))
        if manifest["format"] != FORMAT:
            raise ValueError("another kind of archive")
        if manifest["formatVersion"] != FORMAT_VERSION:
            raise BackupProblem(f"{self.path.name} is of a form that this version of projectapi cannot read.")
        return manifest

    def chunks(self, member: Member) -> Generator[bytes, None, None]:
        """Return the bytes of a member. Raises BackupProblem at their end when they are not those that were written."""
        digest = hashlib.sha256()
        with readable(self.path), self._zip.open(member.name) as stream:
            while data := stream.read(CHUNK_BYTES):
                digest.update(data)
                yield data
        if digest.hexdigest() != member.sha256:
            raise BackupProblem(f"{self.path.name} is damaged: {member.name} is not what was written.")

    def documents(self, member: Member) -> Iterator[bytes]:
        """Return the BSON documents of a member, each whole. Raises BackupProblem for damaged ones."""
        pending = bytearray()
        with readable(self.path), closing(self.chunks(member)) as chunks:
            stream = cast(IO[bytes], _Stream(chunks))
            # In pieces of a bounded size, for a few bytes may unpack to gigabytes. A stream that gave more than `read_size` at
            # once would have the library write beyond its memory.
            sizes = {"read_size": CHUNK_BYTES, "write_size": CHUNK_BYTES}
            for data in zstandard.ZstdDecompressor().read_to_iter(stream, **sizes):
                pending += data
                yield from _taken_from(pending)
            # At their end they are compared with what was written.
            for _ in chunks:
                pass
        if pending:
            raise BackupProblem(f"{self.path.name} is damaged: {member.name} ends within a document.")

    def names(self) -> Sequence[str]:
        """Return the names of all members but the manifest, as the zip file has them."""
        return [name for name in self._zip.namelist() if name != MANIFEST]

    def close(self) -> None:
        """Close the file."""
        self._zip.close()

    def __enter__(self) -> ArchiveReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Stream:
    """Pieces of at most `CHUNK_BYTES` as the stream that `zstandard` reads."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks

    def read(self, _size: int) -> bytes:
        """Return the next piece, empty at the end."""
        return next(self._chunks, b"")


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn whatever a damaged or foreign file makes of the libraries into BackupProblem."""
    try:
        yield
    except FileNotFoundError as error:
        raise BackupProblem(f"There is no archive {path}.") from error
    except (*_OF_DAMAGED_FILES, *_OF_UNEXPECTED_CONTENTS) as error:
        raise BackupProblem(f"{path.name} is no archive of projectapi, or is damaged.") from error


def _taken_from(pending: bytearray) -> Iterator[bytes]:
    """Take the whole documents from the front of `pending`; each begins with its own length."""
    start = 0
    while len(pending) - start >= 4:
        length = int.from_bytes(pending[start : start + 4], "little")
        if not 5 <= length <= _DOCUMENT_MAX_BYTES:
            raise ValueError("no BSON document")
        if len(pending) - start < length:
            break
        yield bytes(pending[start : start + length])
        start += length
    del pending[:start]


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    with suppress(OSError):
        os.fsync(descriptor)
    os.close(descriptor)
