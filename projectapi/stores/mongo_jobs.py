"""The collection `jobs`: what is done in the background, how it stands, and who has it in hand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from pymongo import ReturnDocument
from pymongo.collection import Collection
from pymongo.errors import DuplicateKeyError

from projectapi.errors import JobInterrupted, JobNotFound, MediaBusy, ProjectApiError
from projectapi.infra.retry import Retry
from projectapi.project import JsonObject, now
from projectapi.protocols import Job, JobRequest, JobState, JobStore
from projectapi.stores.documents import Document
from projectapi.stores.job_documents import document_from_error, job_from_document, key_of, new_job_document

QUEUE_SECONDS = 30.0
"""How long a job may wait before it is handed over again: whatever had it in its queue may have lost it."""

LEASE_SECONDS = 15.0
"""How long the holder of a job may be silent before it is taken for dead."""

_ATTEMPTS_MAX = 2
_ACTIVE_MAX = 200
_ACTIVE_PER_PROJECT_MAX = 10
_UNTOLD_FOR = timedelta(hours=1)
_OVER = {"$unset": {"active": "", "leaseUntil": "", "holder": ""}}


class MongoJobStore(JobStore):
    """`JobStore` over MongoDB; a TTL index removes what is older than a day.

    One index lets only one job that is not over have a key. Progress is written by whoever holds the lease, with the renewal,
    and every update names in its filter what it takes for granted.
    """

    def __init__(
        self,
        collection: Collection[Document],
        retry: Retry,
        *,
        queue_seconds: float = QUEUE_SECONDS,
        lease_seconds: float = LEASE_SECONDS,
        clock: Callable[[], datetime] = now,
    ) -> None:
        self._collection = collection
        self._retry = retry
        self._queue = timedelta(seconds=queue_seconds)
        self._lease = timedelta(seconds=lease_seconds)
        self._clock = clock

    def begin(self, request: JobRequest) -> tuple[Job, bool]:
        """See `JobStore.begin`."""
        at, key = self._clock(), key_of(request)
        untold = {"key": key, "finishedAt": {"$gt": at - _UNTOLD_FOR}, "state": JobState.FAILED.value, "untold": True}
        known = self._find({"key": key, "active": True}) or self._change(untold, {"$unset": {"untold": ""}})
        if known is not None:
            return job_from_document(known, at), False
        self._refuse_too_many(request.project_id)
        document = new_job_document(request, at=at, lease_until=at + self._queue)
        stored = self._retry.repeat(lambda: self._insert(document))
        return job_from_document(stored, at), stored["_id"] == document["_id"]

    def get(self, job_id: str) -> Job:
        """See `JobStore.get`."""
        return self._existing(self._find({"_id": job_id}))

    def claim(self, job_id: str, holder: str) -> Job | None:
        """See `JobStore.claim`."""
        at = self._clock()
        values = {"state": JobState.RUNNING.value, "holder": holder, "startedAt": at, "leaseUntil": at + self._lease}
        queued = {"_id": job_id, "state": JobState.QUEUED.value}
        claimed = self._change(queued, {"$set": values, "$inc": {"attempts": 1}})
        # The driver's answer may have got lost on the way, and an earlier attempt may have been ours.
        claimed = claimed or self._find({"_id": job_id, "holder": holder})
        return job_from_document(claimed, at) if claimed else None

    def renew(self, job_id: str, holder: str, progress: float) -> bool:
        """See `JobStore.renew`."""
        values = {"leaseUntil": self._clock() + self._lease, "progress": min(max(progress, 0.0), 100.0)}
        return self._change({"_id": job_id, "holder": holder}, {"$set": values}) is not None

    def finish(self, job_id: str, holder: str, outcome: JsonObject | ProjectApiError) -> None:
        """See `JobStore.finish`."""
        if isinstance(outcome, ProjectApiError):
            values: Document = {"state": JobState.FAILED.value, "error": document_from_error(outcome), "untold": True}
        else:
            values = {"state": JobState.FINISHED.value, "result": outcome, "progress": 100}
        self._end({"_id": job_id, "holder": holder}, values)

    def revive(self, job: Job) -> Job:
        """See `JobStore.revive`."""
        at = self._clock()
        lost = {"_id": job.id, "state": job.state.value, "leaseUntil": {"$lt": at}}
        if job.state is JobState.RUNNING and job.attempts >= _ATTEMPTS_MAX:
            error = document_from_error(JobInterrupted())
            self._end(lost, {"state": JobState.FAILED.value, "error": error, "untold": True})
        else:
            queued = {"state": JobState.QUEUED.value, "leaseUntil": at + self._queue, "progress": 0}
            self._change(lost, {"$set": queued, "$unset": {"holder": ""}})
        return self.get(job.id)

    def cancel(self, job_id: str) -> Job:
        """See `JobStore.cancel`."""
        self._end({"_id": job_id, "active": True}, {"state": JobState.CANCELLED.value})
        return self.get(job_id)

    def note_told(self, job_id: str) -> None:
        """See `JobStore.note_told`."""
        self._change({"_id": job_id}, {"$unset": {"untold": ""}})

    def _refuse_too_many(self, project_id: str) -> None:
        for conditions, most in (
            ({"active": True}, _ACTIVE_MAX),
            ({"active": True, "projectId": project_id}, _ACTIVE_PER_PROJECT_MAX),
        ):
            if self._count(conditions, most) >= most:
                raise MediaBusy

    def _count(self, conditions: Document, most: int) -> int:
        return self._retry.read(lambda: self._collection.count_documents(conditions, limit=most))

    def _insert(self, document: Document) -> Document:
        try:
            self._collection.insert_one(document)
        except DuplicateKeyError:
            # An equal request came first, or this is ours and its acknowledgement got lost.
            return self._collection.find_one({"key": document["key"], "active": True}) or document
        return document

    def _find(self, conditions: Document) -> Document | None:
        return self._retry.read(lambda: self._collection.find_one(conditions))

    def _change(self, conditions: Document, update: Document) -> Document | None:
        after = ReturnDocument.AFTER
        return self._retry.repeat(lambda: self._collection.find_one_and_update(conditions, update, return_document=after))

    def _end(self, conditions: Document, values: Document) -> None:
        self._change(conditions, {"$set": {**values, "finishedAt": self._clock()}, **_OVER})

    def _existing(self, document: Document | None) -> Job:
        if document is None:
            raise JobNotFound
        try:
            return job_from_document(document, self._clock())
        except (KeyError, ValueError) as error:
            # Written by another version of projectapi, within the last day.
            raise JobNotFound from error
