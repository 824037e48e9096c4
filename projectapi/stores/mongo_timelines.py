"""Timelines in MongoDB: the current state embedded in its project, every saved revision beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from bson import ObjectId

from projectapi.errors import Conflict, ProjectNotFound, TimelineVersionNotFound, Unavailable
from projectapi.project import (
    DESCRIPTION_MAX,
    EntityTag,
    JsonObject,
    ProjectKey,
    Revision,
    Timeline,
    TimelineSave,
    empty_timeline_state,
    new_write_id,
    now,
)
from projectapi.protocols import TimelineStore
from projectapi.stores.documents import Document, saved_project, stored_state, timeline_from_head, timeline_from_project
from projectapi.stores.project_documents import ProjectDocuments, marked_update
from projectapi.stores.proposals import Proposal, propose_changes, propose_state
from projectapi.stores.revision_documents import RevisionDocuments, revision_from_document
from projectapi.stores.timeline_writer import HEAD, HEAD_WITH_STATE, RACES_MAX, TIMELINE, TimelineWriter
from projectapi.timeline.patching import Patched


class MongoTimelineStore(TimelineStore):
    """`TimelineStore` over the collections `projects` and `timeline_states`; knows nothing of caches."""

    def __init__(self, projects: ProjectDocuments, revisions: RevisionDocuments, writer: TimelineWriter) -> None:
        self._projects = projects
        self._revisions = revisions
        self._writer = writer

    def get_timeline(self, key: ProjectKey) -> Timeline | None:
        """See `TimelineStore.get_timeline`."""
        return timeline_from_project(self._projects.find(key, TIMELINE))

    def save_timeline(
        self, key: ProjectKey, save: TimelineSave, expected: EntityTag | None = None, *, write_id: str | None = None
    ) -> Timeline:
        """See `TimelineStore.save_timeline`."""
        proposal = propose_state(save)
        return self._writer.append(key, lambda _: proposal, expected=expected, write_id=write_id)

    def edit_timeline(
        self,
        key: ProjectKey,
        edit: Callable[[JsonObject], Patched],
        expected: EntityTag | None = None,
        *,
        saved_by: str,
        write_id: str | None = None,
    ) -> Timeline:
        """See `TimelineStore.edit_timeline`."""

        def propose(before: Document) -> Proposal:
            head = before["timelineHead"]
            if head is None:
                patched = edit(empty_timeline_state())
                return propose_state(TimelineSave(state=patched.state, saved_by=saved_by))
            patched = edit(stored_state(before["timelineState"], head))
            return propose_changes(TimelineSave(state=patched.state, saved_by=saved_by), patched.touched)

        return self._writer.append(key, propose, projection=HEAD_WITH_STATE, expected=expected, write_id=write_id)

    def list_revisions(self, key: ProjectKey, *, limit: int, skip: int = 0, with_state: bool = False) -> Sequence[Revision]:
        """See `TimelineStore.list_revisions`."""
        project = self._projects.find(key, HEAD)
        documents = self._revisions.newest(
            key.id, project["unsettledRevisions"], limit=limit, skip=skip, with_state=with_state
        )
        head = project["timelineHead"]
        return [
            revision_from_document(document, head=head, state=self._revisions.decoded(document) if with_state else None)
            for document in documents
        ]

    def get_revision(self, key: ProjectKey, version: int) -> Revision:
        """See `TimelineStore.get_revision`."""
        project = self._projects.find(key, HEAD)
        document = self._revisions.find(key.id, project["unsettledRevisions"], version)
        return revision_from_document(document, head=project["timelineHead"], state=self._revisions.decoded(document))

    def restore_revision(
        self,
        key: ProjectKey,
        version: int,
        expected: EntityTag | None = None,
        *,
        restored_by: str,
        write_id: str | None = None,
    ) -> Timeline:
        """See `TimelineStore.restore_revision`."""
        # First of all: the version that it was restored from may be gone by the time that the request is repeated.
        if write_id and (done := self._writer.find_done(key, write_id)):
            return done
        head = self._writer.head(key, HEAD_WITH_STATE, expected)
        if head["timelineHead"] is not None and head["timelineVersion"] == version:
            state = stored_state(head["timelineState"], head["timelineHead"])
            return replace(timeline_from_head(head, key.id, state), saved_in=saved_project(head))
        revision = self.get_revision(key, version)
        name = f"Restored version {version}" + (f": {revision.description}" if revision.description else "")
        save = TimelineSave(
            state=revision.state if revision.state is not None else empty_timeline_state(),
            description=name[:DESCRIPTION_MAX],
            change_summary=f"Restored from version {version}",
            saved_by=restored_by,
        )
        return self.save_timeline(key, save, expected, write_id=write_id)

    def find_revision(self, revision_id: str, owner: str | None = None) -> Revision:
        """See `TimelineStore.find_revision`."""
        if not ObjectId.is_valid(revision_id):
            raise TimelineVersionNotFound
        document = self._revisions.find_by_id(ObjectId(revision_id))
        if document is None:
            raise TimelineVersionNotFound
        try:
            project = self._projects.find(ProjectKey(document["projectId"], owner), HEAD)
        except ProjectNotFound as no_project:
            raise TimelineVersionNotFound from no_project
        if not (document["committed"] or document["_id"] in project["unsettledRevisions"]):
            raise TimelineVersionNotFound
        return revision_from_document(document, head=project["timelineHead"])

    def describe_revision(
        self, revision: Revision, values: JsonObject, expected: EntityTag | None = None
    ) -> Revision:
        """See `TimelineStore.describe_revision`."""
        key = ProjectKey(self.find_revision(revision.id).project_id)
        if expected is not None:
            self._writer.head(key, HEAD, expected)
        if not values:
            return self.find_revision(revision.id)
        revision_id, mark = ObjectId(revision.id), new_write_id()
        fields = {"description": "description", "change_summary": "changeSummary"}
        changes: Document = {fields[name]: value for name, value in values.items()} | {"updatedAt": now()}
        head = {**changes, "tag": mark, "isDescribed": True}
        update = marked_update({f"timelineHead.{name}": value for name, value in head.items()}, mark)
        conditions: Document = {"timelineHead._id": revision_id}
        if expected is not None:
            conditions["timelineHead.tag"] = expected.tag
        # A miss means that it is not the current version (any more), and so never will be: then the words are its own.
        if not self._writer.swap(key, conditions, update, mark):
            if expected is not None and revision.is_current:
                self._writer.explain_miss(key)
            self._revisions.update(key.id, revision_id, changes)
        return self.find_revision(revision.id)

    def delete_revision(self, revision: Revision) -> None:
        """See `TimelineStore.delete_revision`."""
        revision = self.find_revision(revision.id)
        if revision.is_current:
            raise Conflict("The current version of a timeline cannot be deleted. Save or restore another one first.")
        key, revision_id = ProjectKey(revision.project_id), ObjectId(revision.id)
        for _ in range(RACES_MAX):
            listed, mark = self._settle_all(key), new_write_id()
            # Only this one leaves the list: were it shortened to what it has been before, a save that slept since then
            # would take it for unchanged.
            shorter = [other for other in listed if other != revision_id]
            update = marked_update({"unsettledRevisions": shorter}, mark)
            if self._writer.swap(key, {"unsettledRevisions": listed}, update, mark):
                return self._revisions.discard(key.id, revision_id, now())
        raise Unavailable

    def _settle_all(self, key: ProjectKey) -> Sequence[ObjectId]:
        listed: Sequence[ObjectId] = self._projects.find(key, HEAD)["unsettledRevisions"]
        self._revisions.settle(key.id, listed)
        return listed
