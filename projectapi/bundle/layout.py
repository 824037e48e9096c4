"""The names of the files in a bundle, and its form."""

from __future__ import annotations

FORMAT = "projectapi bundle"
FORMAT_VERSION = 1

MANIFEST = "manifest.json"
PROJECT = "project.json"
TIMELINE = "timeline.json"
OTIO = "timeline.otio"
TRANSCRIPT = "transcript.json"
HISTORY = "history.jsonl"
VIDEO = "video/"
