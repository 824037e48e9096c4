"""What every `TranscriptStore` does, whatever it stands on."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from pymongo.database import Database

from projectapi.errors import (
    BodyTooLarge,
    Conflict,
    PreconditionFailed,
    ProjectNotFound,
    TranscriptionNotFound,
    ValidationFailed,
)
from projectapi.infra.retry import Retry
from projectapi.project import EntityTag, ProjectKey, new_write_id
from projectapi.protocols import TranscriptStore
from projectapi.stores.mongo_transcripts import MongoTranscriptStore
from projectapi.stores.project_documents import ProjectDocuments
from projectapi.stores.transcript_documents import values_to_store
from projectapi.transcript import RecognisedSpeech, Transcript
from tests.harness.stores import Stores, at_once, save

JsonObject = dict[str, Any]


@pytest.fixture
def documents(stores: Stores) -> ProjectDocuments:
    return ProjectDocuments(stores.project_documents, Retry())


@pytest.fixture
def transcripts(documents: ProjectDocuments) -> TranscriptStore:
    return MongoTranscriptStore(documents)


@pytest.fixture
def key(stores: Stores) -> ProjectKey:
    return stores.create()


def segment(text: str = "Hello there.", *, start: float = 0, **more: Any) -> JsonObject:
    whole = {
        "id": None,
        "start_time": start,
        "end_time": start + 1.5,
        "text": text,
        "words": [],
        "speaker_id": None,
        "confidence": None,
        "is_edited": False,
        "edited_text": None,
    }
    return {**whole, **more}


def word(text: str, start: float, end: float, *, is_filler: bool = False, confidence: float | None = 0.5) -> JsonObject:
    return {"text": text, "start": start, "end": end, "confidence": confidence, "is_filler": is_filler}


def speech(*words: JsonObject, language: str = "en") -> RecognisedSpeech:
    return RecognisedSpeech(words=words, language=language, model_used="tiny", processing_time=0.5, duration=3.0)


def tag_of(transcript: Transcript) -> EntityTag:
    return EntityTag(transcript.version, transcript.tag)


def texts_of(transcript: Transcript) -> list[str]:
    return [segment["text"] for segment in transcript.segments]


def written(transcripts: TranscriptStore, key: ProjectKey, *texts: str) -> Transcript:
    """Give the project a transcript whose segments have ids s0, s1, ... and these texts."""
    segments = [segment(text, start=number * 2, id=f"s{number}") for number, text in enumerate(texts)]
    return transcripts.create_transcript(key, {"segments": segments})


def test_a_new_transcription_has_one_time_even_if_the_clock_moves_on_meanwhile(
    transcripts: TranscriptStore, key: ProjectKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    minutes = itertools.count()
    start = datetime(2026, 11, 22, tzinfo=UTC)
    monkeypatch.setattr("projectapi.stores.mongo_transcripts.now", lambda: start + timedelta(minutes=next(minutes)))

    created = transcripts.create_transcript(key, {"language": "en"})
    changed = transcripts.update_transcript(key, {"language": "de"})

    assert created.created_at == created.updated_at
    assert changed.updated_at > changed.created_at == created.created_at


def test_a_transcript_is_found_again_as_it_was_answered(transcripts: TranscriptStore, key: ProjectKey) -> None:
    values = {"language": "de", "speakers": {"a.b": {"name": "Ann", "": 1}}, "metadata": {"deep": [1, 1.0, None, "ü"]}}

    created = transcripts.create_transcript(key, {**values, "segments": [segment(words=[word("Hello", 0, 0.5)])]})

    assert transcripts.get_transcript(key) == created
    assert (created.project_id, created.version, created.language, created.is_complete) == (key.id, 1, "de", False)
    assert (created.speakers, created.metadata) == (values["speakers"], values["metadata"])
    assert created.words == [word("Hello", 0, 0.5)]


def test_a_project_has_one_transcript_only(transcripts: TranscriptStore, key: ProjectKey) -> None:
    first = written(transcripts, key, "one")

    with pytest.raises(Conflict):
        transcripts.create_transcript(key, {"language": "fr"})

    assert transcripts.get_transcript(key) == first


def test_a_project_shows_its_transcript_and_changes_with_it(
    stores: Stores, transcripts: TranscriptStore, key: ProjectKey
) -> None:
    before = stores.projects.get_project(key)

    transcript = written(transcripts, key, "one")

    after = stores.projects.get_project(key)
    assert (before.transcript, after.transcript) == (None, transcript)
    assert after.version == before.version + 1


VERBS: dict[str, Callable[[TranscriptStore, ProjectKey], Any]] = {
    "get": lambda store, key: store.get_transcript(key),
    "update": lambda store, key: store.update_transcript(key, {"language": "en"}),
    "delete": lambda store, key: store.delete_transcript(key),
    "add segments": lambda store, key: store.add_segments(key, [segment()]),
    "update segment": lambda store, key: store.update_segment(key, "s0", {"text": "other"}),
    "delete segment": lambda store, key: store.delete_segment(key, "s0"),
}
VERBS_OF_CREATION: dict[str, Callable[[TranscriptStore, ProjectKey], Any]] = {
    "create": lambda store, key: store.create_transcript(key, {}),
    "store recognised": lambda store, key: store.store_recognised(key, speech(word("a", 0, 1))),
}


@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS.keys())
def test_a_project_without_a_transcript_says_so(
    transcripts: TranscriptStore, key: ProjectKey, verb: Callable[[TranscriptStore, ProjectKey], Any]
) -> None:
    with pytest.raises(TranscriptionNotFound):
        verb(transcripts, key)


@pytest.mark.parametrize("verb", [*VERBS.values(), *VERBS_OF_CREATION.values()], ids=[*VERBS, *VERBS_OF_CREATION])
def test_a_project_in_the_trash_has_no_transcript_to_see_or_change(
    stores: Stores, transcripts: TranscriptStore, key: ProjectKey, verb: Callable[[TranscriptStore, ProjectKey], Any]
) -> None:
    stores.projects.delete_project(key)

    with pytest.raises(ProjectNotFound):
        verb(transcripts, key)


def test_a_transcript_comes_back_with_its_project_from_the_trash(
    stores: Stores, transcripts: TranscriptStore, key: ProjectKey
) -> None:
    before = written(transcripts, key, "one", "two")

    stores.projects.delete_project(key)
    stores.projects.restore_project(key)

    assert transcripts.get_transcript(key) == before


def test_a_stranger_sees_no_transcript(stores: Stores, transcripts: TranscriptStore) -> None:
    key = stores.create(owner="ann")
    written(transcripts, key, "one")

    with pytest.raises(ProjectNotFound):
        transcripts.get_transcript(ProjectKey(key.id, "bob"))


def test_segments_without_an_id_get_one_each(transcripts: TranscriptStore, key: ProjectKey) -> None:
    written(transcripts, key, "one")

    changed = transcripts.add_segments(key, [segment("two"), segment("three", id="mine")])

    ids = [segment["id"] for segment in changed.segments]
    assert texts_of(changed) == ["one", "two", "three"]
    assert (len(set(ids)), ids[0], ids[2], bool(ids[1])) == (3, "s0", "mine", True)


@pytest.mark.parametrize(
    "segments",
    [
        [segment(id="s0")],
        [segment(id="new"), segment(id="new")],
        [segment(id="a/b")],
        [segment(), segment(start=-1)],
        [segment(start_time=2, end_time=1)],
        [segment(words=[word("a", 1, 0.5)])],
    ],
    ids=["id taken", "id twice", "slash in id", "before the video", "backwards", "word backwards"],
)
def test_a_wrong_segment_is_refused_and_none_is_added(
    transcripts: TranscriptStore, key: ProjectKey, segments: list[JsonObject]
) -> None:
    before = written(transcripts, key, "one")

    with pytest.raises(ValidationFailed):
        transcripts.add_segments(key, segments)

    assert transcripts.get_transcript(key) == before


@pytest.mark.parametrize("count", [1, 12, 120])
def test_added_segments_stand_behind_the_others_in_their_order(
    transcripts: TranscriptStore, key: ProjectKey, count: int
) -> None:
    written(transcripts, key, "first")
    texts = [f"text {number}" for number in range(count)]

    transcripts.add_segments(key, [segment(text) for text in texts])

    assert texts_of(transcripts.get_transcript(key)) == ["first", *texts]


def test_a_change_of_one_segment_leaves_the_others_as_they_were(transcripts: TranscriptStore, key: ProjectKey) -> None:
    before = written(transcripts, key, "one", "two", "three")

    answered = transcripts.update_segment(key, "s1", {"text": "zwei", "speaker_id": "ann"})

    after = transcripts.get_transcript(key)
    assert after == answered
    assert after.segments[1] == {**before.segments[1], "text": "zwei", "speaker_id": "ann", "is_edited": True}
    assert (after.segments[0], after.segments[2]) == (before.segments[0], before.segments[2])
    assert (after.version, after.is_edited, after.speaker_count) == (2, True, 1)


def test_an_edited_word_carries_only_its_segment_to_the_database(transcripts: TranscriptStore, key: ProjectKey) -> None:
    before = written(transcripts, key, "one", "two", "three")

    after = transcripts.update_segment(key, "s1", {"text": "zwei"})

    changed = {"segments.1", "isEdited", "version", "lastWrite", "updatedAt"}
    assert set(values_to_store(before, after)) == {f"transcriptState.{field}" for field in changed}


def test_other_times_alone_do_not_make_a_segment_edited(transcripts: TranscriptStore, key: ProjectKey) -> None:
    written(transcripts, key, "one")

    changed = transcripts.update_segment(key, "s0", {"end_time": 4})

    assert (changed.segments[0]["end_time"], changed.segments[0]["is_edited"], changed.is_edited) == (4, False, False)


def test_a_segment_that_would_end_before_it_starts_stays_as_it_was(transcripts: TranscriptStore, key: ProjectKey) -> None:
    before = written(transcripts, key, "one")

    with pytest.raises(ValidationFailed):
        transcripts.update_segment(key, "s0", {"start_time": 99})

    assert transcripts.get_transcript(key) == before


def test_a_deleted_segment_is_gone_and_the_others_stay(transcripts: TranscriptStore, key: ProjectKey) -> None:
    written(transcripts, key, "one", "two", "three")

    transcripts.delete_segment(key, "s1")

    assert texts_of(transcripts.get_transcript(key)) == ["one", "three"]
    with pytest.raises(TranscriptionNotFound):
        transcripts.delete_segment(key, "s1")


def test_confidence_and_speakers_follow_from_the_segments(transcripts: TranscriptStore, key: ProjectKey) -> None:
    transcripts.create_transcript(key, {})

    changed = transcripts.add_segments(
        key, [segment(confidence=0.5, speaker_id="a"), segment(confidence=1, speaker_id="b"), segment(speaker_id="a")]
    )

    assert (changed.confidence_score, changed.speaker_count) == (0.75, 2)


def test_an_update_changes_only_what_it_names(transcripts: TranscriptStore, key: ProjectKey) -> None:
    before = written(transcripts, key, "one")

    after = transcripts.update_transcript(key, {"is_complete": True, "metadata": {"a": 1}})

    assert (after.is_complete, after.metadata, after.version) == (True, {"a": 1}, 2)
    assert (after.id, after.segments, after.created_at) == (before.id, before.segments, before.created_at)


def test_a_change_that_changes_nothing_makes_no_version(
    stores: Stores, transcripts: TranscriptStore, key: ProjectKey
) -> None:
    before = written(transcripts, key, "one")
    project = stores.projects.get_project(key)

    answered = transcripts.update_segment(key, "s0", {"text": "one"})

    assert answered == before
    assert stores.projects.get_project(key) == project


CHANGES: dict[str, Callable[[TranscriptStore, ProjectKey, EntityTag], Any]] = {
    "update": lambda store, key, tag: store.update_transcript(key, {"language": "en"}, tag),
    "delete": lambda store, key, tag: store.delete_transcript(key, tag),
    "add segments": lambda store, key, tag: store.add_segments(key, [segment()], tag),
    "update segment": lambda store, key, tag: store.update_segment(key, "s0", {"text": "other"}, tag),
    "delete segment": lambda store, key, tag: store.delete_segment(key, "s0", tag),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_whoever_names_an_old_version_is_refused_and_told_the_current_one(
    transcripts: TranscriptStore, key: ProjectKey, change: Callable[[TranscriptStore, ProjectKey, EntityTag], Any]
) -> None:
    old = written(transcripts, key, "one")
    current = transcripts.update_transcript(key, {"model_used": "tiny"})

    with pytest.raises(PreconditionFailed) as refusal:
        change(transcripts, key, tag_of(old))

    assert refusal.value.headers["ETag"] == str(tag_of(current))
    assert transcripts.get_transcript(key) == current


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_whoever_names_the_current_version_may_change_it(
    transcripts: TranscriptStore, key: ProjectKey, change: Callable[[TranscriptStore, ProjectKey, EntityTag], Any]
) -> None:
    current = written(transcripts, key, "one")

    change(transcripts, key, tag_of(current))

    with pytest.raises((PreconditionFailed, TranscriptionNotFound)):
        transcripts.update_transcript(key, {"language": "fr"}, tag_of(current))


def test_a_new_transcript_does_not_answer_to_the_tag_of_a_deleted_one(transcripts: TranscriptStore, key: ProjectKey) -> None:
    deleted = written(transcripts, key, "one")
    transcripts.delete_transcript(key)
    created = written(transcripts, key, "two")

    with pytest.raises(PreconditionFailed):
        transcripts.update_transcript(key, {"language": "en"}, tag_of(deleted))

    assert created.version == deleted.version


class Interrupted(ProjectDocuments):
    """The documents of projects, where somebody else does something between the first read and the write that follows."""

    def __init__(self, documents: ProjectDocuments, meanwhile: Callable[[], Any]) -> None:
        super().__init__(documents.collection, documents.retry)
        self._pending = [meanwhile]

    def change(self, key: ProjectKey, values: JsonObject, **options: Any) -> JsonObject:
        while self._pending:
            self._pending.pop()()
        return super().change(key, values, **options)


def test_a_change_made_between_reading_and_writing_is_kept(
    transcripts: TranscriptStore, documents: ProjectDocuments, key: ProjectKey
) -> None:
    written(transcripts, key, "one", "two", "three")
    slow = MongoTranscriptStore(Interrupted(documents, lambda: transcripts.delete_segment(key, "s0")))

    slow.update_segment(key, "s2", {"text": "drei"})

    after = transcripts.get_transcript(key)
    assert (texts_of(after), after.version) == (["two", "drei"], 3)


def test_a_transcript_created_between_reading_and_writing_is_not_overwritten(
    transcripts: TranscriptStore, documents: ProjectDocuments, key: ProjectKey
) -> None:
    slow = MongoTranscriptStore(Interrupted(documents, lambda: written(transcripts, key, "first")))

    with pytest.raises(Conflict):
        slow.create_transcript(key, {"language": "fr"})

    assert texts_of(transcripts.get_transcript(key)) == ["first"]


def test_a_precondition_is_checked_against_what_is_there_when_it_is_written(
    transcripts: TranscriptStore, documents: ProjectDocuments, key: ProjectKey
) -> None:
    read = written(transcripts, key, "one")
    slow = MongoTranscriptStore(Interrupted(documents, lambda: transcripts.update_segment(key, "s0", {"text": "eins"})))

    with pytest.raises(PreconditionFailed):
        slow.update_segment(key, "s0", {"text": "un"}, tag_of(read))

    assert texts_of(transcripts.get_transcript(key)) == ["eins"]


def test_a_timeline_saved_meanwhile_is_kept_and_is_no_conflict(
    stores: Stores, transcripts: TranscriptStore, documents: ProjectDocuments, key: ProjectKey
) -> None:
    read = written(transcripts, key, "one")
    slow = MongoTranscriptStore(Interrupted(documents, lambda: stores.timelines.save_timeline(key, save(7))))

    slow.update_segment(key, "s0", {"text": "eins"}, tag_of(read))

    timeline = stores.timelines.get_timeline(key)
    assert timeline is not None and timeline.state["playhead_time"] == 7
    assert texts_of(transcripts.get_transcript(key)) == ["eins"]


def test_writers_of_different_segments_at_once_lose_nothing(
    stores: Stores, transcripts: TranscriptStore, key: ProjectKey
) -> None:
    if not isinstance(stores.database, Database):
        pytest.skip("a database in memory is not made for threads")
    writers, changes = 3, 6
    written(transcripts, key, *["old"] * writers)

    def write(writer: int) -> None:
        for change in range(changes):
            transcripts.update_segment(key, f"s{writer}", {"text": f"{writer} {change}"})
            transcripts.add_segments(key, [segment(f"{writer} {change}", id=f"{writer}-{change}")])

    results = at_once(partial(write, writer) for writer in range(writers))

    after = transcripts.get_transcript(key)
    assert results == [None] * writers
    assert texts_of(after)[:writers] == [f"{writer} {changes - 1}" for writer in range(writers)]
    assert sorted(texts_of(after)[writers:]) == sorted(f"{writer} {n}" for writer in range(writers) for n in range(changes))
    assert after.version == 1 + 2 * writers * changes


def test_of_two_creations_at_once_one_wins(stores: Stores, transcripts: TranscriptStore, key: ProjectKey) -> None:
    if not isinstance(stores.database, Database):
        pytest.skip("a database in memory is not made for threads")

    results = at_once(partial(written, transcripts, key, text) for text in ("one", "two"))

    winners = [result for result in results if isinstance(result, Transcript)]
    assert [type(result) for result in results if result not in winners] == [Conflict]
    assert [transcripts.get_transcript(key)] == winners


def test_a_creation_sent_twice_is_done_once(transcripts: TranscriptStore, key: ProjectKey) -> None:
    mark = new_write_id()

    first, second = (transcripts.create_transcript(key, {"language": "en"}, write_id=mark) for _ in range(2))

    assert first == second


def test_segments_sent_twice_are_added_once(transcripts: TranscriptStore, key: ProjectKey) -> None:
    written(transcripts, key, "one")
    mark = new_write_id()

    for _ in range(2):
        transcripts.add_segments(key, [segment("two")], write_id=mark)

    assert texts_of(transcripts.get_transcript(key)) == ["one", "two"]


def test_a_transcript_too_large_for_its_project_is_refused(transcripts: TranscriptStore, key: ProjectKey) -> None:
    before = written(transcripts, key, "one")

    with pytest.raises(BodyTooLarge, match="transcript is too large"):
        transcripts.add_segments(key, [segment("x" * 10_000) for _ in range(900)])

    assert transcripts.get_transcript(key) == before


def test_there_is_an_end_to_the_number_of_segments(transcripts: TranscriptStore, key: ProjectKey) -> None:
    before = written(transcripts, key, "one")

    with pytest.raises(BodyTooLarge, match="20,000 segments"):
        transcripts.add_segments(key, [segment()] * 20_000)

    assert transcripts.get_transcript(key) == before


def test_recognised_words_become_segments_at_pauses_and_ends_of_sentences(
    transcripts: TranscriptStore, key: ProjectKey
) -> None:
    words = [word("So.", 0, 0.5), word("Um", 0.6, 0.8, is_filler=True), word("yes", 0.9, 1.2), word("later", 2.5, 3)]

    stored = transcripts.store_recognised(key, speech(*words))

    assert transcripts.get_transcript(key) == stored
    assert [(s["text"], s["start_time"], s["end_time"]) for s in stored.segments] == [
        ("So.", 0, 0.5),
        ("Um yes", 0.6, 1.2),
        ("later", 2.5, 3),
    ]
    assert stored.words == words
    assert (stored.duration, stored.is_complete, stored.confidence_score) == (3.0, True, 0.5)


def test_speech_recognised_again_replaces_what_was_heard_before(transcripts: TranscriptStore, key: ProjectKey) -> None:
    first = transcripts.store_recognised(key, speech(word("one", 0, 1)))
    transcripts.update_transcript(key, {"metadata": {"kept": True}})

    second = transcripts.store_recognised(key, speech(word("two", 0, 1), language="de"))

    assert (texts_of(second), second.language, second.metadata) == (["two"], "de", {"kept": True})
    assert (second.id, second.version) == (first.id, 3)


def test_speech_recognised_again_does_not_overwrite_what_somebody_edited(
    transcripts: TranscriptStore, key: ProjectKey
) -> None:
    heard = transcripts.store_recognised(key, speech(word("wan", 0, 1)))
    edited = transcripts.update_segment(key, heard.segments[0]["id"], {"text": "one"})

    answered = transcripts.store_recognised(key, speech(word("wan", 0, 1)))

    assert answered == transcripts.get_transcript(key) == edited
