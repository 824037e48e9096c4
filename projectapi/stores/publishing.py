"""Write-through: what a write leaves is put into the cache, so that the next read need not ask the database.

It also renews the long-lived copies, from which projects are shown while MongoDB is away: without it, a project that was saved
and not opened since could not be shown at all.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import replace

from cachetools import LRUCache

from projectapi.errors import ProjectApiError, TranscriptionNotFound
from projectapi.project import Project, ProjectKey, Timeline
from projectapi.protocols import Answer, TranscriptStore
from projectapi.stores.answers import Renderer, answer_of_project, answer_of_timeline
from projectapi.stores.cache import PROJECT, TIMELINE, Entry, Write
from projectapi.transcript import Transcript

_BYTES_PER_WORD = 500
"""About what a recognised word takes in memory."""

_BYTES_PER_SEGMENT = 1000
"""The same of a segment, without its words and its text."""

_TRANSCRIPTS_BYTES = 32 * 2**20


class Publisher:
    """Offers the answers that a write leaves behind to the cache; it decides whether they may be stored (`Write.publish`)."""

    def __init__(self, render: Renderer, transcripts: TranscriptStore) -> None:
        self._render = render
        self._transcripts = transcripts
        # A save carries no transcript, and reading one of hours for each save would cost more than the save.
        self._known: LRUCache[tuple[str, str], Transcript] = LRUCache(_TRANSCRIPTS_BYTES, getsizeof=_weight)
        self._lock = threading.Lock()

    def project(self, write: Write, project: Project) -> None:
        """Publish the whole of a project, with its timeline and its transcript.

        A write that was found done before may be to a project that has gone to the trash since; nothing is published of that.
        """
        if project.deleted_at is not None:
            return
        write.publish(PROJECT, entry_of(answer_of_project(self._render, project), project.owner))
        self._timeline(write, project.timeline, project)

    def save(self, write: Write, timeline: Timeline) -> None:
        """Publish what a save left, if it knows that: one that was found done before knows only its own version."""
        saved = timeline.saved_in
        if saved is None:
            return
        # Not knowing the transcript is no reason for the save to fail: then the project is read anew.
        with suppress(ProjectApiError):
            transcript = self._transcript(saved.project, saved.transcript_tag)
            whole = replace(saved.project, timeline=timeline, transcript=transcript)
            write.publish(PROJECT, entry_of(answer_of_project(self._render, whole), whole.owner))
        self._timeline(write, timeline, saved.project)

    def _timeline(self, write: Write, timeline: Timeline | None, project: Project) -> None:
        write.publish(TIMELINE, entry_of(answer_of_timeline(self._render, project.id, timeline), project.owner))

    def _transcript(self, project: Project, tag: str | None) -> Transcript | None:
        if tag is None:
            return None
        key = project.id, tag
        with self._lock:
            known = self._known.get(key)
        if known is not None:
            return known
        transcript = self._transcripts.get_transcript(ProjectKey(project.id))
        if transcript.tag != tag:
            raise TranscriptionNotFound
        if _weight(transcript) <= _TRANSCRIPTS_BYTES:
            with self._lock:
                self._known[key] = transcript
        return transcript


def entry_of(answer: Answer, owner: str | None) -> Entry:
    """Return a finished answer about something of `owner` as it is cached."""
    return Entry.of(answer.body or b"", version=0, etag=answer.etag or "", owner=owner)


def _weight(transcript: Transcript) -> int:
    texts = sum(len(segment["text"]) + len(segment.get("edited_text") or "") for segment in transcript.segments)
    return _BYTES_PER_WORD * len(transcript.words) + _BYTES_PER_SEGMENT * (1 + len(transcript.segments)) + 4 * texts
