"""Work for the tests of jobs: a recogniser that hears what a test wants, requests, and waiting for a job."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient

from projectapi.project import JsonObject, new_id
from projectapi.protocols import JobKind, JobRequest, Recogniser, Word
from tests.contract.shapes import assert_success
from tests.harness.whole_app import wait_for
from tests.media_samples import video_record

WORDS = [
    Word("So", 0.1, 0.2, 0.9, False),
    Word("um", 0.3, 0.5, 0.8, True),
    Word("hello", 0.6, 0.9, 0.95, False),
]


@dataclass
class FakeRecogniser(Recogniser):
    """Hears `words` once it may; counts how often it was asked."""

    words: list[Word] = field(default_factory=lambda: list(WORDS))
    trouble: Exception | None = None
    may_go_on: threading.Event = field(default_factory=threading.Event)
    calls: int = 0

    def transcribe(
        self, audio_or_video: Path, *, duration: float, language: str | None, report: Callable[[float], None]
    ) -> list[Word]:
        self.calls += 1
        assert audio_or_video.is_file()
        report(0.5)
        while not self.may_go_on.wait(0.02):
            report(0.5)
        if self.trouble is not None:
            raise self.trouble
        return self.words


def job_request(**different: Any) -> JobRequest:
    """Return a request for a cut of its own."""
    asked: dict[str, Any] = {
        "kind": JobKind.TRIM_VIDEO,
        "project_id": new_id(),
        "owner": "ann",
        "arguments": {"segments": [[0, 1]]},
        "video": video_record(),
    }
    return JobRequest(**{**asked, **different})


def job_in_state(client: FlaskClient, job_id: str, *states: str, seconds: float = 30) -> JsonObject:
    """Return a job once it is in one of these states."""

    def look() -> JsonObject | None:
        job: JsonObject = assert_success(client.get(f"/jobs/{job_id}"))
        return job if job["state"] in states else None

    found: JsonObject = wait_for(look, seconds, f"the job to be {' or '.join(states)}")
    return found
