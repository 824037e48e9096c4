"""What can become of work that outlasts its request."""

from __future__ import annotations

from projectapi.errors.requests import Conflict, NotFound
from projectapi.errors.unavailable import Unavailable


class JobNotFound(NotFound, code="job_not_found"):
    """No job has this id, or it is forgotten: records of jobs are kept for a day."""

    sentence = "This job is not known any more. Ask for the same thing again: what was already made is used again."


class JobCancelled(Conflict, code="job_cancelled"):
    """The job that the request waited for was cancelled."""

    sentence = "This work was cancelled. Your project and the original video are untouched."


class JobInterrupted(Unavailable, code="job_interrupted"):
    """The process that did the work died, and died again when the work was repeated."""

    sentence = (
        "The server was interrupted while it worked on this, more than once. Your project and the original video are "
        "untouched; please try again."
    )


class SpeechUnavailable(Unavailable, code="speech_unavailable"):
    """No speech recogniser is installed, or it cannot work now."""

    sentence = "Transcription is not available on this server. Everything else works: open the timeline from the projects page."
    retry_after_seconds = 3600


class StillListening(Unavailable, code="still_listening"):
    """The transcript is being made; the same request finds it when it is done."""

    sentence = "The transcription takes a while and goes on in the background. Please ask for it again in a moment."
    retry_after_seconds = 10
