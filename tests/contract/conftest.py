"""Projects and videos for the stories; `film` is shared and only ever read."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.contract.calls import create_project, save, upload
from tests.contract.timelines import make_state
from tests.harness.documentation import DocumentedClient
from tests.media_samples import make_video, small_mp4_bytes


@pytest.fixture(scope="session")
def app(app: Flask) -> Flask:
    """The application on real servers, every answer of which is held to its own documentation."""
    app.test_client_class = DocumentedClient
    return app


@dataclass(frozen=True)
class Film:
    """A project that has a video of three seconds: its id, the video's bytes and where the upload said that it lies."""

    id: str
    video: bytes
    file_path: str


@pytest.fixture(scope="session")
def film(app: Flask, tmp_path_factory: pytest.TempPathFactory) -> Film:
    """A project with a video that all stories read and none changes."""
    video = make_video(tmp_path_factory.mktemp("film") / "film.mp4", seconds=3.0).read_bytes()
    client = app.test_client()
    project_id = create_project(client, "Film")
    return Film(project_id, video, upload(client, project_id, video)["file_path"])


@pytest.fixture
def owner() -> str:
    """A user that nobody else is, so that the list of their projects is exact."""
    return f"user-{secrets.token_hex(6)}"


@pytest.fixture
def project_id(client: FlaskClient) -> str:
    """A new project without a video."""
    return create_project(client)


@pytest.fixture
def filmed_id(client: FlaskClient, project_id: str) -> str:
    """A new project with a video of one second."""
    upload(client, project_id, small_mp4_bytes())
    return project_id


@pytest.fixture
def media_dir(app: Flask) -> Path:
    """The folder of the media files."""
    folder = app.config["PROJECTAPI"].media_dir
    assert isinstance(folder, Path)
    return folder


@dataclass(frozen=True)
class Guarded:
    """A project with a saved timeline, its owner, who has no other, and the answers that show all of it."""

    id: str
    owner: dict[str, str]
    answers: list[bytes]


@pytest.fixture(scope="module")
def guarded_project(app: Flask) -> Guarded:
    """The project of `guarded`, the same for all stories of a module."""
    client, owner = app.test_client(), {"X-User-Id": f"guarded-{secrets.token_hex(6)}"}
    project_id = create_project(client, "Guarded", **owner)
    save(client, project_id, make_state(), "Precious")
    return Guarded(project_id, owner, _answers(client, project_id, owner))


@pytest.fixture
def guarded(client: FlaskClient, guarded_project: Guarded) -> Iterator[Guarded]:
    """A project that must be the same after the test, and must not have got company."""
    yield guarded_project
    assert _answers(client, guarded_project.id, guarded_project.owner) == guarded_project.answers


def _answers(client: FlaskClient, project_id: str, owner: dict[str, str]) -> list[bytes]:
    # The list has every project's version, which counts every change of the project and of its timeline.
    return [client.get(path, headers=owner).get_data() for path in ("/projects", f"/timeline/{project_id}/history")]


@pytest.fixture
def app_log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """What the application logs, down to the last detail; its loggers do not pass records on to the root."""
    logger = logging.getLogger("projectapi")
    logger.addHandler(caplog.handler)
    with caplog.at_level(logging.DEBUG, logger="projectapi"):
        yield caplog
    logger.removeHandler(caplog.handler)
