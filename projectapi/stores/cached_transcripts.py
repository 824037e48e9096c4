"""Transcripts behind the cache: the same store, with every write announced, since projects are cached with their transcript."""

from __future__ import annotations

from collections.abc import Sequence

from projectapi.project import EntityTag, JsonObject, ProjectKey
from projectapi.protocols import TranscriptStore
from projectapi.stores.announced import Announced
from projectapi.transcript import RecognisedSpeech, Transcript


class CachedTranscriptStore(TranscriptStore):
    """`TranscriptStore` over another one; its reads are the other's, since only finished answers are cached."""

    def __init__(self, inner: TranscriptStore, announced: Announced) -> None:
        self._inner = inner
        self._announced = announced

    def get_transcript(self, key: ProjectKey) -> Transcript:
        """See `TranscriptStore.get_transcript`."""
        return self._inner.get_transcript(key)

    def create_transcript(self, key: ProjectKey, values: JsonObject, *, write_id: str | None = None) -> Transcript:
        """See `TranscriptStore.create_transcript`."""
        with self._announced.write(key.id):
            return self._inner.create_transcript(key, values, write_id=write_id)

    def update_transcript(self, key: ProjectKey, values: JsonObject, expected: EntityTag | None = None) -> Transcript:
        """See `TranscriptStore.update_transcript`."""
        with self._announced.write(key.id):
            return self._inner.update_transcript(key, values, expected)

    def delete_transcript(self, key: ProjectKey, expected: EntityTag | None = None) -> None:
        """See `TranscriptStore.delete_transcript`."""
        with self._announced.write(key.id):
            self._inner.delete_transcript(key, expected)

    def add_segments(
        self,
        key: ProjectKey,
        segments: Sequence[JsonObject],
        expected: EntityTag | None = None,
        *,
        write_id: str | None = None,
    ) -> Transcript:
        """See `TranscriptStore.add_segments`."""
        with self._announced.write(key.id):
            return self._inner.add_segments(key, segments, expected, write_id=write_id)

    def update_segment(
        self, key: ProjectKey, segment_id: str, values: JsonObject, expected: EntityTag | None = None
    ) -> Transcript:
        """See `TranscriptStore.update_segment`."""
        with self._announced.write(key.id):
            return self._inner.update_segment(key, segment_id, values, expected)

    def delete_segment(self, key: ProjectKey, segment_id: str, expected: EntityTag | None = None) -> Transcript:
        """See `TranscriptStore.delete_segment`."""
        with self._announced.write(key.id):
            return self._inner.delete_segment(key, segment_id, expected)

    def store_recognised(self, key: ProjectKey, speech: RecognisedSpeech) -> Transcript:
        """See `TranscriptStore.store_recognised`."""
        with self._announced.write(key.id):
            return self._inner.store_recognised(key, speech)
