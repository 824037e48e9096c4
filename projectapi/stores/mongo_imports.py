"""Projects that were made elsewhere, into MongoDB: the history first, and last, in one write, the project that shows it.

Killed in between, an import leaves revisions without a project, which a sweep removes. Everything that is stored follows from
the mark of the write, so that the same import sent twice, even at once, stores the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace

from bson import ObjectId

from projectapi.database_budget import database_budget
from projectapi.project import Project, TimelineSave, Video, id_from_write, new_id, new_write_id, now
from projectapi.protocols import ImportedProject, ImportedVersion, ProjectImports
from projectapi.stores.announced import AnnounceCreation, unannounced
from projectapi.stores.documents import Document, document_from_video, new_project_document, project_from_document
from projectapi.stores.project_documents import ProjectDocuments
from projectapi.stores.proposals import propose_state
from projectapi.stores.revision_documents import RevisionDocuments, new_head, new_revision_document
from projectapi.stores.transcript_documents import values_to_store


class MongoProjectImports(ProjectImports):
    """`ProjectImports` over the collections `projects` and `timeline_states`.

    `announce` surrounds the one write that anybody could see, and no more: a long history must not outlast an announcement.
    """

    def __init__(
        self,
        projects: ProjectDocuments,
        revisions: RevisionDocuments,
        announce: AnnounceCreation = unannounced,
    ) -> None:
        self._projects = projects
        self._revisions = revisions
        self._announce = announce

    def announced_by(self, announce: AnnounceCreation) -> MongoProjectImports:
        """Return the same store, which announces every new project."""
        return MongoProjectImports(self._projects, self._revisions, announce)

    def import_project(
        self,
        project: ImportedProject,
        versions: Iterable[ImportedVersion],
        *,
        video: Video | None,
        owner: str,
        write_id: str | None = None,
    ) -> Project:
        """See `ProjectImports.import_project`."""
        mark = write_id or new_write_id()
        project_id = id_from_write(mark)
        document = new_project_document(
            project_id=project_id, name=project.name, description=project.description, owner=owner, at=now()
        )
        document |= {
            "createdAt": project.created_at,
            "thumbnail": project.thumbnail,
            "duration": project.duration,
            **_video_fields(project_id, video),
            **_transcript_fields(project, project_id),
            "lastWrite": mark,
            "recentWrites": [mark],
        }
        # A long history takes its time though MongoDB is in the best of health.
        with database_budget(None):
            document |= self._write_history(project_id, mark, versions)
        with self._announce(project_id, owner):
            return project_from_document(self._projects.insert(document))

    def _write_history(self, project_id: str, mark: str, versions: Iterable[ImportedVersion]) -> Document:
        """Store the versions and return the project's fields that point to the last of them; none without versions."""
        head: Document = {}
        fields: Document = {}
        for version in versions:
            head, fields = self._write_version(project_id, mark, version, head)
        return fields

    def _write_version(
        self, project_id: str, mark: str, version: ImportedVersion, previous: Document
    ) -> tuple[Document, Document]:
        save = TimelineSave(
            state=version.state,
            description=version.description,
            change_summary=version.change_summary,
            saved_by=version.created_by,
        )
        proposal = propose_state(save)
        encoded = self._revisions.encoded(project_id, proposal, previous)
        revision_id = _revision_id(mark, version.version)
        head = new_head(
            proposal,
            encoded,
            previous,
            revision_id=revision_id,
            tag=str(revision_id)[:16],
            created_at=version.created_at,
            updated_at=version.updated_at,
        )
        revision = new_revision_document(
            head, encoded, project_id=project_id, version=version.version, parent=previous.get("_id")
        )
        self._revisions.write({**revision, "committed": True})
        return head, {**proposal.values, "timelineVersion": version.version, "timelineHead": head}


def _video_fields(project_id: str, video: Video | None) -> Document:
    if video is None:
        return {}
    thumbnail = {"thumbnail": f"/media/{project_id}/thumbnail"} if video.thumbnail_path else {}
    return {"videoPath": video.path, "duration": video.duration, "video": document_from_video(video), **thumbnail}


def _transcript_fields(project: ImportedProject, project_id: str) -> Document:
    if project.transcript is None:
        return {}
    transcript = replace(project.transcript, id=new_id(), project_id=project_id, tag=new_write_id())
    return values_to_store(None, transcript)


def _revision_id(mark: str, version: int) -> ObjectId:
    return ObjectId(hashlib.sha256(f"import {mark} {version}".encode()).hexdigest()[:24])
