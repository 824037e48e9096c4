"""What editors show of a video: pictures of moments, a filmstrip, a waveform; and how long clients may keep them."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from tests.contract.calls import UNKNOWN_ID, upload
from tests.contract.conftest import Film
from tests.errors_shape import assert_error, assert_field_refused
from tests.media_samples import make_video

ADDRESSES = ("thumbnail?t=1", "filmstrip.jpg", "filmstrip.json", "filmstrip.vtt", "waveform")


def test_a_thumbnail_of_any_time_is_a_jpeg(client: FlaskClient, film: Film) -> None:
    pictures = [client.get(f"/media/{film.id}/thumbnail?t={seconds}") for seconds in ("0", "2.5", "1e9")]

    assert [picture.mimetype for picture in pictures] == ["image/jpeg"] * 3
    assert all(picture.data.startswith(b"\xff\xd8\xff") for picture in pictures)
    assert len({picture.data for picture in pictures}) == 3


@pytest.mark.parametrize("time", ["-1", "", "soon", "nan", "inf", "1,5", "0x1"])
def test_a_time_that_is_none_is_refused(client: FlaskClient, film: Film, time: str) -> None:
    assert_field_refused(client.get(f"/media/{film.id}/thumbnail?t={time}"), "query", "t")


def test_without_a_time_the_thumbnail_is_that_of_the_upload(client: FlaskClient, film: Film, media_dir: Path) -> None:
    looks = {path.name for path in (media_dir / "looks").glob("*")}

    with client.get(f"/media/{film.id}/thumbnail") as response:
        assert response.mimetype == "image/jpeg"

    assert {path.name for path in (media_dir / "looks").glob("*")} == looks


def test_the_index_of_the_filmstrip_fits_its_sheet(client: FlaskClient, film: Film) -> None:
    index = client.get(f"/media/{film.id}/filmstrip.json").get_json()

    assert (index["count"], index["interval"], index["columns"], index["rows"]) == (12, 0.25, 10, 2)
    assert (index["tile_width"], index["tile_height"]) == (120, 90)
    assert index["duration"] == pytest.approx(3, abs=0.1)
    assert client.get(index["image"]).mimetype == "image/jpeg"


def test_the_track_of_the_filmstrip_covers_the_video_without_a_gap(client: FlaskClient, film: Film) -> None:
    response = client.get(f"/media/{film.id}/filmstrip.vtt")

    cues = re.findall(r"^([\d:.]{12}) --> ([\d:.]{12})\n(\S+)#xywh=(\d+),(\d+),120,90$", response.text, re.MULTILINE)
    assert response.mimetype == "text/vtt"
    assert response.text.startswith("WEBVTT\n\n")
    assert len(cues) == 12
    assert (cues[0][0], cues[1][3], cues[11][3:]) == ("00:00:00.000", "120", ("120", "90"))
    assert all(earlier[1] == later[0] for earlier, later in pairwise(cues))


def test_a_waveform_is_what_players_of_waveforms_read(client: FlaskClient, film: Film) -> None:
    waveform = client.get(f"/media/{film.id}/waveform?peaks_per_second=10").get_json()

    assert set(waveform) == {"version", "channels", "sample_rate", "samples_per_pixel", "bits", "length", "data"}
    assert (waveform["version"], waveform["channels"], waveform["bits"]) == (2, 1, 8)
    assert waveform["sample_rate"] / waveform["samples_per_pixel"] == 10
    assert waveform["length"] == pytest.approx(30, abs=1)
    assert len(waveform["data"]) == 2 * waveform["length"]
    assert all(low < 0 < high for low, high in zip(waveform["data"][2:50:2], waveform["data"][3:50:2], strict=True))


def test_a_silent_video_has_an_empty_waveform(client: FlaskClient, project_id: str, tmp_path: Path) -> None:
    upload(client, project_id, make_video(tmp_path / "silent.mp4", seconds=1, audio=False).read_bytes())

    waveform = client.get(f"/media/{project_id}/waveform").get_json()

    assert (waveform["length"], waveform["data"]) == (0, [])


@pytest.mark.parametrize("number", ["0", "-1", "7", "lots", "", "1000000"])
def test_a_number_of_peaks_that_is_not_offered_is_refused(client: FlaskClient, film: Film, number: str) -> None:
    assert_field_refused(client.get(f"/media/{film.id}/waveform?peaks_per_second={number}"), "query", "peaks_per_second")


@pytest.mark.parametrize("address", ADDRESSES)
def test_what_a_client_has_is_not_sent_again(client: FlaskClient, film: Film, address: str) -> None:
    first = client.get(f"/media/{film.id}/{address}")

    again = client.get(f"/media/{film.id}/{address}", headers={"If-None-Match": first.headers["ETag"]})

    assert (first.status_code, first.headers["Cache-Control"]) == (200, "no-cache")
    assert (again.status_code, again.data) == (304, b"")


@pytest.mark.parametrize("address", ["filmstrip.jpg", "filmstrip.json", "filmstrip.vtt", "waveform"])
def test_a_condition_that_names_no_entity_tag_is_refused(client: FlaskClient, film: Film, address: str) -> None:
    assert_error(client.get(f"/media/{film.id}/{address}", headers={"If-None-Match": "0"}), 400, "invalid_precondition")


def test_under_the_address_of_this_very_video_nothing_is_asked_for_again(client: FlaskClient, film: Film) -> None:
    image = client.get(f"/media/{film.id}/filmstrip.json").get_json()["image"]
    version = image.partition("?")[2]

    answers = [client.get(f"/media/{film.id}/{path}") for path in (f"thumbnail?t=1&{version}", f"waveform?{version}")]

    assert {answer.headers["Cache-Control"] for answer in (*answers, client.get(image))} == {"max-age=31536000, immutable"}
    assert client.get(f"/media/{film.id}/waveform?v=another").headers["Cache-Control"] == "no-cache"


def test_another_video_has_other_looks(client: FlaskClient, filmed_id: str, tmp_path: Path) -> None:
    before = {address: client.get(f"/media/{filmed_id}/{address}") for address in ADDRESSES}
    upload(client, filmed_id, make_video(tmp_path / "other.mp4", seconds=2, size="320x120").read_bytes())

    for address, answer in before.items():
        after = client.get(f"/media/{filmed_id}/{address}", headers={"If-None-Match": answer.headers["ETag"]})
        assert (after.status_code, after.data == answer.data) == (200, False)


@pytest.mark.parametrize("address", ADDRESSES)
def test_who_has_no_video_has_no_looks(client: FlaskClient, project_id: str, address: str) -> None:
    assert_error(client.get(f"/media/{UNKNOWN_ID}/{address}"), 404, "project_not_found")
    assert_error(client.get(f"/media/{project_id}/{address}"), 404, "video_not_found")
