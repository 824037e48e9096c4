"""The API is what its documentation says, whatever is sent: schemathesis makes up requests and checks every answer.

A short form runs with all tests; SCHEMATHESIS_EXAMPLES sets how many requests are made up for each operation, at random then.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mongomock
import pytest
import schemathesis
from flask import Flask
from schemathesis.checks import CheckFunction
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi import checks

from config import Config
from projectapi import create_app
from projectapi.api.documentation.shapes import EXAMPLE_STATE
from projectapi.errors import ProjectNotFound, TranscriptionNotFound
from projectapi.media import MediaRoom
from projectapi.project import OWNER_MAX, ProjectKey, TimelineSave
from projectapi.protocols import Backend
from projectapi.schemas.requests import EXAMPLE_ID
from projectapi.stores.collections import IDEMPOTENCY_KEYS
from tests.media_samples import small_mp4_bytes

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

# Here one field must fit another, the video or what is stored, which no schema can say: the end comes after the start.
RULED = ("/media/", "/transcriptions/", "/timeline/{project_id}/render-preview", "/timeline/{project_id}/export")

KEY = ProjectKey(EXAMPLE_ID)
EXAMPLES = os.environ.get("SCHEMATHESIS_EXAMPLES")
CONFIG = {
    "generation": {"max-examples": int(EXAMPLES or 1), "deterministic": EXAMPLES is None, "database": "none"},
    "checks": {
        # Whether trouble is documented where it comes is checked besides, and `no_trouble` looks closer.
        "not_a_server_error": {"expected-statuses": ["2xx", "3xx", "4xx", "501", "503"]},
        # A tag that is not the current one is well-formed, and so is a range behind the end of a file.
        "negative_data_rejection": {"expected-statuses": ["400", "404", "405", "409", "412", "413", "415", "416", "422"]},
        "positive_data_acceptance": {"expected-statuses": ["2xx", "3xx", "404", "409", "412", "416", "501", "503"]},
    },
}

_numbers = itertools.count()


class _Door:
    """Leads to one application while the requests are planned, and to another when they are sent."""

    def __init__(self, app: Flask) -> None:
        self.app = app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        answer = self.app(environ, start_response)
        try:
            return [b"".join(answer)]
        finally:
            # Schemathesis leaves the files of its answers open.
            if close := getattr(answer, "close", None):
                close()


def in_memory(folder: Path) -> Flask:
    """Return the application over a database in memory."""
    config = Config(app_env="testing", mongodb_uri="mongodb://unused/", mongodb_database="projectapi", media_dir=folder)
    return create_app(config, mongo_client=memory)


memory: Any = mongomock.MongoClient(tz_aware=True)
door = _Door(in_memory(Path("unused")))
api = schemathesis.openapi.from_wsgi("/openapi.json", door, config=SchemathesisConfig.from_dict(CONFIG))
if not EXAMPLES:
    # JSON of any depth takes most of the time to make up.
    api.raw_schema["components"]["schemas"].update({"StorableJson": {"type": ["string", "number"]}, "AnyJson": {}})


@pytest.fixture(scope="module", autouse=True)
def quick_cuts() -> Iterator[None]:
    """Cut nothing in the short form, which would spend its time on little else."""
    with pytest.MonkeyPatch.context() as patches:
        if not EXAMPLES:
            patches.setattr(MediaRoom, "trim", lambda room, video, segments, report: video)
        yield


@pytest.fixture(scope="module", autouse=True)
def example_project(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The project that the documentation's examples are about; the long form has it on real servers."""
    door.app = request.getfixturevalue("app") if EXAMPLES else in_memory(tmp_path_factory.mktemp("media"))
    backend = door.app.extensions["projectapi"]
    with pytest.MonkeyPatch.context() as patches:
        patches.setattr("projectapi.stores.mongo_projects.id_from_write", lambda mark: EXAMPLE_ID)
        patches.setattr("projectapi.stores.mongo_projects.new_id", lambda: EXAMPLE_ID)
        backend.projects.create_project(name="Holiday", description=None, owner="anonymous")
    with backend.videos.receive(None) as part:
        part.write(small_mp4_bytes())
        backend.projects.set_video(KEY, backend.videos.accept(part, "holiday.mp4"))
    make_whole(backend)


def make_whole(backend: Backend) -> None:
    """Bring back what requests deleted."""
    try:
        backend.projects.get_summary(KEY)
    except ProjectNotFound:
        backend.projects.restore_project(KEY, None)
    backend.timelines.save_timeline(KEY, TimelineSave(state=EXAMPLE_STATE, description="Start", saved_by="anonymous"), None)
    try:
        backend.transcripts.get_transcript(KEY)
    except TranscriptionNotFound:
        backend.transcripts.create_transcript(KEY, {})


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """Make the most of a request: a key of its own for each, and for well-formed ones a project that exists."""
    if key := case.headers.get("Idempotency-Key"):
        case.headers["Idempotency-Key"] = f"{key}{next(_numbers)}"
    case.headers["Accept-Encoding"] = "identity"
    if not case.headers.get("X-User-Id", "").isprintable() or len(case.headers.get("X-User-Id", "")) > OWNER_MAX:
        # Who need not know who asks does not look.
        del case.headers["X-User-Id"]
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    for name in case.headers.keys() & {"If-Match", "If-None-Match"}:
        # The patterns of headers are left out of account when they are made up.
        case.headers[name] = case.headers[name] if '"' in case.headers[name] else '"1-0123456789abcdef"'
    # Only a list can give out a cursor.
    case.query.pop("cursor", None)
    for name in case.path_parameters.keys() & {"project_id"}:
        case.path_parameters[name] = EXAMPLE_ID
    if isinstance(case.body, dict) and "project_id" in case.body:
        case.body["project_id"] = EXAMPLE_ID
    case.body = storable(case.body)


def storable(value: Any) -> Any:
    """Return JSON without whole numbers beyond 64 bits, which JSON Schema cannot tell from fractions."""
    if isinstance(value, dict):
        return {key: storable(child) for key, child in value.items()}
    if isinstance(value, list):
        return [storable(child) for child in value]
    return value % 2**63 if isinstance(value, int) and not isinstance(value, bool) else value


@schemathesis.hook
def after_call(context: Any, case: Any, response: Any) -> None:
    """Let no request find nothing because of the one before it, or search through all answers to those before it."""
    memory.projectapi[IDEMPOTENCY_KEYS].delete_many({})
    if case.method == "DELETE" and response.status_code == 200:
        make_whole(door.app.extensions["projectapi"])


def no_trouble(context: Any, response: Any, case: Any) -> None:
    """Check that nothing fails on the server but what this backend says that it does not have."""
    if response.status_code >= 500:
        assert response.json()["code"] in ("not_offered", "speech_unavailable", "media_busy"), response.text


# An upload's pieces and whole videos are bytes as well; a single type stands for video/*, which is no type to send.
@schemathesis.serializer("application/zip", "application/offset+octet-stream", "video/mp4")
def made_up_bytes(_context: Any, value: Any) -> bytes:
    """Return the bytes that are sent for a value that was made up."""
    return value if isinstance(value, bytes) else str(value).encode()


def beside_the_point(case: Any) -> list[CheckFunction]:
    """Return the checks that cannot hold for an operation."""
    if case.operation.path.startswith("/auth/"):
        # What one address does not take, /auth/{path} answers, and what comes in is not looked at.
        return [checks.allow_header_conformance, checks.unsupported_method, checks.negative_data_rejection]
    if case.operation.path in ("/timeline/save", "/projects/import"):
        # For other methods this is a project of that name.
        of_a_project = [checks.allow_header_conformance, checks.unsupported_method]
        # Bytes that are made up are no bundle.
        return [*of_a_project, checks.positive_data_acceptance] if case.operation.path.endswith("import") else of_a_project
    if case.operation.path.startswith(RULED) or case.method == "PATCH":
        return [checks.positive_data_acceptance]
    return []


@api.parametrize()
def test_every_answer_is_documented(case: Any) -> None:
    case.call_and_validate(additional_checks=[no_trouble], excluded_checks=beside_the_point(case))
