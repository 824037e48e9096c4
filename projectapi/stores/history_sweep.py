"""Taking from history what retention lets go, and deleting revisions that nothing points to any more.

A revision goes in two steps, at least an hour apart. First it leaves the history: from then on it is not committed, but its
bytes stay. Later, when no project and no other revision points to it, it is deleted. What nothing points to cannot be pointed
to again: heads and keyframes only ever move on to newer revisions. The one exception is the revision of a save that has not
moved its project's pointer yet. A save takes seconds, not an hour, but its process may have been suspended; so before anything
is deleted, the project gets a mark by which every save that began earlier loses its race and starts anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from bson import ObjectId
from pymongo import ASCENDING, ReturnDocument
from pymongo.collection import Collection

from projectapi.infra.retry import Retry
from projectapi.project import now as current_time
from projectapi.protocols import HistoryReport
from projectapi.stores.announced import Announce, unannounced
from projectapi.stores.collections import BY_PROJECT
from projectapi.stores.documents import Document
from projectapi.stores.project_pages import ProjectPage, project_pages
from projectapi.timeline.retention import HistoryEntry, RetentionPolicy, versions_to_delete

T = TypeVar("T")

UNTOUCHED_FOR = timedelta(hours=1)

_PROJECT = {"projectId": True, "timelineHead._id": True, "timelineHead.keyframe": True, "unsettledRevisions": True}
_REVISION = dict.fromkeys(
    ("version", "committed", "discardedAt", "createdAt", "updatedAt", "description", "keyframe"), True
)
_BATCH = 100


class HistorySweep:
    """Sweeps the collection `timeline_states`, one project after the other."""

    def __init__(
        self,
        projects: Collection[Document],
        revisions: Collection[Document],
        retry: Retry,
        announce: Announce = unannounced,
    ) -> None:
        self._projects = projects
        self._revisions = revisions
        self._retry = retry
        self._announce = announce

    def run(self, policy: RetentionPolicy, now: datetime, *, dry_run: bool) -> HistoryReport:
        """See `Housekeeping.sweep_history`."""
        projects = forgotten = deleted = orphans = new_orphans = 0
        for page in project_pages(self._projects, self._retry, _PROJECT):
            projects += len(page.projects)
            for project in page.projects:
                # The project was read before its revisions: what it did not point to then, it never will (see above).
                revisions = self._revisions_of(project["projectId"])
                forgotten += self._forget(project, to_forget(project, revisions, policy, now), dry_run)
                deleted += self._delete(project, revisions, now, dry_run)
            orphans += self._delete_orphans(page, now, dry_run)
            new_orphans += self._mark_orphans(page, now, dry_run)
        return HistoryReport(
            projects=projects, forgotten=forgotten, deleted=deleted, orphans=orphans, new_orphans=new_orphans
        )

    def _revisions_of(self, project_id: str) -> list[Document]:
        conditions = {"projectId": project_id}
        return self._retry.read(lambda: list(self._revisions.find(conditions, _REVISION).sort([("version", ASCENDING)])))

    def _forget(self, project: Document, revisions: Sequence[Document], dry_run: bool) -> int:
        if dry_run or not revisions:
            return len(revisions)
        project_id, unsettled = project["projectId"], set(project["unsettledRevisions"])
        with self._announce(project_id):
            self._unlist(project_id, [revision for revision in revisions if revision["_id"] in unsettled])
            return sum(self._uncommit(project_id, batch) for batch in _batches(revisions))

    def _unlist(self, project_id: str, revisions: Sequence[Document]) -> None:
        """Let revisions be committed by their own flag alone, so that one write can take them from history."""
        settled = [revision["_id"] for revision in revisions if self._settle(project_id, revision)]
        if settled:
            # Neither version nor time of the project change: nothing that anybody sees of it does.
            update = {"$pullAll": {"unsettledRevisions": settled}}
            self._retry.repeat(lambda: self._projects.update_one({"projectId": project_id}, update))

    def _settle(self, project_id: str, revision: Document) -> bool:
        conditions = {"projectId": project_id, "_id": revision["_id"], "updatedAt": revision["updatedAt"]}
        update = {"$set": {"committed": True}}
        return self._retry.repeat(lambda: self._revisions.update_one(conditions, update)).matched_count == 1

    def _uncommit(self, project_id: str, revisions: Sequence[Document]) -> int:
        """Take revisions from history unless somebody named or deleted them since they were read."""
        at = current_time()
        update = {"$set": {"committed": False, "discardedAt": at, "updatedAt": at}}
        unchanged = [{"_id": revision["_id"], "updatedAt": revision["updatedAt"]} for revision in revisions]
        conditions = {"projectId": project_id, "$or": unchanged}
        return self._retry.repeat(lambda: self._revisions.update_many(conditions, update)).modified_count

    def _delete(self, project: Document, revisions: Sequence[Document], now: datetime, dry_run: bool) -> int:
        found = to_delete(project, revisions, now)
        if dry_run or not found:
            return len(found)
        fenced = self._fence(project["projectId"])
        if fenced is None:
            return 0
        # Read anew: a save may have shortened the project's list meanwhile, and what was on it is known by its own flag now.
        found = to_delete(fenced, self._revisions_of(project["projectId"]), now)
        # Deltas first: killed in between, no delta is left without the keyframe that it stands on.
        deltas = [revision["_id"] for revision in found if revision["keyframe"] != revision["_id"]]
        keyframes = [revision["_id"] for revision in found if revision["keyframe"] == revision["_id"]]
        batches = [*_batches(deltas), *_batches(keyframes)]
        return sum(self._delete_batch(project["projectId"], batch, now) for batch in batches)

    def _fence(self, project_id: str) -> Document | None:
        """Make every save that read the project before now lose its race, and return what the project points to then."""
        conditions = {"projectId": project_id}
        # The id of no revision: a save compares the list and finds that it has changed, and nobody else minds.
        update = {"$push": {"unsettledRevisions": ObjectId()}}
        after = ReturnDocument.AFTER
        return self._retry.repeat(
            lambda: self._projects.find_one_and_update(conditions, update, _PROJECT, return_document=after)
        )

    def _delete_batch(self, project_id: str, ids: Sequence[ObjectId], now: datetime) -> int:
        untouched = {"committed": False, "updatedAt": {"$lt": now - UNTOUCHED_FOR}}
        conditions = {"projectId": project_id, "_id": {"$in": list(ids)}, **untouched}
        return self._retry.repeat(lambda: self._revisions.delete_many(conditions)).deleted_count

    def _delete_orphans(self, page: ProjectPage, now: datetime, dry_run: bool) -> int:
        marked = {"orphanedAt": {"$lt": now - UNTOUCHED_FOR}}
        return self._for_orphans(page, marked, dry_run, lambda them: self._revisions.delete_many(them).deleted_count)

    def _mark_orphans(self, page: ProjectPage, now: datetime, dry_run: bool) -> int:
        """Mark what seems to have no project: while a backup is being restored, history may be there before its project."""
        unmarked = {"orphanedAt": {"$exists": False}, "updatedAt": {"$lt": now - UNTOUCHED_FOR}}
        mark = {"$set": {"orphanedAt": now}}
        return self._for_orphans(
            page, unmarked, dry_run, lambda them: self._revisions.update_many(them, mark).modified_count
        )

    def _for_orphans(
        self, page: ProjectPage, conditions: Document, dry_run: bool, write: Callable[[Document], int]
    ) -> int:
        """Write to the revisions in the page's range that none of its projects owns, until none meets the conditions."""
        orphans = {"projectId": page.ids_of_others, **conditions}
        if dry_run:
            return self._retry.read(lambda: self._revisions.count_documents(orphans, hint=BY_PROJECT))
        ids = {"projectId": True}
        written = 0
        while found := self._retry.read(lambda: list(self._revisions.find(orphans, ids).hint(BY_PROJECT).limit(_BATCH))):
            them = {name: {"$in": [orphan[name] for orphan in found]} for name in ("projectId", "_id")} | conditions
            written += self._retry.repeat(partial(write, them))
        return written


def to_forget(
    project: Document, revisions: Iterable[Document], policy: RetentionPolicy, now: datetime
) -> Sequence[Document]:
    """Return the committed revisions of a project that the policy lets go, never one of the last hour."""
    unsettled = set(project["unsettledRevisions"])
    committed = [r for r in revisions if (r["committed"] or r["_id"] in unsettled) and not r.get("discardedAt")]
    version_of = {revision["_id"]: revision["version"] for revision in committed}
    current = (project.get("timelineHead") or {}).get("_id")
    entries = [
        HistoryEntry(
            version=revision["version"],
            created_at=revision["createdAt"],
            description=revision["description"],
            is_current=revision["_id"] == current,
            base=None if revision["keyframe"] == revision["_id"] else version_of.get(revision["keyframe"]),
        )
        for revision in committed
    ]
    versions = versions_to_delete(entries, now, policy)
    newest = now - UNTOUCHED_FOR
    return [revision for revision in committed if revision["version"] in versions and revision["createdAt"] < newest]


def to_delete(project: Document, revisions: Sequence[Document], now: datetime) -> Sequence[Document]:
    """Return the revisions of a project that are not in its history, on which nothing stands, and that are not new."""
    head = project.get("timelineHead") or {}
    pointed_to = {*project["unsettledRevisions"], head.get("_id"), head.get("keyframe")}
    leftovers = {
        revision["_id"]: revision
        for revision in revisions
        if not revision["committed"]
        and revision["_id"] not in pointed_to
        and revision["updatedAt"] < now - UNTOUCHED_FOR
    }
    while needed := leftovers.keys() & {r["keyframe"] for r in revisions if r["_id"] not in leftovers}:
        for revision_id in needed:
            del leftovers[revision_id]
    return list(leftovers.values())


def _batches(items: Sequence[T]) -> Iterable[Sequence[T]]:
    return (items[start : start + _BATCH] for start in range(0, len(items), _BATCH))
