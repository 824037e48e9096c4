"""Bringing an archive that was checked back, in its own order: history and media files before the projects that name them."""

from __future__ import annotations

from collections.abc import Sequence

from projectapi.backup.archive import ArchiveReader, Member
from projectapi.backup.checking import documents_of
from projectapi.backup.creating import MEDIA
from projectapi.errors import NotFound
from projectapi.protocols import BackupProblem, BackupTarget, Progress, VideoFiles


def refuse_occupied(reader: ArchiveReader, target: BackupTarget, database: str, *, force: bool) -> str | None:
    """Raise BackupProblem for a database that has something in it; return a line if an earlier restore was cut off there."""
    if (interrupted := target.interrupted()) is not None:
        return f"An earlier restore of {interrupted} was cut off here: it begins anew."
    if not force and target.has_documents(reader.manifest["collections"]):
        raise BackupProblem(
            f"The database {database} is not empty, so nothing was changed. Restore into another one with --database NAME, or "
            "replace everything that is in this one with --force."
        )
    return None


def restore(reader: ArchiveReader, target: BackupTarget, videos: VideoFiles, progress: Progress) -> Sequence[str]:
    """Fill the database and the media folder; return lines for people.

    Killed anywhere, it is recognised as unfinished, and begins anew the next time.
    """
    target.begin(reader.path.name, reader.manifest["collections"])
    total = sum(member.bytes for member in reader.members)
    done = 0
    # In the order of the archive, in which everything comes after what it names.
    for member in reader.members:
        if member.documents is None:
            _restore_file(reader, member, videos)
        else:
            target.put(documents_of(member.name), reader.documents(member))
        done += member.bytes
        progress(done, total)
    return target.finish()


def _restore_file(reader: ArchiveReader, member: Member, videos: VideoFiles) -> None:
    try:
        videos.put_back(member.name.removeprefix(MEDIA), reader.chunks(member))
    except NotFound as error:
        raise BackupProblem(f"{reader.path.name} has a file that is no media file of projectapi: {member.name}.") from error
