"""tus 1.0.0 at /media/uploads: what a client may rely on (https://tus.io/protocols/resumable-upload)."""

from __future__ import annotations

import base64
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from projectapi.errors import DatabaseUnavailable, DiskFull, ProjectApiError
from projectapi.protocols import Backend
from tests.conftest import AppMaker
from tests.contract.browser import Browser
from tests.contract.calls import UNKNOWN_ID, create_project, files_below, post_video, video_of
from tests.contract.conftest import Film
from tests.contract.test_whole_uploads import put
from tests.errors_shape import assert_error, assert_field_refused
from tests.media_samples import small_mp4_bytes

TUS = {"Tus-Resumable": "1.0.0"}
BYTES = "application/offset+octet-stream"


def encoded(value: str | bytes) -> str:
    return base64.b64encode(value.encode() if isinstance(value, str) else value).decode()


def metadata(project_id: str, **more: str) -> str:
    return ",".join(f"{key} {encoded(value)}" for key, value in {"project_id": project_id, **more}.items())


def create(client: FlaskClient, project_id: str, length: int | None = None, **headers: str) -> TestResponse:
    announced = len(small_mp4_bytes()) if length is None else length
    said = {"Upload-Length": str(announced), "Upload-Metadata": metadata(project_id, filename="film.mp4")}
    return client.post("/media/uploads", headers={**TUS, **said, **headers})


def begun(client: FlaskClient, project_id: str, **options: Any) -> str:
    """Begin an upload and return its address."""
    response = create(client, project_id, **options)
    assert response.status_code == 201, response.get_data()
    return response.headers["Location"]


def send(client: FlaskClient, address: str, offset: int, data: bytes, **headers: str) -> TestResponse:
    said = {**TUS, "Upload-Offset": str(offset), **headers}
    return client.patch(address, headers=said, data=data, content_type=BYTES)


def offset_of(client: FlaskClient, address: str) -> int:
    response = client.head(address, headers=TUS)
    assert response.status_code == 200
    return int(response.headers["Upload-Offset"])


def folder_of(media_dir: Path, address: str) -> Path:
    return media_dir / "uploads" / address.rpartition("/")[2]


def test_a_client_finds_out_what_the_server_can_do(client: FlaskClient) -> None:
    for path in ("/media/uploads", "/media/uploads/", "/media/uploads/anything"):
        response = client.options(path)

        assert response.status_code == 200
        assert response.headers["Tus-Version"] == "1.0.0"
        assert response.headers["Tus-Max-Size"] == str(20 * 2**20)
        extensions = {"creation", "creation-with-upload", "termination", "checksum", "expiration", "concatenation"}
        assert set(response.headers["Tus-Extension"].split(",")) == extensions
        assert response.headers["Tus-Checksum-Algorithm"] == "sha1,sha256,md5"


def test_an_upload_begins_empty_and_tells_its_address_and_its_end(client: FlaskClient, project_id: str) -> None:
    response = create(client, project_id)

    assert response.status_code == 201
    assert response.headers["Tus-Resumable"] == "1.0.0"
    assert response.headers["Upload-Expires"].endswith("GMT")
    head = client.head(response.headers["Location"], headers=TUS)
    assert head.headers["Upload-Offset"] == "0"
    assert head.headers["Upload-Length"] == str(len(small_mp4_bytes()))
    assert head.headers["Upload-Metadata"] == metadata(project_id, filename="film.mp4")
    assert head.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("pieces", [1, 2, 7])
def test_all_pieces_together_become_the_projects_video(
    client: FlaskClient, filmed_id: str, film: Film, media_dir: Path, pieces: int
) -> None:
    before = client.get(f"/projects/{filmed_id}/debug").get_json()["data"]["video"]
    address = begun(client, filmed_id, length=len(film.video))
    step = len(film.video) // pieces + 1

    for start in range(0, len(film.video), step):
        response = send(client, address, start, film.video[start : start + step])
        assert response.status_code == 204
        assert response.headers["Upload-Offset"] == str(min(len(film.video), start + step))

    assert video_of(client, filmed_id) == film.video
    record = client.get(f"/projects/{filmed_id}/debug").get_json()["data"]["video"]
    assert record["sha256"] == hashlib.sha256(film.video).hexdigest()
    assert record["original_name"] == "film.mp4"
    assert not {before["path"], before["thumbnail_path"]} & files_below(media_dir)
    # A client that lost the last answer asks, and hears that all is there.
    assert offset_of(client, address) == len(film.video)
    assert not (folder_of(media_dir, address) / "part").exists()


def test_an_upload_that_becomes_the_video_says_so_and_whether_it_is_the_file_that_was_there(
    client: FlaskClient, project_id: str
) -> None:
    said = []
    for _ in range(2):
        address = begun(client, project_id)
        assert "Upload-Message" not in send(client, address, 0, small_mp4_bytes()[:9]).headers
        said.append(send(client, address, 9, small_mp4_bytes()[9:]).headers["Upload-Message"])

    assert said[0] == "Video uploaded successfully"
    assert "same file as before" in said[1]


def test_the_first_bytes_may_come_with_the_beginning(client: FlaskClient, project_id: str) -> None:
    said = {**TUS, "Upload-Length": str(len(small_mp4_bytes())), "Upload-Metadata": metadata(project_id)}

    response = client.post("/media/uploads", headers=said, data=small_mp4_bytes()[:1000], content_type=BYTES)

    assert (response.status_code, response.headers["Upload-Offset"]) == (201, "1000")
    assert send(client, response.headers["Location"], 1000, small_mp4_bytes()[1000:]).status_code == 204
    assert video_of(client, project_id) == small_mp4_bytes()


def test_bytes_at_another_place_are_refused_and_the_right_one_is_told(client: FlaskClient, project_id: str) -> None:
    address = begun(client, project_id)
    send(client, address, 0, b"0123456789")

    for wrong in (0, 9, 11):
        response = send(client, address, wrong, b"more")
        assert_error(response, 409, "upload_offset_conflict")
        assert response.headers["Upload-Offset"] == "10"

    assert offset_of(client, address) == 10


def test_a_piece_that_is_cut_off_counts_as_far_as_it_came(client: FlaskClient, project_id: str) -> None:
    address = begun(client, project_id)
    cut_off = {"CONTENT_LENGTH": "5000", "wsgi.input_terminated": True}

    response = client.patch(
        address, headers={**TUS, "Upload-Offset": "0"}, data=b"x" * 700, content_type=BYTES, environ_overrides=cut_off
    )

    assert_error(response, 400, "upload_incomplete")
    assert offset_of(client, address) == 700


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "md5"])
def test_damaged_bytes_are_dropped_and_good_ones_kept(client: FlaskClient, project_id: str, algorithm: str) -> None:
    address = begun(client, project_id)
    good = f"{algorithm} {encoded(hashlib.new(algorithm, b'good').digest())}"

    assert send(client, address, 0, b"good", Upload_Checksum=good).status_code == 204
    assert_error(send(client, address, 4, b"evil", Upload_Checksum=good), 460, "checksum_mismatch")

    assert offset_of(client, address) == 4


def test_bytes_whose_checksum_was_never_compared_do_not_count(client: FlaskClient, project_id: str) -> None:
    address = begun(client, project_id)
    send(client, address, 0, b"good")
    cut_off = {"CONTENT_LENGTH": "5000", "wsgi.input_terminated": True}
    said = {**TUS, "Upload-Offset": "4", "Upload-Checksum": f"sha1 {encoded(hashlib.sha1(b'x' * 5000).digest())}"}

    client.patch(address, headers=said, data=b"x" * 700, content_type=BYTES, environ_overrides=cut_off)

    assert offset_of(client, address) == 4


@pytest.mark.parametrize("header", ["crc32 AAAA", "sha1", "sha1 ???", "sha1 a", "AAAA"])
def test_a_checksum_that_nobody_can_compare_is_refused(client: FlaskClient, project_id: str, header: str) -> None:
    address = begun(client, project_id)

    response = send(client, address, 0, b"data", Upload_Checksum=header)

    if header == "sha1":
        assert_error(response, 460, "checksum_mismatch")
    else:
        assert_error(response, 400, "bad_request")
    assert offset_of(client, address) == 0


def begun_part(client: FlaskClient, length: int, **headers: str) -> str:
    said = {"Upload-Concat": "partial", "Upload-Length": str(length)}
    response = client.post("/media/uploads", headers={**TUS, **said, **headers})
    assert response.status_code == 201
    return response.headers["Location"]


def put_together(client: FlaskClient, project_id: str, *addresses: str, **headers: str) -> TestResponse:
    said = {"Upload-Concat": "final;" + " ".join(addresses), "Upload-Metadata": metadata(project_id)}
    return client.post("/media/uploads", headers={**TUS, **said, **headers})


def test_parts_that_came_side_by_side_are_put_together_in_the_order_asked_for(
    client: FlaskClient, project_id: str, media_dir: Path
) -> None:
    video, middle = small_mp4_bytes(), len(small_mp4_bytes()) // 2
    second, first = begun_part(client, len(video) - middle), begun_part(client, middle)
    send(client, second, 0, video[middle:])
    send(client, first, 0, video[:middle])
    assert client.head(first, headers=TUS).headers["Upload-Concat"] == "partial"

    response = put_together(client, project_id, first, f"http://localhost{second}")

    assert (response.status_code, response.headers["Upload-Offset"]) == (201, str(len(video)))
    assert video_of(client, project_id) == video
    assert client.head(response.headers["Location"], headers=TUS).headers["Upload-Concat"].startswith("final;")
    assert not folder_of(media_dir, first).exists() and not folder_of(media_dir, second).exists()


def test_unfinished_or_other_uploads_are_not_put_together(client: FlaskClient, project_id: str) -> None:
    unfinished, no_part = begun_part(client, 10), begun(client, project_id)

    for address in (unfinished, no_part):
        assert_error(put_together(client, project_id, address), 400, "bad_request")
    assert_error(put_together(client, project_id, "/media/uploads/" + "0" * 32), 404, "upload_not_found")

    assert offset_of(client, unfinished) == 0


@pytest.mark.parametrize("header", ["final;", "final", "partial;x", "whole", "final;" + "a " * 101])
def test_a_concatenation_that_nobody_understands_is_refused(client: FlaskClient, project_id: str, header: str) -> None:
    assert_error(create(client, project_id, **{"Upload-Concat": header}), 400, "bad_request")


def test_parts_that_together_are_no_video_stay_for_another_try(client: FlaskClient, film: Film) -> None:
    part = begun_part(client, 8)
    send(client, part, 0, b"no video")

    assert_error(put_together(client, film.id, part), 400, "invalid_video")

    assert offset_of(client, part) == 8
    assert video_of(client, film.id) == film.video


def test_somebody_elses_part_cannot_be_used_where_owners_count(make_app: AppMaker) -> None:
    client = make_app(ownership="enforced").test_client()
    project_id = create_project(client, **{"X-User-Id": "ben"})
    part = begun_part(client, 4, **{"X-User-Id": "anna"})

    assert_error(put_together(client, project_id, part, **{"X-User-Id": "ben"}), 404, "upload_not_found")


def test_an_empty_upload_is_refused_when_it_begins(client: FlaskClient, project_id: str) -> None:
    assert_error(create(client, project_id, length=0), 400, "invalid_video")


def test_an_upload_that_was_given_up_is_gone(client: FlaskClient, project_id: str, media_dir: Path) -> None:
    address = begun(client, project_id)
    send(client, address, 0, b"data")

    assert client.delete(address, headers=TUS).status_code == 204

    assert not folder_of(media_dir, address).exists()
    assert client.head(address, headers=TUS).status_code == 404
    assert_error(send(client, address, 4, b"more"), 404, "upload_not_found")
    assert_error(client.delete(address, headers=TUS), 404, "upload_not_found")


@pytest.mark.parametrize("name", ["0" * 32, "..", "%2e%2e", "x", "A" * 32, "0" * 31])
def test_an_unknown_upload_is_not_found(client: FlaskClient, name: str) -> None:
    response = send(client, f"/media/uploads/{name}", 0, b"data")

    assert response.status_code in (404, 405)


@pytest.mark.parametrize("version", [None, "0.2.2", "1.0.1"])
def test_another_version_of_the_protocol_is_refused(client: FlaskClient, project_id: str, version: str | None) -> None:
    response = client.post("/media/uploads", headers={"Tus-Resumable": version} if version else {})

    assert response.status_code == 412
    assert response.get_json()["code"] == "unknown_tus_version"
    assert response.headers["Tus-Version"] == "1.0.0"
    assert response.headers["Tus-Resumable"] == "1.0.0"


def test_another_kind_of_body_is_refused(client: FlaskClient, project_id: str) -> None:
    address = begun(client, project_id)

    response = client.patch(address, headers={**TUS, "Upload-Offset": "0"}, data=b"x", content_type="video/mp4")

    assert_error(response, 415, "unsupported_media_type")


def test_a_plan_without_a_project_is_refused(client: FlaskClient) -> None:
    for said in ("", f"filename {encoded('a.mp4')}"):
        response = client.post("/media/uploads", headers={**TUS, "Upload-Length": "10", "Upload-Metadata": said})

        assert_field_refused(response, "header", "project_id")


def test_a_plan_for_an_unknown_project_is_refused(client: FlaskClient) -> None:
    assert_error(create(client, UNKNOWN_ID), 404, "project_not_found")


@pytest.mark.parametrize("header", ["project_id", "project_id !!", "a b,a b", "ä eA=="])
def test_a_plan_that_nobody_can_read_is_refused(client: FlaskClient, header: str) -> None:
    said = {**TUS, "Upload-Length": "10", "Upload-Metadata": header}

    assert client.post("/media/uploads", headers=said).status_code in (400, 422)


@pytest.mark.parametrize("length", ["", "-1", "1.5", "ten", "9" * 30])
def test_a_length_that_is_no_number_is_refused(client: FlaskClient, project_id: str, length: str) -> None:
    response = client.post(
        "/media/uploads", headers={**TUS, "Upload-Length": length, "Upload-Metadata": metadata(project_id)}
    )

    assert_error(response, 400, "bad_request")


def test_a_length_that_comes_later_is_refused(client: FlaskClient, project_id: str) -> None:
    said = {**TUS, "Upload-Defer-Length": "1", "Upload-Metadata": metadata(project_id)}

    assert_error(client.post("/media/uploads", headers=said), 400, "bad_request")


def test_a_video_over_the_limit_is_refused_before_it_is_sent(client: FlaskClient, project_id: str) -> None:
    assert_error(create(client, project_id, length=20 * 2**20 + 1), 413, "video_too_large")


def test_more_bytes_than_were_announced_are_refused(client: FlaskClient, project_id: str) -> None:
    address = begun(client, project_id, length=10)

    assert_error(send(client, address, 0, b"eleven bytes"), 413, "video_too_large")

    assert offset_of(client, address) == 0


def test_a_disk_without_room_is_told_before_a_byte_is_sent(
    client: FlaskClient, project_id: str, monkeypatch: pytest.MonkeyPatch, media_dir: Path
) -> None:
    before = files_below(media_dir)
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 100}))

    assert_error(create(client, project_id), 507, "disk_full")

    assert files_below(media_dir) == before


def test_what_is_no_video_is_refused_at_its_end_and_the_earlier_video_stays(
    client: FlaskClient, film: Film, media_dir: Path
) -> None:
    files = files_below(media_dir)
    address = begun(client, film.id, length=8)

    assert_error(send(client, address, 0, b"no video"), 400, "invalid_video")

    assert client.head(address, headers=TUS).status_code == 404
    assert video_of(client, film.id) == film.video
    assert files_below(media_dir) == files


@contextmanager
def failing_at_the_end(app: Flask, part: str, method: str, error: type[ProjectApiError]) -> Iterator[None]:
    """Let what comes after the last byte of an upload fail."""

    def fail(*_: object) -> None:
        raise error

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(getattr(app.extensions["projectapi"], part), method, fail)
        yield


def test_trouble_at_the_very_end_costs_no_byte(app: Flask, client: FlaskClient, project_id: str) -> None:
    # Given an upload whose last bytes arrive while the database is away
    address = begun(client, project_id)
    with failing_at_the_end(app, "projects", "set_video", DatabaseUnavailable):
        assert_error(send(client, address, 0, small_mp4_bytes()), 503, "database_unavailable")

        # When the client asks how far it came, then it is told to ask again, and not to send again
        assert client.head(address, headers=TUS).status_code == 423

    # And when the database is back, asking is enough
    assert offset_of(client, address) == len(small_mp4_bytes())
    assert video_of(client, project_id) == small_mp4_bytes()


def test_a_full_disk_at_the_very_end_costs_no_byte(app: Flask, client: FlaskClient, project_id: str) -> None:
    address = begun(client, project_id)

    with failing_at_the_end(app, "videos", "accept", DiskFull):
        assert_error(send(client, address, 0, small_mp4_bytes()), 507, "disk_full")

    assert offset_of(client, address) == len(small_mp4_bytes())
    assert video_of(client, project_id) == small_mp4_bytes()


@pytest.mark.parametrize("way", [post_video, put, None], ids=["form", "body", "resumable"])
def test_an_upload_that_ends_late_does_not_take_the_place_of_one_that_was_begun_after_it(
    client: FlaskClient, film: Film, project_id: str, media_dir: Path, way: Callable[..., TestResponse] | None
) -> None:
    # Given an upload whose bytes are all there, and a server that was stopped before it made them the project's video
    late = begun(client, project_id)
    (folder_of(media_dir, late) / "part").write_bytes(small_mp4_bytes())
    a_minute_ago = time.time() - 60
    os.utime(folder_of(media_dir, late) / "upload.json", (a_minute_ago, a_minute_ago))
    # When another video is uploaded, and then the first upload is asked for
    if way is not None:
        way(client, project_id, film.video)
    else:
        send(client, begun(client, project_id, length=len(film.video)), 0, film.video)
    before = files_below(media_dir)
    response = client.head(late, headers=TUS)

    # Then the later one stays, and of the first one nothing does
    assert response.status_code == 410
    assert video_of(client, project_id) == film.video
    assert client.head(late, headers=TUS).status_code == 404
    name = f"uploads/{late.rpartition('/')[2]}/"
    assert files_below(media_dir) == {path for path in before if not path.startswith(name)}


def test_the_last_bytes_of_an_upload_that_was_overtaken_are_answered_in_plain_words(
    client: FlaskClient, film: Film, project_id: str
) -> None:
    late = begun(client, project_id)
    put(client, project_id, film.video)

    assert_error(send(client, late, 0, small_mp4_bytes()), 410, "upload_overtaken")

    assert video_of(client, project_id) == film.video


def test_an_upload_takes_the_place_of_one_that_was_begun_before_it(client: FlaskClient, film: Film, project_id: str) -> None:
    earlier, later = begun(client, project_id, length=len(film.video)), begun(client, project_id)
    send(client, earlier, 0, film.video)

    assert send(client, later, 0, small_mp4_bytes()).status_code == 204

    assert video_of(client, project_id) == small_mp4_bytes()


def test_two_requests_for_one_upload_exclude_each_other(app: Flask, client: FlaskClient, project_id: str) -> None:
    backend: Backend = app.extensions["projectapi"]
    address = begun(client, project_id)

    with backend.uploads.open(address.rpartition("/")[2]) as held:
        response = send(client, address, 0, b"data")
        assert_error(response, 423, "upload_locked")
        assert response.headers["Retry-After"]
        assert held.is_wanted_elsewhere()

    assert send(client, address, 0, b"data").status_code == 204


def test_a_worker_full_of_uploads_asks_to_come_back_and_keeps_what_it_has(make_app: AppMaker) -> None:
    app = make_app(uploads_at_once=1)
    client = app.test_client()
    address = begun(client, create_project(client))
    send(client, address, 0, b"data")

    with app.extensions["projectapi"].uploads.receiving():
        assert_error(send(client, address, 4, b"more"), 503, "media_busy")
        assert offset_of(client, address) == 4

    assert send(client, address, 4, b"more").status_code == 204


def test_an_upload_that_was_left_alone_expires_and_is_swept(make_app: AppMaker, tmp_path: Path) -> None:
    app = make_app(upload_lifetime_hours=1)
    client = app.test_client()
    project_id = create_project(client)
    addresses = [begun(client, project_id) for _ in range(3)]
    folders = [folder_of(tmp_path / "media", address) for address in addresses]
    for folder in folders[:2]:
        for path in (folder / "part", folder):
            os.utime(path, (0, 0))

    assert client.head(addresses[0], headers=TUS).status_code == 410
    assert app.extensions["projectapi"].housekeeping.sweep_files() == [f"uploads/{folders[1].name}"]

    assert [folder.exists() for folder in folders] == [False, False, True]


def test_somebody_elses_upload_is_not_found_where_owners_count(make_app: AppMaker) -> None:
    client = make_app(ownership="enforced").test_client()
    anna, ben = {"X-User-Id": "anna"}, {"X-User-Id": "ben"}
    project_id = create_project(client, **anna)
    assert_error(create(client, project_id, **ben), 404, "project_not_found")
    address = begun(client, project_id, **anna)

    assert_error(send(client, address, 0, b"data", **ben), 404, "upload_not_found")
    assert_error(client.delete(address, headers={**TUS, **ben}), 404, "upload_not_found")
    assert client.head(address, headers={**TUS, **ben}).status_code == 404

    assert send(client, address, 0, b"data", **anna).status_code == 204


def test_methods_may_be_named_in_a_header(client: FlaskClient, project_id: str) -> None:
    address = begun(client, project_id)
    said = {**TUS, "Upload-Offset": "0", "X-HTTP-Method-Override": "PATCH"}

    assert client.post(address, headers=said, data=b"data", content_type=BYTES).status_code == 204
    assert offset_of(client, address) == 4
    assert client.post(address, headers={**TUS, "X-HTTP-Method-Override": "DELETE"}).status_code == 204
    assert client.post(address, headers=TUS).status_code == 405


def test_a_key_against_repetition_does_not_stand_in_the_way(client: FlaskClient, project_id: str) -> None:
    # Some clients send the same headers with every request.
    address = begun(client, project_id)

    assert send(client, address, 0, b"data", Idempotency_Key="always-the-same").status_code == 204
    assert send(client, address, 4, b"more", Idempotency_Key="always-the-same").status_code == 204


def test_a_page_from_another_origin_may_do_all_of_it(client: FlaskClient, project_id: str) -> None:
    browser = Browser(client)
    said = {**TUS, "Upload-Length": str(len(small_mp4_bytes())), "Upload-Metadata": metadata(project_id)}

    created = browser.call("POST", "/media/uploads", headers=said)
    address = created.headers["Location"]
    head = browser.call("HEAD", address, headers=TUS)
    browser.preflight("PATCH", address, "content-type,tus-resumable,upload-checksum,upload-offset")
    browser.call("DELETE", address, headers=TUS)

    exposed = {name.strip() for name in head.headers["Access-Control-Expose-Headers"].split(",")}
    assert {"Location", "Upload-Offset", "Upload-Length", "Upload-Expires", "Tus-Resumable", "Tus-Max-Size"} <= exposed
    assert "Upload-Message" in exposed
