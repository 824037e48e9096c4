"""Trouble on the server's side is told in words of an editor, and nothing of the inside is."""

from __future__ import annotations

import shutil
import time
from collections import namedtuple
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from config import Config
from projectapi import create_app
from tests.conftest import AppMaker
from tests.contract.calls import UNKNOWN_ID, files_below, post_video
from tests.contract.shapes import assert_success
from tests.errors_shape import assert_error
from tests.media_samples import small_mp4_bytes


@pytest.mark.parametrize("error", [RuntimeError, KeyError, OSError, RecursionError, MemoryError, AssertionError])
def test_what_nobody_foresaw_is_told_in_a_fixed_sentence(
    make_app: AppMaker, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    app = make_app()

    def fail(*_: object) -> None:
        raise error("the secret password is swordfish")

    monkeypatch.setattr(app.extensions["projectapi"].projects, "get_project", fail)

    response = app.test_client().get(f"/projects/{UNKNOWN_ID}/debug")

    assert_error(response, 500, "internal_error")
    assert "swordfish" not in response.get_data(as_text=True)


def test_a_full_disk_is_told_before_a_byte_is_taken(
    client: FlaskClient, filmed_id: str, monkeypatch: pytest.MonkeyPatch, media_dir: Path
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(100, 100, 0))
    before, files = client.get(f"/projects/{filmed_id}").get_data(), files_below(media_dir)

    response = post_video(client, filmed_id, small_mp4_bytes())

    assert_error(response, 507, "disk_full")
    assert client.get(f"/projects/{filmed_id}").get_data() == before
    assert files_below(media_dir) == files


@pytest.fixture(scope="module")
def lost_client(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    """A client of an application whose database cannot be reached."""
    config = Config(
        app_env="testing",
        mongodb_uri="mongodb://user:swordfish@127.0.0.1:9/",
        redis_url=redis_url,
        media_dir=tmp_path_factory.mktemp("media-without-database"),
        database_deadline_seconds=0.5,
    )
    app = create_app(config)
    yield app.test_client()
    app.extensions["projectapi"].close()


WITHOUT_DATABASE: dict[str, Callable[[FlaskClient], TestResponse]] = {
    "list": lambda client: client.get("/projects", headers={"X-User-Id": "whose list no cache has"}),
    "upload": lambda client: post_video(client, UNKNOWN_ID, small_mp4_bytes()),
    "save": lambda client: client.post("/timeline/", json={"project_id": UNKNOWN_ID, "timeline_state": {}}),
}


@pytest.mark.parametrize("name", WITHOUT_DATABASE)
def test_a_database_that_is_away_is_told_in_words_of_an_editor(lost_client: FlaskClient, name: str) -> None:
    response = WITHOUT_DATABASE[name](lost_client)

    body = assert_error(response, 503, "database_unavailable")
    assert "cannot reach its database" in body["error"]
    assert "Your work is safe" in body["error"]
    assert int(response.headers["Retry-After"]) > 0
    assert "swordfish" not in response.get_data(as_text=True)


def test_a_database_that_is_away_does_not_hold_up_the_start(tmp_path: Path) -> None:
    config = Config(app_env="production", mongodb_uri="mongodb://127.0.0.1:9/", media_dir=tmp_path)
    begun = time.monotonic()

    app = create_app(config)

    assert app.test_client().get("/health").status_code == 200
    assert time.monotonic() - begun < 5, "the oldest backend took 30 seconds"
    app.extensions["projectapi"].close()


def test_a_database_that_is_away_does_not_make_the_process_unwell(lost_client: FlaskClient) -> None:
    assert lost_client.get("/health").get_json() == {"status": "healthy"}
    assert lost_client.get("/").status_code == 200
    assert assert_success(lost_client.get("/auth/me"))["name"] == "Anonymous"
