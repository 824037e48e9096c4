"""What jobs can do: every kind of work, by its name. Nothing that is not in this table is ever run."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Protocol

from projectapi.errors import SpeechUnavailable
from projectapi.project import JsonObject, ProjectKey, Segment
from projectapi.protocols import (
    JobKind,
    JobRequest,
    Recogniser,
    Report,
    TranscriptStore,
    TrimmedFile,
    VideoFiles,
)
from projectapi.timeline.cut import Edit, Shot
from projectapi.transcript import RecognisedSpeech


class Work(Protocol):
    """One kind of work."""

    def find(self, request: JobRequest) -> JsonObject | None:
        """Return what an equal request made, if it is still there. Raises what refuses the request."""

    def do(self, request: JobRequest, report: Report) -> JsonObject:
        """Do the work and return its result, which is the `data` of the answer."""


Kinds = Mapping[JobKind, Work]


def kinds_of_work(videos: VideoFiles, transcripts: TranscriptStore, recogniser: Recogniser | None) -> Kinds:
    """Return the table of all kinds."""
    rendering = Rendering(videos)
    return {
        JobKind.TRIM_VIDEO: Trimming(videos, _trimmed),
        JobKind.REMOVE_FILLERS: Trimming(videos, _without_fillers),
        JobKind.RENDER_PREVIEW: rendering,
        JobKind.EXPORT: rendering,
        JobKind.TRANSCRIBE: Transcribing(videos, transcripts, recogniser),
    }


class Trimming:
    """Cuts ``segments`` ([start, duration] each) out of a video; `show` makes the answer of the file."""

    def __init__(self, videos: VideoFiles, show: Callable[[JobRequest, TrimmedFile], JsonObject]) -> None:
        self._videos = videos
        self._show = show

    def find(self, request: JobRequest) -> JsonObject | None:
        """See `Work.find`."""
        found = self._videos.find_trimmed(request.video, _segments(request))
        return self._show(request, found) if found else None

    def do(self, request: JobRequest, report: Report) -> JsonObject:
        """See `Work.do`."""
        return self._show(request, self._videos.trim(request.video, _segments(request), report))


class Rendering:
    """Renders ``shots`` ([at, start, duration] each), scaled down to ``height`` if that is not None."""

    def __init__(self, videos: VideoFiles) -> None:
        self._videos = videos

    def find(self, request: JobRequest) -> JsonObject | None:
        """See `Work.find`."""
        found = self._videos.find_rendered(request.video, _edit(request))
        return _rendered(found) if found else None

    def do(self, request: JobRequest, report: Report) -> JsonObject:
        """See `Work.do`."""
        return _rendered(self._videos.render(request.video, _edit(request), report))


class Transcribing:
    """Has the video listened to and keeps the words with the project; the result says where they are."""

    def __init__(self, videos: VideoFiles, transcripts: TranscriptStore, recogniser: Recogniser | None) -> None:
        self._videos = videos
        self._transcripts = transcripts
        self._recogniser = recogniser

    def find(self, request: JobRequest) -> JsonObject | None:
        """See `Work.find`: whoever asks has looked into the project already."""
        if self._recogniser is None:
            raise SpeechUnavailable
        return None

    def do(self, request: JobRequest, report: Report) -> JsonObject:
        """See `Work.do`."""
        if self._recogniser is None:
            raise SpeechUnavailable
        started, video = time.monotonic(), request.video
        language = request.arguments.get("language")
        media = self._videos.path_of(video)
        words = self._recogniser.transcribe(media, duration=video.duration, language=language, report=report)
        speech = RecognisedSpeech(
            words=[asdict(word) for word in words],
            language=language,
            model_used=None,
            processing_time=round(time.monotonic() - started, 3),
            duration=video.duration,
            video_sha256=video.sha256,
        )
        self._transcripts.store_recognised(ProjectKey(request.project_id), speech)
        return {"transcription": f"/transcriptions/{request.project_id}"}


def _segments(request: JobRequest) -> Sequence[Segment]:
    return [Segment(*segment) for segment in request.arguments["segments"]]


def _edit(request: JobRequest) -> Edit:
    shots = tuple(Shot(*shot) for shot in request.arguments["shots"])
    return Edit(shots, request.arguments["height"])


def _trimmed(_request: JobRequest, file: TrimmedFile) -> JsonObject:
    return {"trimmed_video_path": file.path, "new_duration": file.duration}


def _without_fillers(request: JobRequest, file: TrimmedFile) -> JsonObject:
    return {"processed_video_path": file.path, "removed_segments": request.arguments["removed"]}


def _rendered(file: TrimmedFile) -> JsonObject:
    return {"path": file.path, "url": f"/static/{file.path}", "duration": file.duration}
