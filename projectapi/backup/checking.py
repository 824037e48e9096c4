"""Checking an archive without a database: every byte, every document, and whether what is named is there."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import bson

from projectapi.backup.archive import CHUNK_BYTES, DOCUMENTS, SEAL, SEAL_BYTES, ArchiveReader, Member, readable
from projectapi.backup.creating import HISTORY, MEDIA, PROJECTS
from projectapi.project import JsonObject
from projectapi.protocols import BackupProblem, Progress

MissingRevisions = Callable[[Mapping[str, Any], Mapping[Any, Mapping[str, Any]]], set[Any]]
"""Returns the ids of the revisions without which a project could not be read; see `stores.backup_source`."""


def check(path: Path, missing_revisions: MissingRevisions, progress: Progress) -> JsonObject:
    """Return the manifest of an archive that is whole. Raises BackupProblem."""
    if not path.is_file():
        raise BackupProblem(f"There is no archive {path}.")
    _check_seal(path, progress)
    with ArchiveReader(path) as reader, readable(path):
        _Check(reader, missing_revisions).run()
        return reader.manifest


def _check_seal(path: Path, progress: Progress) -> None:
    """Compare every byte of an archive with its seal."""
    size = path.stat().st_size
    digest, left = hashlib.sha256(), size - SEAL_BYTES
    with path.open("rb") as file:
        while left > 0 and (data := file.read(min(CHUNK_BYTES, left))):
            digest.update(data)
            left -= len(data)
            progress(size - left, size)
        seal = file.read()
    if seal != SEAL + digest.hexdigest().encode():
        raise BackupProblem(f"{path.name} is damaged: its bytes are not those that were written, or some are missing.")


class _Check:
    def __init__(self, reader: ArchiveReader, missing_revisions: MissingRevisions) -> None:
        self._reader = reader
        self._missing_revisions = missing_revisions
        self._members = {member.name: member for member in reader.members}
        self._excused = {*reader.manifest["damaged"], *reader.manifest["lostFiles"]}
        self._collections = reader.manifest["collections"].keys()
        self._projects = self._revisions = 0

    def run(self) -> None:
        """Raise BackupProblem when anything is not as the manifest says."""
        if list(self._reader.names()) != list(self._members):
            self._fail("its manifest does not name what is in it")
        if not {documents_of(m.name) for m in self._reader.members if m.documents is not None} <= self._collections:
            self._fail("its manifest does not describe a collection that is in it")
        history: dict[Any, JsonObject] = {}
        for member in self._reader.members:
            if member.documents is None:
                continue
            if member.name.startswith(f"{HISTORY}/"):
                # The projects of a batch come right after their history.
                history = {r["_id"]: r for r in map(_fields_of_revision, self._documents(member))}
                self._revisions += len(history)
            elif member.name.startswith(f"{PROJECTS}/"):
                self._check_projects(member, history)
            else:
                self._count(member)
        found, manifest = (self._projects, self._revisions), self._reader.manifest
        if found != (manifest["projects"], manifest["revisions"]):
            self._fail("it does not hold as many projects and versions as its manifest says")

    def _check_projects(self, member: Member, history: Mapping[Any, JsonObject]) -> None:
        of_project: dict[str, dict[Any, JsonObject]] = {}
        for revision_id, revision in history.items():
            of_project.setdefault(revision["projectId"], {})[revision_id] = revision
        for project in self._documents(member):
            self._projects += 1
            name = project["projectId"]
            if name not in self._excused and self._missing_revisions(project, of_project.get(name, {})):
                self._fail(f"project {name} lacks a part of its history")
            if self._reader.manifest["files"] and project["video"]:
                self._check_video(project["video"])

    def _check_video(self, video: JsonObject) -> None:
        self._check_file(video["path"], video["sha256"])
        if video["thumbnailPath"] is not None:
            self._check_file(video["thumbnailPath"])

    def _check_file(self, name: str, sha256: str | None = None) -> None:
        member = self._members.get(MEDIA + name)
        if name not in self._excused and (member is None or sha256 not in (None, member.sha256)):
            self._fail(f"the file {name} is not there, or is another one")

    def _count(self, member: Member) -> None:
        for _ in self._documents(member):
            pass

    def _documents(self, member: Member) -> Iterator[JsonObject]:
        count = 0
        for document in self._reader.documents(member):
            count += 1
            yield bson.decode(document)
        if count != member.documents:
            self._fail(f"{member.name} has {count} documents in the place of {member.documents}")

    def _fail(self, reason: str) -> None:
        raise BackupProblem(f"{self._reader.path.name} cannot be relied on: {reason}.")


def _fields_of_revision(revision: JsonObject) -> JsonObject:
    return {name: revision[name] for name in ("_id", "projectId", "keyframe", "committed")}


def documents_of(name: str) -> str:
    """Return the collection that the documents of a member belong to."""
    return name.removesuffix(DOCUMENTS).rpartition("/")[0]
