"""Contract 3.2 to 3.4: the video plays and seeks, its picture shows, and files are served and nothing else."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from email.parser import BytesParser
from email.policy import HTTP
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.conftest import AppMaker
from tests.contract.calls import create_project, post_video, save, trim, upload, video_of
from tests.contract.conftest import Film
from tests.contract.shapes import assert_success
from tests.contract.timelines import make_state
from tests.errors_shape import assert_error
from tests.media_samples import small_mp4_bytes


def test_the_whole_video_is_the_one_that_was_uploaded(client: FlaskClient, film: Film) -> None:
    with client.get(f"/media/{film.id}/video") as response:
        assert response.status_code == 200
        assert response.content_type == "video/mp4"
        assert response.headers["Accept-Ranges"] == "bytes"
        assert response.headers["Content-Length"] == str(len(film.video))
        assert response.headers["ETag"]
        assert response.headers["Last-Modified"]
        assert response.get_data() == film.video


def test_a_video_is_shown_and_not_downloaded(client: FlaskClient, film: Film) -> None:
    with client.get(f"/media/{film.id}/video") as response:
        disposition = response.headers["Content-Disposition"]

    assert disposition.startswith("inline")
    assert f"video_{film.id}.mp4" in disposition


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer x"}, {"Authorization": "rubbish"}])
def test_a_video_needs_no_token_and_minds_none(client: FlaskClient, film: Film, headers: dict[str, str]) -> None:
    with client.get(f"/media/{film.id}/video", headers=headers) as response:
        assert response.status_code == 200


def test_the_head_of_a_video_tells_its_length(client: FlaskClient, film: Film) -> None:
    with client.head(f"/media/{film.id}/video") as response:
        assert response.status_code == 200
        assert response.headers["Content-Length"] == str(len(film.video))
        assert response.headers["Accept-Ranges"] == "bytes"
        assert response.content_type == "video/mp4"
        assert response.get_data() == b""


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-", 0, -1),
        ("bytes=0-0", 0, 0),
        ("bytes=0-99", 0, 99),
        ("bytes=100-199", 100, 199),
        ("bytes=500-", 500, -1),
        ("bytes=-1", -1, -1),
        ("bytes=-500", -500, -1),
        ("bytes=500-999999999", 500, -1),
        ("bytes=-999999999", 0, -1),
    ],
)
def test_a_range_of_the_video_is_answered_with_just_that(
    client: FlaskClient, film: Film, asked: str, first: int, last: int
) -> None:
    first, last = first % len(film.video), last % len(film.video)

    with client.get(f"/media/{film.id}/video", headers={"Range": asked}) as response:
        assert response.status_code == 206
        assert response.headers["Content-Range"] == f"bytes {first}-{last}/{len(film.video)}"
        assert response.headers["Accept-Ranges"] == "bytes"
        assert response.headers["Content-Length"] == str(last - first + 1)
        assert response.content_type == "video/mp4"
        assert response.get_data() == film.video[first : last + 1]


@pytest.mark.parametrize("asked", ["bytes=999999999-", "bytes=999999999-999999999", "bytes=-0"])
def test_a_range_outside_of_the_video_cannot_be_satisfied(client: FlaskClient, film: Film, asked: str) -> None:
    response = client.get(f"/media/{film.id}/video", headers={"Range": asked})

    assert_error(response, 416, "range_not_satisfiable")
    assert response.headers["Content-Range"] == f"bytes */{len(film.video)}"


@pytest.mark.parametrize("asked", ["seconds=0-1", "frames=0-9"])
def test_a_range_in_an_unknown_unit_is_ignored(client: FlaskClient, film: Film, asked: str) -> None:
    with client.get(f"/media/{film.id}/video", headers={"Range": asked}) as response:
        assert response.status_code == 200
        assert response.get_data() == film.video


@pytest.mark.parametrize("asked", ["rubbish", "bytes=abc", "bytes=9-5", "bytes", "bytes=--1", ""])
def test_a_range_that_makes_no_sense_is_ignored_or_called_unsatisfiable(client: FlaskClient, film: Film, asked: str) -> None:
    response = client.get(f"/media/{film.id}/video", headers={"Range": asked})

    if response.status_code == 200:
        assert response.get_data() == film.video
    else:
        assert_error(response, 416, "range_not_satisfiable")
    response.close()


def parts_of(response: TestResponse) -> list[tuple[str, bytes]]:
    """Return the ranges and the bytes of a multipart answer."""
    assert response.status_code == 206
    assert response.mimetype == "multipart/byteranges"
    body = response.get_data()
    assert response.headers["Content-Length"] == str(len(body))
    message = BytesParser(policy=HTTP).parsebytes(f"Content-Type: {response.content_type}\r\n\r\n".encode() + body)
    parts = []
    for part in message.iter_parts():
        assert part["Content-Type"] == "video/mp4"
        parts.append((part["Content-Range"], part.get_payload(decode=True)))
    return parts


@pytest.mark.parametrize("asked", ["bytes=0-9,20-29", "bytes=20-29, 0-9", "bytes=0-9,,20-29", "bytes=0-9,20-29,999999999-"])
def test_several_ranges_at_once_come_in_parts(client: FlaskClient, film: Film, asked: str) -> None:
    with client.get(f"/media/{film.id}/video", headers={"Range": asked}) as response:
        parts = parts_of(response)

    expected = [(f"bytes {a}-{b}/{len(film.video)}", film.video[a : b + 1]) for a, b in ((0, 9), (20, 29))]
    assert parts == (expected[::-1] if asked.startswith("bytes=20") else expected)


def test_of_several_ranges_the_last_bytes_may_be_one(client: FlaskClient, film: Film) -> None:
    with client.get(f"/media/{film.id}/video", headers={"Range": "bytes=0-0,-1"}) as response:
        assert [data for _, data in parts_of(response)] == [film.video[:1], film.video[-1:]]


def test_when_only_one_of_several_ranges_is_there_it_comes_alone(client: FlaskClient, film: Film) -> None:
    with client.get(f"/media/{film.id}/video", headers={"Range": "bytes=0-9,999999999-"}) as response:
        assert response.status_code == 206
        assert response.headers["Content-Range"] == f"bytes 0-9/{len(film.video)}"
        assert response.get_data() == film.video[:10]


def test_when_none_of_several_ranges_is_there_that_is_said(client: FlaskClient, film: Film) -> None:
    response = client.get(f"/media/{film.id}/video", headers={"Range": "bytes=999999999-,888888888-"})

    assert_error(response, 416, "range_not_satisfiable")


@pytest.mark.parametrize(
    "asked",
    ["bytes=0-,0-,0-", "bytes=0-9,5-14", "bytes=" + ",".join(f"{n * 3}-{n * 3}" for n in range(17)), "bytes=0-9,rubbish"],
)
def test_ranges_that_only_make_work_bring_the_whole_video_once(client: FlaskClient, film: Film, asked: str) -> None:
    with client.get(f"/media/{film.id}/video", headers={"Range": asked}) as response:
        assert response.status_code == 200
        assert response.get_data() == film.video


def test_the_head_of_a_range_is_the_head_of_the_whole(client: FlaskClient, film: Film) -> None:
    with client.head(f"/media/{film.id}/video", headers={"Range": "bytes=0-9"}) as response:
        assert response.status_code == 200
        assert response.headers["Content-Length"] == str(len(film.video))


def test_a_videos_mark_is_its_checksum(client: FlaskClient, film: Film) -> None:
    with client.head(f"/media/{film.id}/video") as response:
        assert response.headers["ETag"] == f'"{hashlib.sha256(film.video).hexdigest()}"'


@pytest.mark.parametrize(("asked", "first", "length"), [(None, 0, None), ("bytes=100-199", 100, 100)])
def test_the_server_gets_what_its_kernel_can_send(
    client: FlaskClient, film: Film, asked: str | None, first: int, length: int | None
) -> None:
    lent: list[Any] = []

    def file_wrapper(file: Any, size: int) -> list[bytes]:
        # What gunicorn asks of a file that it hands to sendfile.
        lent.append((os.lseek(file.fileno(), 0, os.SEEK_CUR), file))
        return [file.read(size)]

    headers = {"Range": asked} if asked else {}
    overrides = {"wsgi.file_wrapper": file_wrapper}
    with client.get(f"/media/{film.id}/video", headers=headers, environ_overrides=overrides) as response:
        assert response.headers["Content-Length"] == str(length or len(film.video))

    ((place, file),) = lent
    file.close()
    assert place == first


def test_a_video_that_is_replaced_at_this_very_moment_plays_as_the_new_one(
    app: Flask, client: FlaskClient, filmed_id: str, film: Film, monkeypatch: pytest.MonkeyPatch
) -> None:
    videos = app.extensions["projectapi"].videos
    really = videos.path_of

    def replaced_just_before(video: Any) -> Path:
        monkeypatch.setattr(videos, "path_of", really)
        upload(app.test_client(), filmed_id, film.video)
        return really(video)

    monkeypatch.setattr(videos, "path_of", replaced_just_before)

    with client.get(f"/media/{filmed_id}/video") as response:
        assert response.status_code == 200
        assert response.get_data() == film.video


def test_a_proxy_that_can_send_files_is_asked_to(make_app: AppMaker) -> None:
    client = make_app(x_accel_prefix="/media-files/").test_client()
    project_id = create_project(client)
    path = upload(client, project_id, small_mp4_bytes())["file_path"]

    response = client.get(f"/media/{project_id}/video", headers={"Range": "bytes=0-9"})

    assert (response.status_code, response.get_data()) == (200, b"")
    assert response.headers["X-Accel-Redirect"] == f"/media-files/{path}"
    assert response.content_type == "video/mp4"
    assert response.headers["Content-Disposition"].startswith("inline")


def test_a_range_goes_on_while_the_video_is_the_same(client: FlaskClient, film: Film) -> None:
    with client.head(f"/media/{film.id}/video") as head:
        marks = [head.headers["ETag"], head.headers["Last-Modified"]]

    for mark in marks:
        with client.get(f"/media/{film.id}/video", headers={"Range": "bytes=10-19", "If-Range": mark}) as response:
            assert response.status_code == 206
            assert response.get_data() == film.video[10:20]


@pytest.mark.parametrize("asked", ["bytes=10-19", "bytes=999999999-"])
@pytest.mark.parametrize("mark", ['"another"', "Mon, 01 Jan 2001 00:00:00 GMT"])
def test_a_range_of_a_video_that_was_replaced_brings_the_whole_new_one(
    client: FlaskClient, film: Film, mark: str, asked: str
) -> None:
    with client.get(f"/media/{film.id}/video", headers={"Range": asked, "If-Range": mark}) as response:
        assert response.status_code == 200
        assert response.get_data() == film.video


def test_a_browser_that_has_the_video_is_not_sent_it_again(client: FlaskClient, film: Film) -> None:
    with client.head(f"/media/{film.id}/video") as head:
        mark = head.headers["ETag"]

    with client.get(f"/media/{film.id}/video", headers={"If-None-Match": mark}) as response:
        assert response.status_code == 304
        assert response.get_data() == b""


def test_the_original_plays_after_a_cut_too(client: FlaskClient, film: Film) -> None:
    assert_success(trim(client, film.id, (1, 1)))

    with client.get(f"/media/{film.id}/video") as response:
        assert response.get_data() == film.video


def test_a_project_without_a_video_plays_nothing(client: FlaskClient, project_id: str) -> None:
    for response in (client.get(f"/media/{project_id}/video"), client.get(f"/media/{project_id}/video?x=1")):
        assert assert_error(response, 404, "video_not_found")["error"] == "Video file not found"


def test_a_video_whose_file_was_lost_is_said_to_be_lost(client: FlaskClient, filmed_id: str, media_dir: Path) -> None:
    record = client.get(f"/projects/{filmed_id}/debug").get_json()["data"]["video"]
    (media_dir / record["path"]).unlink()
    (media_dir / record["thumbnail_path"]).unlink()

    for response in (
        client.get(f"/media/{filmed_id}/video"),
        client.get(f"/media/{filmed_id}/thumbnail"),
        client.get(f"/media/{filmed_id}/filmstrip.jpg"),
        client.get(f"/media/{filmed_id}/waveform"),
        trim(client, filmed_id, (0, 0.5)),
    ):
        sentence = assert_error(response, 410, "video_lost")["error"]
        assert "project is safe" in sentence
        assert "uploaded again" in sentence


def test_the_same_file_uploaded_again_is_attached_to_the_timeline_as_it_was(
    client: FlaskClient, filmed_id: str, media_dir: Path
) -> None:
    record = client.get(f"/projects/{filmed_id}/debug").get_json()["data"]["video"]
    save(client, filmed_id, make_state())
    timeline = client.get(f"/timeline/{filmed_id}").get_json()["data"]
    (media_dir / record["path"]).unlink()

    answer = post_video(client, filmed_id, small_mp4_bytes())

    assert answer.status_code == 200
    assert "same file" in answer.get_json()["message"]
    assert video_of(client, filmed_id) == small_mp4_bytes()
    assert client.get(f"/timeline/{filmed_id}").get_json()["data"] == timeline


def test_another_file_is_not_said_to_be_the_same(client: FlaskClient, filmed_id: str, film: Film) -> None:
    assert post_video(client, filmed_id, film.video).get_json()["message"] == "Video uploaded successfully"


def test_a_thumbnail_that_was_lost_is_made_again(client: FlaskClient, filmed_id: str, media_dir: Path) -> None:
    record = client.get(f"/projects/{filmed_id}/debug").get_json()["data"]["video"]
    (media_dir / record["thumbnail_path"]).unlink()

    with client.get(f"/media/{filmed_id}/thumbnail") as response:
        assert response.status_code == 200
        assert response.get_data().startswith(b"\xff\xd8\xff")


def test_a_thumbnail_is_a_picture(client: FlaskClient, film: Film) -> None:
    with client.get(f"/media/{film.id}/thumbnail") as response:
        assert response.status_code == 200
        assert response.content_type == "image/jpeg"
        assert response.get_data().startswith(b"\xff\xd8\xff")
        assert response.get_data().endswith(b"\xff\xd9")


def test_a_project_without_a_video_has_no_thumbnail(client: FlaskClient, project_id: str) -> None:
    error = assert_error(client.get(f"/media/{project_id}/thumbnail"), 404, "thumbnail_not_found")

    assert error["error"] == "Thumbnail not found"


def test_media_files_are_served_by_their_names(client: FlaskClient, film: Film) -> None:
    record = client.get(f"/projects/{film.id}/debug").get_json()["data"]["video"]

    with client.get(f"/static/{film.file_path}") as video:
        assert video.status_code == 200
        assert video.mimetype == "video/mp4"
        assert video.get_data() == film.video
    with client.get(f"/static/{record['thumbnail_path']}") as picture, client.get(f"/media/{film.id}/thumbnail") as same:
        assert picture.status_code == 200
        assert picture.mimetype == "image/jpeg"
        assert picture.get_data() == same.get_data()


PATH_TRICKS = [
    "",
    "videos",
    "videos/",
    "thumbnails/thumb_x.jpg",
    "videos/none.mp4",
    "../config.py",
    "../../../../../../etc/passwd",
    "videos/../../../../../../etc/passwd",
    "videos/../{path}",
    "./{path}",
    "%2e%2e/%2e%2e/etc/passwd",
    "videos/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
    "videos%2f..%2f..%2fetc/passwd",
    "videos/..%5c..%5cetc",
    "//etc/passwd",
    "%2fetc%2fpasswd",
    "{path}%00",
    "{path}%00.jpg",
    "{path}/",
    "{path}/..",
    "videos/.hidden",
    "incoming/secret.part",
    "work/secret",
    "secret.txt",
    "videos/link.mp4",
    "c:/windows/win.ini",
    "videos/" + "x" * 5000,
    "videos/%ff.mp4",
]


@pytest.fixture(scope="module")
def traps(app: Flask) -> Iterator[None]:
    """Files that must never be served although they lie in the media folder."""
    media_dir = app.config["PROJECTAPI"].media_dir
    files = [media_dir / name for name in ("secret.txt", "incoming/secret.part", "work/secret", "videos/.hidden")]
    link = media_dir / "videos" / "link.mp4"
    for file in files:
        file.write_text("root:")
    link.symlink_to("/etc/passwd")
    yield
    for file in (*files, link):
        file.unlink()


@pytest.mark.usefixtures("traps")
@pytest.mark.parametrize("path", PATH_TRICKS)
def test_no_trick_gets_at_anything_else(client: FlaskClient, film: Film, path: str) -> None:
    response = client.get(f"/static/{path.format(path=film.file_path)}", follow_redirects=True)

    assert_error(response, 404, "not_found")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_media_files_are_only_read(client: FlaskClient, film: Film, method: str) -> None:
    assert_error(client.open(f"/static/{film.file_path}", method=method), 405, "method_not_allowed")
