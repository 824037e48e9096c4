"""Transcripts in MongoDB: each embedded in its project, changed by compare-and-swap."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from projectapi.errors import Conflict, PreconditionFailed, TimelineTooLarge, TranscriptionNotFound, Unavailable
from projectapi.project import EntityTag, JsonObject, ProjectKey, new_id, new_write_id, now
from projectapi.protocols import TranscriptStore
from projectapi.stores.project_documents import ProjectDocuments, pause_after_race
from projectapi.stores.transcript_documents import FIELD, too_large, transcript_from_project, values_to_store
from projectapi.transcript import (
    RecognisedSpeech,
    Transcript,
    with_changed_segment,
    with_more_segments,
    with_speech,
    with_values,
    without_segment,
)

Change = Callable[[Transcript | None], Transcript | None]

_TRANSCRIPT = {"projectId": True, "version": True, "lastWrite": True, "recentWrites": True, FIELD: True}
_RACES_MAX = 60


class MongoTranscriptStore(TranscriptStore):
    """`TranscriptStore` over the collection `projects`; knows nothing of caches."""

    def __init__(self, projects: ProjectDocuments) -> None:
        self._projects = projects

    def get_transcript(self, key: ProjectKey) -> Transcript:
        """See `TranscriptStore.get_transcript`."""
        return _existing(transcript_from_project(self._projects.find(key, _TRANSCRIPT)))

    def create_transcript(self, key: ProjectKey, values: JsonObject, *, write_id: str | None = None) -> Transcript:
        """See `TranscriptStore.create_transcript`."""

        def create(current: Transcript | None) -> Transcript:
            if current is not None:
                raise Conflict("This project has a transcription already. Change it, or delete it first.")
            return with_values(_blank(key.id), values)

        return _existing(self._change(key, create, write_id=write_id))

    def update_transcript(self, key: ProjectKey, values: JsonObject, expected: EntityTag | None = None) -> Transcript:
        """See `TranscriptStore.update_transcript`."""
        return self._edit(key, partial(with_values, values=values), expected)

    def delete_transcript(self, key: ProjectKey, expected: EntityTag | None = None) -> None:
        """See `TranscriptStore.delete_transcript`."""

        def delete(current: Transcript | None) -> None:
            _check(_existing(current), expected)

        self._change(key, delete)

    def add_segments(
        self,
        key: ProjectKey,
        segments: Sequence[JsonObject],
        expected: EntityTag | None = None,
        *,
        write_id: str | None = None,
    ) -> Transcript:
        """See `TranscriptStore.add_segments`."""
        return self._edit(key, partial(with_more_segments, segments=segments), expected, write_id=write_id)

    def update_segment(
        self, key: ProjectKey, segment_id: str, values: JsonObject, expected: EntityTag | None = None
    ) -> Transcript:
        """See `TranscriptStore.update_segment`."""
        return self._edit(key, partial(with_changed_segment, segment_id=segment_id, values=values), expected)

    def delete_segment(self, key: ProjectKey, segment_id: str, expected: EntityTag | None = None) -> Transcript:
        """See `TranscriptStore.delete_segment`."""
        return self._edit(key, partial(without_segment, segment_id=segment_id), expected)

    def store_recognised(self, key: ProjectKey, speech: RecognisedSpeech) -> Transcript:
        """See `TranscriptStore.store_recognised`."""

        def store(current: Transcript | None) -> Transcript:
            if current is not None and current.is_edited:
                return current
            return with_speech(current or _blank(key.id), speech)

        return _existing(self._change(key, store))

    def _edit(
        self,
        key: ProjectKey,
        edit: Callable[[Transcript], Transcript],
        expected: EntityTag | None,
        *,
        write_id: str | None = None,
    ) -> Transcript:
        def change(current: Transcript | None) -> Transcript:
            transcript = _existing(current)
            _check(transcript, expected)
            return edit(transcript)

        return _existing(self._change(key, change, write_id=write_id))

    def _change(self, key: ProjectKey, change: Change, *, write_id: str | None = None) -> Transcript | None:
        """Make the transcript what `change` makes of it, anew on what others wrote in the meantime, and return it.

        What `change` sees is still so when its result is written: the filter names the version of the whole project.
        """
        for race in range(_RACES_MAX):
            project = self._projects.find(key, _TRANSCRIPT)
            current = transcript_from_project(project)
            if write_id in project["recentWrites"]:
                return current
            changed = change(current)
            if changed == current:
                return current
            changed = _next_version(changed, current)
            if self._swap(project, key, values_to_store(current, changed), write_id):
                return changed
            pause_after_race(race)
        raise Unavailable

    def _swap(self, project: JsonObject, key: ProjectKey, values: JsonObject, write_id: str | None) -> bool:
        read = EntityTag(project["version"], project["lastWrite"])
        try:
            self._projects.change(key, values, expected=read, projection={"_id": True}, write_id=write_id)
        except PreconditionFailed:
            return False
        except TimelineTooLarge as error:
            raise too_large() from error
        return True


def _blank(project_id: str) -> Transcript:
    at = now()
    return Transcript(id=new_id(), project_id=project_id, version=0, tag="", created_at=at, updated_at=at)


def _next_version(changed: Transcript | None, current: Transcript | None) -> Transcript | None:
    if changed is None:
        return None
    if current is None:
        # A new one has one time, even if the clock moved on since it was made.
        return replace(changed, version=1, tag=new_write_id(), updated_at=changed.created_at)
    return replace(changed, version=current.version + 1, tag=new_write_id(), updated_at=now())


def _existing(transcript: Transcript | None) -> Transcript:
    if transcript is None:
        raise TranscriptionNotFound
    return transcript


def _check(transcript: Transcript, expected: EntityTag | None) -> None:
    current = EntityTag(transcript.version, transcript.tag)
    if expected is not None and expected != current:
        raise PreconditionFailed(
            "Somebody else changed the transcription in the meantime (perhaps you, in another tab). Nothing was overwritten: "
            "load it again and repeat your change.",
            headers={"ETag": str(current)},
            extra={"currentVersion": current.version},
        )
