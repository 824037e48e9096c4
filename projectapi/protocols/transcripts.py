"""What a store of transcripts must do; its docstrings are the specification, as those in `protocols` are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from projectapi.project import EntityTag, JsonObject, ProjectKey
from projectapi.transcript import RecognisedSpeech, Transcript


class TranscriptStore(Protocol):
    """Keeps the transcripts of projects, at most one each; what `ProjectStore` promises holds here too.

    Whoever changes one segment while somebody else changes another loses nothing and undoes nothing. Every method but
    `create_transcript` and `store_recognised` raises TranscriptionNotFound when the project has no transcript; every one that
    takes `expected` raises PreconditionFailed when that is given and is not the transcript's current tag; every one that adds
    something raises BodyTooLarge when the transcript would become too large. A change that changes nothing makes no version.
    """

    def get_transcript(self, key: ProjectKey) -> Transcript:
        """Return the project's transcript."""

    def create_transcript(self, key: ProjectKey, values: JsonObject, *, write_id: str | None = None) -> Transcript:
        """Give the project a transcript with these fields and return it. Raises Conflict when it has one, ValidationFailed."""

    def update_transcript(self, key: ProjectKey, values: JsonObject, expected: EntityTag | None = None) -> Transcript:
        """Put `values` in place of the transcript's fields of these names and return it. Raises ValidationFailed."""

    def delete_transcript(self, key: ProjectKey, expected: EntityTag | None = None) -> None:
        """Remove the transcript for good."""

    def add_segments(
        self,
        key: ProjectKey,
        segments: Sequence[JsonObject],
        expected: EntityTag | None = None,
        *,
        write_id: str | None = None,
    ) -> Transcript:
        """Append segments, giving an id to each that has none, and return the transcript.

        Raises ValidationFailed for an id that is taken and for times that run backwards.
        """

    def update_segment(
        self, key: ProjectKey, segment_id: str, values: JsonObject, expected: EntityTag | None = None
    ) -> Transcript:
        """Change these fields of one segment and return the transcript. Raises TranscriptionNotFound, ValidationFailed."""

    def delete_segment(self, key: ProjectKey, segment_id: str, expected: EntityTag | None = None) -> Transcript:
        """Remove one segment and return the transcript. Raises TranscriptionNotFound."""

    def store_recognised(self, key: ProjectKey, speech: RecognisedSpeech) -> Transcript:
        """Make recognised speech the project's transcript and return it.

        A transcript that somebody has edited is not overwritten: it stays, and is returned, until it is deleted.
        """
