"""How a version of a timeline comes to be: the revision first, then the project's pointer by compare-and-swap.

Killed anywhere in between, a save is whole (current state *and* history) or nothing of it shows. A save that lost the race for
the next version is proposed anew on what the winner left.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from enum import Enum, auto
from typing import Any, NoReturn

from bson import ObjectId

from projectapi.errors import Unavailable
from projectapi.infra import metrics
from projectapi.infra.retry import Retry
from projectapi.project import EntityTag, ProjectKey, Timeline, new_write_id, now
from projectapi.stores.documents import DESCRIBED, Document, saved_project, timeline_from_head, timeline_from_project
from projectapi.stores.migrations import upgrade_project
from projectapi.stores.project_documents import (
    ProjectDocuments,
    lost_race,
    mark_alone,
    marked_update,
    pause_after_race,
    project_filter,
    raise_not_found,
    unmarked,
)
from projectapi.stores.proposals import Proposal, adds_nothing
from projectapi.stores.revision_documents import RevisionDocuments, new_head, new_revision_document, timeline_from_revision

HEAD = {
    "schemaVersion": True,
    "timelineVersion": True,
    "timelineHead": True,
    "unsettledRevisions": True,
}
"""Projection of what must be known of a project's history."""

HEAD_OF_SAVE = {**HEAD, **DESCRIBED}
"""Projection of what a save must know of a project, whatever its size."""

TIMELINE = {
    "schemaVersion": True,
    "projectId": True,
    "timelineVersion": True,
    "timelineHead": True,
    "timelineState": True,
}
"""Projection of the current timeline."""

HEAD_WITH_STATE = {**HEAD_OF_SAVE, "timelineState": True}

RACES_MAX = 60
_UNSETTLED_MAX = 16


class _Swapped(Enum):
    """When the project was changed: by this very call, or by one before it that had the same mark."""

    NOW = auto()
    BEFORE = auto()


class TimelineWriter:
    """Appends versions to the timelines of projects."""

    def __init__(self, projects: ProjectDocuments, revisions: RevisionDocuments, retry: Retry) -> None:
        self._projects = projects
        self._revisions = revisions
        self._retry = retry

    def append(
        self,
        key: ProjectKey,
        propose: Callable[[Document], Proposal],
        *,
        projection: Mapping[str, Any] = HEAD_OF_SAVE,
        expected: EntityTag | None = None,
        write_id: str | None = None,
    ) -> Timeline:
        """Make what `propose` makes of the project's head (a document of `projection`) the next version, and return it.

        `write_id` names a write that may have been sent before: found done, it is not done again. Raises what
        `TimelineStore.save_timeline` raises.
        """
        mark = write_id or new_write_id()
        revision_id = _revision_id(mark)
        for race in range(RACES_MAX):
            before = self._head(key, projection, expected)
            # Only after the head was read: had somebody sent the same write in between, it would be done on top of itself.
            if (write_id or race) and (done := self._done_before(key, revision_id)):
                return done
            if write_id and before is not None and (noted := self._noted_before(key, mark)):
                return noted
            if before is None:
                if write_id or race:
                    self._revisions.remove(key.id, revision_id)
                self.explain_miss(key)
            proposal = propose(before)
            if adds_nothing(proposal, before):
                if write_id and not self._note_as_done(key, before, mark):
                    continue
                metrics.SAVES.labels("unchanged").inc()
                return _saved(before, key, proposal)
            saved = self._commit(key, proposal, before, revision_id, mark)
            if saved is not None:
                metrics.SAVES.labels("saved").inc()
                return saved
            metrics.SAVES.labels("lost a race").inc()
            pause_after_race(race)
        raise Unavailable

    def find_done(self, key: ProjectKey, write_id: str) -> Timeline | None:
        """Return the version that the write with this mark made, None when it made none so far."""
        return self._done_before(key, _revision_id(write_id))

    def head(self, key: ProjectKey, projection: Mapping[str, Any], expected: EntityTag | None) -> Document:
        """Return the head of the project. Raises PreconditionFailed when it is not the `expected` one."""
        found = self._head(key, projection, expected)
        if found is None:
            self.explain_miss(key)
        return found

    def swap(self, key: ProjectKey, conditions: Document, update: Document, mark: str) -> bool:
        """Change the project if `conditions` still hold; tell whether that was done."""
        return self._swap(key, conditions, update, mark) is not None

    def _swap(self, key: ProjectKey, conditions: Document, update: Document, mark: str) -> _Swapped | None:
        conditions = unmarked(project_filter(key) | conditions, mark)

        def change() -> _Swapped | None:
            return _Swapped.NOW if self._projects.collection.update_one(conditions, update).matched_count else None

        def landed() -> _Swapped | None:
            return _Swapped.BEFORE if self._projects.find_landed(key.id, mark, {"_id": True}) else None

        # A miss may be our own earlier attempt that arrived late, so the mark is looked for before a race is called lost.
        return self._retry.write(change, landed) or self._retry.look_up(landed)

    def _head(self, key: ProjectKey, projection: Mapping[str, Any], expected: EntityTag | None) -> Document | None:
        """Return the head of the project; None when it is not the `expected` one."""
        if expected is None:
            return self._projects.find(key, projection)
        conditions = project_filter(key) | {"timelineVersion": expected.version}
        if expected.version:
            conditions["timelineHead.tag"] = expected.tag
        head = self._retry.read(lambda: self._projects.collection.find_one(conditions, projection))
        return upgrade_project(head) if head is not None else None

    def explain_miss(self, key: ProjectKey) -> NoReturn:
        """Raise the error for a project whose timeline is not at the expected version, or that is not there."""
        current = self._retry.read(lambda: self._projects.collection.find_one(project_filter(key), HEAD))
        if current is None:
            raise_not_found(key)
        head = current["timelineHead"]
        metrics.SAVES.labels("conflict").inc()
        raise lost_race(timeline_tag(current), head["updatedAt"] if head else None)

    def _done_before(self, key: ProjectKey, revision_id: ObjectId) -> Timeline | None:
        """Return the version that an earlier sending of the same write made, if it made one."""
        if self._revisions.find_by_id(revision_id, key.id) is None:
            return None
        # Before the revision: one that the project lists is not replaced any more, and one that it lists no longer has a flag.
        project = self._projects.find(key, HEAD)
        document = self._revisions.find_by_id(revision_id, key.id)
        if document is None:
            return None
        was_kept = document["committed"] or revision_id in project["unsettledRevisions"]
        # Made, and taken from history since: made it was.
        if not was_kept and document.get("discardedAt") is None:
            return None
        return timeline_from_revision(document, self._revisions.decoded(document))

    def _noted_before(self, key: ProjectKey, mark: str) -> Timeline | None:
        """Return the current version when an earlier sending of the same write found that it added nothing."""
        if self._projects.find_done(key, mark, {"_id": True}) is None:
            return None
        return timeline_from_project(self._projects.find(key, TIMELINE))

    def _commit(
        self, key: ProjectKey, proposal: Proposal, before: Document, revision_id: ObjectId, mark: str
    ) -> Timeline | None:
        """Write the revision, then move the project's pointer to it; None when somebody else was quicker."""
        previous = before["timelineHead"] or {}
        encoded = self._revisions.encoded(key.id, proposal, previous)
        version, at = before["timelineVersion"] + 1, now()
        head = new_head(proposal, encoded, previous, revision_id=revision_id, tag=mark, created_at=at, updated_at=at)
        document = new_revision_document(head, encoded, project_id=key.id, version=version, parent=previous.get("_id"))
        self._revisions.write(document)
        metrics.REVISION_BYTES.labels(encoded.kind).observe(len(encoded.data))
        unsettled = [*self._settled_down(key.id, before["unsettledRevisions"]), revision_id]
        moved = {"timelineVersion": version, "timelineHead": head, "updatedAt": at}
        values = {**proposal.values, **moved, "unsettledRevisions": unsettled}
        # Also the list must be the one that was read: a revision that was just taken off it must not come back.
        conditions = {name: before[name] for name in ("timelineVersion", "unsettledRevisions")}
        if previous:
            conditions["timelineHead.tag"] = previous["tag"]
            self._keep_words(key.id, previous)
        swapped = self._swap(key, conditions, marked_update(values, mark, proposal.unset), mark)
        if swapped is None:
            return None
        if swapped is _Swapped.BEFORE:
            # Whoever else sent this write may have made another version of it than this one, or found that it adds nothing.
            return self._done_before(key, revision_id) or self._noted_before(key, mark)
        after = {**before, **moved, "version": before["version"] + 1, "lastWrite": mark}
        return _saved(after, key, proposal)

    def _note_as_done(self, key: ProjectKey, before: Document, mark: str) -> bool:
        """Leave the mark of a write that adds nothing, so that it adds nothing later either; tell whether the head stayed."""
        return self.swap(key, {"timelineHead.tag": before["timelineHead"]["tag"]}, mark_alone(mark), mark)

    def _keep_words(self, project_id: str, head: Document) -> None:
        """Give a revision that is to be an earlier one the words that were edited while it was the current one."""
        if head.get("isDescribed"):
            words = {name: head[name] for name in ("description", "changeSummary", "updatedAt")}
            self._revisions.keep_words(project_id, head["_id"], words)

    def _settled_down(self, project_id: str, unsettled: Sequence[ObjectId]) -> Sequence[ObjectId]:
        if len(unsettled) < _UNSETTLED_MAX:
            return unsettled
        self._revisions.settle(project_id, unsettled)
        return []


def _saved(project: Document, key: ProjectKey, proposal: Proposal) -> Timeline:
    """Return the timeline of a project that is as `proposal` wanted it."""
    timeline = timeline_from_head(project, key.id, proposal.save.state)
    return replace(timeline, saved_in=saved_project(project), state_json=proposal.raw)


def timeline_tag(project: Document) -> EntityTag:
    """Return the entity tag of the timeline that a project document points to."""
    head = project["timelineHead"]
    return EntityTag(project["timelineVersion"], head["tag"] if head else "")


def _revision_id(mark: str) -> ObjectId:
    """Return the `_id` of the revision that a write makes: its mark, and four bytes that follow from it."""
    return ObjectId(mark + hashlib.sha256(mark.encode()).hexdigest()[:8])
