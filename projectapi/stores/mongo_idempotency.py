"""The collection `idempotency_keys`: requests that may be sent twice, and the answers of those that were answered."""

from __future__ import annotations

from datetime import timedelta

import zstandard
from bson import Binary
from pymongo.collection import Collection
from pymongo.errors import DuplicateKeyError

from projectapi.errors import IdempotencyKeyReused
from projectapi.infra.retry import Retry
from projectapi.project import new_write_id, now
from projectapi.protocols import IdempotencyStore, RecordedAnswer, Remembered
from projectapi.stores.collections import IDEMPOTENCY_SECONDS
from projectapi.stores.documents import Document

_ANSWER_MAX_BYTES = 15 * 2**20


class MongoIdempotencyStore(IdempotencyStore):
    """`IdempotencyStore` over MongoDB; a TTL index removes what is older than a day."""

    def __init__(self, collection: Collection[Document], retry: Retry) -> None:
        self._collection = collection
        self._retry = retry

    def begin(self, key: str, fingerprint: str) -> Remembered:
        """See `IdempotencyStore.begin`."""
        document = self._retry.read(lambda: self._collection.find_one({"_id": key}))
        # The TTL index cleans up about once a minute; a day is a day all the same.
        oldest = now() - timedelta(seconds=IDEMPOTENCY_SECONDS)
        if document is not None and document["createdAt"] < oldest:
            self._retry.repeat(lambda: self._collection.delete_one({"_id": key, "createdAt": {"$lt": oldest}}))
            document = None
        if document is None:
            document = self._retry.repeat(lambda: self._remember(key, fingerprint))
        if document["fingerprint"] != fingerprint:
            raise IdempotencyKeyReused
        return Remembered(document["writeId"], _recorded(document))

    def finish(self, key: str, answer: RecordedAnswer) -> None:
        """See `IdempotencyStore.finish`."""
        body = zstandard.ZstdCompressor().compress(answer.body)
        if len(body) > _ANSWER_MAX_BYTES:
            return
        values = {"status": answer.status, "headers": dict(answer.headers), "body": Binary(body)}
        self._retry.repeat(lambda: self._collection.update_one({"_id": key}, {"$set": values}))

    def _remember(self, key: str, fingerprint: str) -> Document:
        # The mark is drawn anew with each record: the same key means another request once the record has expired.
        document: Document = {"_id": key, "fingerprint": fingerprint, "createdAt": now(), "writeId": new_write_id()}
        try:
            self._collection.insert_one(document)
        except DuplicateKeyError:
            return self._collection.find_one({"_id": key}) or document
        return document


def _recorded(document: Document) -> RecordedAnswer | None:
    if "status" not in document:
        return None
    body = zstandard.ZstdDecompressor().decompress(document["body"])
    return RecordedAnswer(document["status"], document["headers"], body)
