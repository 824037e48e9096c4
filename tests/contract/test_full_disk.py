"""A disk without room: what is uploaded or would be made is refused with 507, nothing of it stays, and the video plays."""

from __future__ import annotations

import resource
import shutil
from collections import namedtuple
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.contract.calls import files_below, post_video, upload, video_of
from tests.contract.conftest import Film
from tests.contract.test_resumable_uploads import begun, offset_of, send
from tests.contract.test_whole_uploads import put
from tests.errors_shape import assert_error
from tests.media_samples import padded_mp4_bytes, small_mp4_bytes

ROOM = 100_000
LARGE = 3 * ROOM

Usage = namedtuple("Usage", "total used free")


@contextmanager
def disk_with_little_room() -> Iterator[None]:
    """Let the kernel refuse every file of this process that grows beyond ROOM."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("way", [post_video, put], ids=["form", "body"])
def test_an_upload_that_does_not_fit_leaves_nothing_and_takes_nothing(
    client: FlaskClient, filmed_id: str, media_dir: Path, way: Callable[..., TestResponse]
) -> None:
    video = padded_mp4_bytes(LARGE)
    files = files_below(media_dir)

    with disk_with_little_room():
        response = way(client, filmed_id, video)

    assert_error(response, 507, "disk_full")
    assert video_of(client, filmed_id) == small_mp4_bytes()
    assert files_below(media_dir) == files


def test_a_resumable_upload_that_does_not_fit_goes_on_when_there_is_room(client: FlaskClient, filmed_id: str) -> None:
    video = padded_mp4_bytes(LARGE)
    address = begun(client, filmed_id, length=LARGE)

    with disk_with_little_room():
        assert_error(send(client, address, 0, video), 507, "disk_full")
        assert offset_of(client, address) == ROOM
        assert video_of(client, filmed_id) == small_mp4_bytes()

    assert send(client, address, ROOM, video[ROOM:]).status_code == 204
    assert video_of(client, filmed_id) == video


def test_a_video_that_fits_again_is_taken(client: FlaskClient, filmed_id: str) -> None:
    with disk_with_little_room():
        post_video(client, filmed_id, padded_mp4_bytes(LARGE))

    upload(client, filmed_id, padded_mp4_bytes(LARGE))
    assert video_of(client, filmed_id) == padded_mp4_bytes(LARGE)


def stored_files(media_dir: Path) -> set[str]:
    """Return the names of all files but those that jobs keep of themselves."""
    return {name for name in files_below(media_dir) if not name.startswith("jobs/")}


MAKING = {
    "a cut": ("POST", "/media/trim-video", {"segments": [{"startTime": 0.2, "duration": 0.4}]}),
    "a video without fillers": ("POST", "/media/remove-fillers", {"selected_words": ["0.2-0.4"]}),
    "a preview": ("POST", "/timeline/{id}/render-preview?start_time=0&end_time=0.5", None),
    "a picture": ("GET", "/media/{id}/thumbnail?t=0.5", None),
    "a filmstrip": ("GET", "/media/{id}/filmstrip.jpg", None),
    "a waveform": ("GET", "/media/{id}/waveform", None),
}


@pytest.mark.parametrize("what", MAKING)
def test_what_would_use_up_the_reserve_of_the_disk_is_not_begun(
    app: Flask, client: FlaskClient, film: Film, media_dir: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    method, path, body = MAKING[what]
    asked = {**body, "project_id": film.id} if body else None
    files = stored_files(media_dir)
    reserve = app.config["PROJECTAPI"].disk_reserve_bytes

    with monkeypatch.context() as patched:
        patched.setattr(shutil, "disk_usage", lambda _: Usage(reserve, 1, reserve - 1))
        response = client.open(path.format(id=film.id), method=method, json=asked)

        assert_error(response, 507, "disk_full")
        assert "video was not stored" not in response.get_json()["message"]
    assert stored_files(media_dir) == files


def test_an_upload_leaves_the_reserve_of_the_disk(
    app: Flask, client: FlaskClient, filmed_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    reserve = app.config["PROJECTAPI"].disk_reserve_bytes
    free = reserve + len(small_mp4_bytes()) - 1
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(reserve, 1, free))

    for way in (post_video, put):
        assert_error(way(client, filmed_id, small_mp4_bytes()), 507, "disk_full")
