"""Making an archive: the database batch by batch, and the media files that the projects of a batch name before them."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from pathlib import Path

from projectapi.backup.archive import CHUNK_BYTES, ArchiveWriter
from projectapi.errors import NotFound
from projectapi.project import JsonObject
from projectapi.protocols import BackupSource, Progress, ProjectBatch, RawProject, StoredFile, VideoFiles

PROJECTS, HISTORY, MEDIA = "projects", "timeline_states", "media/"


class Creation:
    """Fills one archive."""

    def __init__(self, source: BackupSource, writer: ArchiveWriter, videos: VideoFiles | None, progress: Progress) -> None:
        self._source = source
        self._writer = writer
        self._videos = videos
        self._progress = progress
        self._projects = self._revisions = 0
        self._kept_files: set[str] = set()
        self._damaged: list[str] = []
        self._lost: list[str] = []

    def run(self, *, database: str, version: str, at: datetime) -> None:
        """Write everything. Raises DatabaseUnavailable and BackupProblem."""
        self._source.refuse_unfinished()
        collections = self._source.collections()
        for name in collections:
            if name not in (PROJECTS, HISTORY):
                self._writer.add_documents(f"{name}/000001", self._source.documents(name))
        expected = self._source.count_projects()
        for number, batch in enumerate(self._source.batches(), 1):
            self._add(batch, f"{number:06}")
            self._progress(self._projects, max(expected, self._projects))
        # Once more: a restore that was begun meanwhile emptied what was still to be read.
        self._source.refuse_unfinished()
        manifest: JsonObject = {
            "projectapi": version,
            "database": database,
            "createdAt": at.isoformat(),
            "schemaVersion": self._source.schema_version(),
            "projects": self._projects,
            "revisions": self._revisions,
            "files": len(self._kept_files),
            "damaged": self._damaged,
            "lostFiles": self._lost,
            "collections": collections,
        }
        self._writer.finish(manifest)

    def _add(self, batch: ProjectBatch, number: str) -> None:
        self._revisions += self._writer.add_documents(f"{HISTORY}/{number}", batch.revisions()).documents or 0
        for project in batch.projects() if self._videos is not None else ():
            self._add_files(project, batch)
        whole = batch.projects()
        self._writer.add_documents(f"{PROJECTS}/{number}", (project.document for project in whole))
        self._projects += len(whole)
        self._damaged += batch.damaged()

    def _add_files(self, project: RawProject, batch: ProjectBatch) -> None:
        for file in project.files:
            if MEDIA + file.name in self._kept_files:
                # The project has come again.
                continue
            try:
                self._add_file(file)
            except (NotFound, FileNotFoundError):
                if batch.is_last_chance:
                    self._lost.append(file.name)
                else:
                    # Perhaps another video has just taken its place.
                    batch.put_off(project.id)

    def _add_file(self, file: StoredFile) -> None:
        assert self._videos is not None
        path = self._videos.static_path(file.name)
        with path.open("rb") as stream:
            member = self._writer.add_file(MEDIA + file.name, iter(partial(stream.read, CHUNK_BYTES), b""))
        self._kept_files.add(member.name)
        if file.sha256 is not None and member.sha256 != file.sha256:
            # Kept as it is: there is no better one.
            self._lost.append(file.name)


def archive_name(database: str, at: datetime) -> str:
    """Return the name of an archive of this database that was begun at this moment."""
    return f"{database}-{at:%Y%m%dT%H%M%SZ}.zip"


def archives_of(database: str, folder: Path) -> list[Path]:
    """Return the archives of this database in the folder, the newest first."""
    pattern = f"{database}-" + "[0-9]" * 8 + "T" + "[0-9]" * 6 + "Z.zip"
    return sorted(folder.glob(pattern), reverse=True)
