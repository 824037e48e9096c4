"""Opening a zip file that a stranger sent: what could do harm is refused before any of it is unpacked.

Nothing is ever written to a path that the zip file names, so a name cannot lead anywhere; names that try to are refused all the
same. What is unpacked is bounded by what the zip file says of itself (`zipfile` reads no more of an entry than its stated
size), and that by the limits here.
"""

from __future__ import annotations

import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO

from projectapi.bundle.layout import HISTORY, MANIFEST, OTIO, PROJECT, TIMELINE, TRANSCRIPT, VIDEO
from projectapi.errors import InvalidBundle

_MEBI = 1 << 20
LIMITS: Mapping[str, int] = {
    MANIFEST: _MEBI,
    PROJECT: _MEBI,
    TIMELINE: 32 * _MEBI,
    # A clip takes some twelve times the room that it has in the timeline.
    OTIO: 512 * _MEBI,
    TRANSCRIPT: 32 * _MEBI,
    HISTORY: 2048 * _MEBI,
}
"""The files of a bundle, and how large each may be unpacked, in bytes; a video may be as large as an upload."""

_ENTRIES_MAX = 16
_DIRECTORY_MAX_BYTES = 64 * 1024
_ENCRYPTED = 0x1
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_END = struct.Struct("<4s4H2LH")
_END_64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR_64 = struct.Struct("<4sLQL")
_NAME_MAX = 255


def open_bundle(file: IO[bytes], max_video_bytes: int) -> zipfile.ZipFile:
    """Return the zip file, every entry of which belongs in a bundle, once, and is no larger than it may be.

    Raises InvalidBundle.
    """
    with zip_understood():
        _check_directory(file)
        archive = zipfile.ZipFile(file)
        _check_entries(archive.infolist(), max_video_bytes)
        return archive


@contextmanager
def zip_understood() -> Iterator[None]:
    """Raise InvalidBundle in the place of whatever a damaged zip file makes of the library."""
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError) as error:
        raise InvalidBundle from error
    except (ValueError, KeyError, RuntimeError, OverflowError, UnicodeError) as error:
        raise InvalidBundle from error


def video_name(archive: zipfile.ZipFile) -> str | None:
    """Return the name of the entry that is the video, None when there is none."""
    return next((name for name in archive.namelist() if name.startswith(VIDEO)), None)


def _check_directory(file: IO[bytes]) -> None:
    """Look at the size of the list of entries before the library reads all of it into memory, millions of them if need be."""
    size = file.seek(0, os.SEEK_END)
    if size < _END.size:
        raise InvalidBundle
    file.seek(size - _END.size)
    signature, _, _, _, entries, directory, _, comment = _END.unpack(file.read(_END.size))
    # Ours have no comment; with one, where the file ends would be a matter of opinion.
    if signature != b"PK\x05\x06" or comment:
        raise InvalidBundle
    found = _directory_64(file, size - _END.size)
    entries, directory = found or (entries, directory)
    if entries > _ENTRIES_MAX or directory > _DIRECTORY_MAX_BYTES:
        raise InvalidBundle(f"This is no project bundle: it has more than {_ENTRIES_MAX} files in it. Nothing was imported.")
    file.seek(0)


def _directory_64(file: IO[bytes], end: int) -> tuple[int, int] | None:
    """Return number and size of the entries as a large zip file says them, where the library looks for that."""
    if end < _LOCATOR_64.size + _END_64.size:
        return None
    file.seek(end - _LOCATOR_64.size)
    signature, _, place, _ = _LOCATOR_64.unpack(file.read(_LOCATOR_64.size))
    if signature != b"PK\x06\x07":
        return None
    if place != end - _LOCATOR_64.size - _END_64.size:
        raise InvalidBundle
    file.seek(place)
    signature, *_, entries, directory, _ = _END_64.unpack(file.read(_END_64.size))
    # Without its signature the library goes by the other end, which nobody has looked at then.
    if signature != b"PK\x06\x06":
        raise InvalidBundle
    return entries, directory


def _check_entries(entries: list[zipfile.ZipInfo], max_video_bytes: int) -> None:
    names = [entry.filename for entry in entries]
    if len(set(names)) != len(names) or sum(name.startswith(VIDEO) for name in names) > 1:
        raise InvalidBundle("This bundle has a file twice, so it was not made by projectapi. Nothing was imported.")
    for required in (MANIFEST, PROJECT):
        if required not in names:
            raise InvalidBundle(f"This is no project bundle: {required} is missing. Nothing was imported.")
    for entry in entries:
        _check_entry(entry, max_video_bytes)


def _check_entry(entry: zipfile.ZipInfo, max_video_bytes: int) -> None:
    name = entry.filename
    if name not in LIMITS and not _is_video(name):
        raise InvalidBundle("This bundle has a file that does not belong in one. Nothing was imported.")
    if entry.flag_bits & _ENCRYPTED:
        raise InvalidBundle("This bundle is encrypted. Nothing was imported.")
    mode = entry.external_attr >> 16
    if mode and stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        raise InvalidBundle("This bundle has a link or a folder in the place of a file. Nothing was imported.")
    if entry.compress_type not in _METHODS:
        raise InvalidBundle("This bundle is compressed in a way that projectapi does not use. Nothing was imported.")
    if entry.file_size > LIMITS.get(name, max_video_bytes):
        raise InvalidBundle("This bundle has a file that is too large when unpacked. Nothing was imported.")


def _is_video(name: str) -> bool:
    last = name.removeprefix(VIDEO)
    return name.startswith(VIDEO) and 0 < len(last) <= _NAME_MAX and last not in (".", "..") and not set(last) & set("/\\\0:")
