"""Backups: archives of everything in the database and, if asked for, of the video files. It knows files and no queries.

What it reads from and writes into are the `BackupSource` and `BackupTarget` of `protocols`.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from projectapi.backup.archive import ArchiveReader, ArchiveWriter
from projectapi.backup.checking import MissingRevisions, check
from projectapi.backup.creating import Creation, archive_name, archives_of
from projectapi.backup.restoring import refuse_occupied, restore
from projectapi.project import SCHEMA_VERSION, JsonObject, now
from projectapi.protocols import (
    BackupProblem,
    Backups,
    BackupSource,
    BackupSummary,
    BackupTarget,
    ForeignDisk,
    MediaDisk,
    Progress,
    VideoFiles,
)

__all__ = ["BackupFolder"]

_DATABASE_NAME = re.compile(r"[A-Za-z0-9_-]{1,38}")


class BackupFolder(Backups):
    """`Backups` in one folder on this machine."""

    def __init__(
        self,
        folder: Path,
        *,
        database: str,
        version: str,
        source: BackupSource,
        target_of: Callable[[str], BackupTarget],
        disk_of: Callable[[str], MediaDisk],
        missing_revisions: MissingRevisions,
        videos: VideoFiles,
    ) -> None:
        self._folder = folder
        self._database = database
        self._version = version
        self._source = source
        self._target_of = target_of
        self._disk_of = disk_of
        self._missing_revisions = missing_revisions
        self._videos = videos

    def create(self, folder: Path | None, *, with_videos: bool, keep: int | None, progress: Progress) -> BackupSummary:
        """See `Backups.create`."""
        folder = folder or self._folder
        with _locked(folder):
            at = now()
            path = folder / archive_name(self._database, at)
            writer = self._begin(path)
            try:
                Creation(self._source, writer, self._videos if with_videos else None, progress).run(
                    database=self._database, version=self._version, at=at
                )
            except BaseException:
                writer.abandon()
                raise
            made = _summary(path)
            if keep is not None:
                self._delete_old(folder, keep, made)
        return made

    def list(self, folder: Path | None) -> Sequence[BackupSummary]:
        """See `Backups.list`."""
        paths = sorted((folder or self._folder).glob("*.zip"), key=lambda path: path.stat().st_mtime, reverse=True)
        return [_summary(path) for path in paths]

    def find(self, archive: str) -> Path:
        """See `Backups.find`."""
        for path in (Path(archive), self._folder / archive):
            if path.is_file():
                return path
        raise BackupProblem(f"There is no archive {archive}, neither here nor in {self._folder}.")

    def verify(self, archive: Path, progress: Progress) -> BackupSummary:
        """See `Backups.verify`."""
        check(archive, self._missing_revisions, progress)
        return _summary(archive)

    def restore(
        self, archive: Path, database: str | None, *, force: bool, accept_disk: bool, progress: Progress
    ) -> Sequence[str]:
        """See `Backups.restore`."""
        name = database or self._database
        if not _DATABASE_NAME.fullmatch(name):
            raise BackupProblem(f"{name!r} is no name of a database: 1 to 38 letters, digits, _ or - are allowed.")
        manifest = check(archive, self._missing_revisions, lambda _done, _total: None)
        if (manifest["schemaVersion"] or 0) > SCHEMA_VERSION:
            raise BackupProblem(f"{archive.name} was made by a newer version of projectapi: restore it with that one.")
        target = self._target_of(name)
        with ArchiveReader(archive) as reader:
            resumed = refuse_occupied(reader, target, name, force=force)
            _settle_disk(manifest, self._disk_of(name), accept=accept_disk)
            lines = restore(reader, target, self._videos, progress)
        return [*([resumed] if resumed else []), *lines, _restored_line(manifest, name)]

    def _begin(self, path: Path) -> ArchiveWriter:
        for part in path.parent.glob("*.zip.part"):
            # What a killed backup left; nobody else is at work here now.
            part.unlink(missing_ok=True)
        return ArchiveWriter(path)

    def _delete_old(self, folder: Path, keep: int, made: BackupSummary) -> None:
        archives = archives_of(self._database, folder)
        spared = None if made.is_whole else next((path for path in archives if _makes_up_for(made, path)), None)
        for path in archives[keep:]:
            if path != spared:
                path.unlink()


def _settle_disk(manifest: JsonObject, disk: MediaDisk, *, accept: bool) -> None:
    """Make the disk the database's own if that is wished; else let no videos onto another's, where they would not last."""
    if accept:
        disk.accept()
    elif manifest["files"]:
        try:
            disk.refuse_foreign()
        except ForeignDisk as error:
            raise BackupProblem(f"There are videos in this archive. {error}") from error


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Let one backup at a time be made in a folder."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise BackupProblem(f"The folder {folder} cannot be used: {error.strerror}.") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise BackupProblem(f"Another backup is being made in {folder} right now.") from error
    except OSError as error:
        raise BackupProblem(f"The archive could not be written into {folder}: {error.strerror}.") from error
    finally:
        os.close(descriptor)


def _makes_up_for(made: BackupSummary, path: Path) -> bool:
    """Tell whether an archive may have what the one that was made lacks; one without videos has no lost one."""
    earlier = _summary(path)
    return earlier.is_whole and bool(earlier.files or not made.lost_files)


def _summary(path: Path) -> BackupSummary:
    size = path.stat().st_size
    try:
        with ArchiveReader(path) as reader:
            manifest = reader.manifest
            return BackupSummary(
                path=path,
                bytes=size,
                database=manifest["database"],
                created_at=datetime.fromisoformat(manifest["createdAt"]),
                schema_version=manifest["schemaVersion"],
                projects=manifest["projects"],
                revisions=manifest["revisions"],
                files=manifest["files"],
                damaged=manifest["damaged"],
                lost_files=manifest["lostFiles"],
            )
    except (BackupProblem, KeyError, TypeError, ValueError) as error:
        return BackupSummary(path=path, bytes=size, problem=str(error))


def _restored_line(manifest: JsonObject, database: str) -> str:
    counts = f"{manifest['projects']} projects, {manifest['revisions']} versions, {manifest['files']} files"
    return f"{counts} are in the database {database} and the media folder."
