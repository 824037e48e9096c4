"""Bundles: a project goes out of one server as one file, and into another; what is hostile goes in nowhere."""

from __future__ import annotations

import hashlib
import io
import json
import secrets
import stat
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import opentimelineio as otio
import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from projectapi.bundle.opening import LIMITS
from projectapi.project import ProjectKey
from projectapi.schemas.json_body import MAX_CONTAINERS
from projectapi.stores.mongo_idempotency import MongoIdempotencyStore
from projectapi.timeline.otio import Media, timeline_to_otio
from projectapi.transcript import RecognisedSpeech
from tests.conftest import AppMaker
from tests.contract.calls import UNKNOWN_ID, create_project, files_below, history, save, upload, video_of
from tests.contract.shapes import JsonObject, assert_success
from tests.contract.timelines import AWKWARD_STATES, make_clip, make_layer, make_state
from tests.errors_shape import assert_error
from tests.harness.backup_world import running_app
from tests.media_samples import small_mp4_bytes

Files = dict[str, bytes]


@pytest.fixture
def elsewhere(mongodb_uri: str, tmp_path: Path) -> Iterator[FlaskClient]:
    """A client of another server, with a database and a media folder of its own."""
    with running_app(mongodb_uri, f"test_{secrets.token_hex(6)}", tmp_path) as app:
        yield app.test_client()


def export(client: FlaskClient, project_id: str, query: str = "") -> bytes:
    with client.get(f"/projects/{project_id}/export{query}") as answer:
        assert (answer.status_code, answer.mimetype) == (200, "application/zip")
        return answer.get_data()


def send(client: FlaskClient, bundle: bytes, **headers: str) -> TestResponse:
    return client.post("/projects/import", data=bundle, content_type="application/zip", headers=headers)


def files_of(bundle: bytes) -> Files:
    with zipfile.ZipFile(io.BytesIO(bundle)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(files: Files, change: Callable[[zipfile.ZipInfo], None] | None = None) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name)
            entry.compress_type = zipfile.ZIP_DEFLATED
            if change is not None:
                change(entry)
            archive.writestr(entry, content)
    return out.getvalue()


def sealed(files: Files) -> bytes:
    """Zip these files with a manifest that names them."""
    listed = [
        {"name": name, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in files.items()
        if name != "manifest.json"
    ]
    manifest = {"format": "projectapi bundle", "formatVersion": 1, "files": listed}
    return zipped({**files, "manifest.json": json.dumps(manifest).encode()})


def make_film(client: FlaskClient) -> str:
    """Make a project with everything that a project can have."""
    project_id = create_project(client, "Größe / Film")
    client.put(f"/projects/{project_id}", json={"description": "Everything"})
    upload(client, project_id, small_mp4_bytes(), name="Ferien & mehr.mp4")
    for number, state in enumerate(AWKWARD_STATES.values()):
        save(client, project_id, state, f"Cut {number}")
    save(client, project_id, make_state(make_clip("a", start_time=1), make_clip("b", start_time=5)), "Last cut")
    words = [{"text": "so", "start": 0.1, "end": 0.4, "is_filler": True}]
    segments = [{"start_time": 0, "end_time": 1, "text": "so", "words": words, "speaker_id": "s1"}]
    body = {"project_id": project_id, "language": "en", "segments": segments, "metadata": {"take": 2}, "is_edited": True}
    assert_success(client.post("/transcriptions/", json=body))
    return project_id


CHANGED = ("_id", "id", "project_id", "user_id", "updated_at", "updatedAt", "thumbnail", "version")


def same(value: Any, left_out: tuple[str, ...]) -> Any:
    """Return a part of an answer without what is new in an imported project."""
    if isinstance(value, dict):
        return {name: same(child, left_out) for name, child in value.items() if name not in left_out}
    return [same(child, left_out) for child in value] if isinstance(value, list) else value


def answer(client: FlaskClient, address: str, *left_out: str) -> Any:
    return same(assert_success(client.get(address)), left_out)


def test_a_project_is_the_same_on_another_server(client: FlaskClient, elsewhere: FlaskClient) -> None:
    there = make_film(client)

    imported = assert_success(send(elsewhere, export(client, there, "?history=1&video=1"), **{"X-User-Id": "ann"}))

    here = imported["_id"]
    assert here != there
    assert (imported["user_id"], imported["version"], imported["thumbnail"]) == ("ann", 1, f"/media/{here}/thumbnail")
    assert answer(elsewhere, f"/projects/{here}", *CHANGED) == answer(client, f"/projects/{there}", *CHANGED)
    for address in ("/timeline/{}", "/timeline/{}/history?include_state=true&limit=200", "/transcriptions/{}"):
        ids = ("_id", "project_id")
        assert answer(elsewhere, address.format(here), *ids) == answer(client, address.format(there), *ids)
    assert video_of(elsewhere, here) == video_of(client, there)
    assert [project["_id"] for project in assert_success(elsewhere.get("/projects", headers={"X-User-Id": "ann"}))] == [here]


def test_an_imported_project_can_be_worked_on(client: FlaskClient, elsewhere: FlaskClient) -> None:
    there = make_film(client)
    here = assert_success(send(elsewhere, export(client, there, "?history=1")))["_id"]
    versions = len(history(client, there, "?limit=200"))

    saved = save(elsewhere, here, make_state(make_clip("new")), "New")

    assert saved["version"] == versions + 1
    assert len(history(elsewhere, here, "?limit=200&include_state=true")) == versions + 1
    restored = assert_success(elsewhere.post(f"/timeline/{here}/restore/1"))
    assert restored["timeline_state"] == assert_success(client.get(f"/timeline/{there}/version/1"))["timeline_state"]


def test_a_bundle_has_what_was_asked_for(client: FlaskClient) -> None:
    project_id = make_film(client)

    names = {query: set(files_of(export(client, project_id, query))) for query in ("", "?history=true", "?video=1")}

    plain = {"project.json", "timeline.json", "timeline.otio", "transcript.json", "manifest.json"}
    assert names == {"": plain, "?history=true": plain | {"history.jsonl"}, "?video=1": plain | {"video/Ferien & mehr.mp4"}}


def test_without_its_history_the_current_version_keeps_its_number(client: FlaskClient, elsewhere: FlaskClient) -> None:
    there = make_film(client)

    here = assert_success(send(elsewhere, export(client, there)))["_id"]

    ids = ("_id", "project_id")
    assert answer(elsewhere, f"/timeline/{here}", *ids) == answer(client, f"/timeline/{there}", *ids)
    assert len(history(elsewhere, here)) == 1


def test_an_empty_project_can_be_carried_over(client: FlaskClient, elsewhere: FlaskClient) -> None:
    there = create_project(client)

    here = assert_success(send(elsewhere, export(client, there, "?history=1")))["_id"]

    assert answer(elsewhere, f"/projects/{here}", *CHANGED) == answer(client, f"/projects/{there}", *CHANGED)
    assert answer(elsewhere, f"/timeline/{here}", "project_id") == answer(client, f"/timeline/{there}", "project_id")


def test_its_timeline_opens_in_other_editors(client: FlaskClient, tmp_path: Path) -> None:
    project_id = create_project(client)
    upload(client, project_id, small_mp4_bytes(), name="my film.mp4")
    clips = [make_clip("a", start_time=0.5, duration=0.25, original_start_time=0.75), make_clip("b", start_time=2)]
    save(client, project_id, make_state(layers=[make_layer(*clips), make_layer(id="l2", name="Titles", type="text")]))

    with zipfile.ZipFile(io.BytesIO(export(client, project_id, "?video=1"))) as archive:
        archive.extractall(tmp_path)
    timeline = otio.adapters.read_from_file(str(tmp_path / "timeline.otio"), "otio_json")

    first, second = timeline.tracks[0].find_clips()
    rate = first.source_range.start_time.rate
    assert [track.name for track in timeline.tracks] == ["Video", "Titles"]
    assert [first.source_range.start_time.value / rate, first.source_range.duration.value / rate] == [0.75, 0.25]
    assert timeline.tracks[0].range_of_child(second).start_time.value / rate == pytest.approx(2)
    assert first.media_reference.target_url == "video/my%20film.mp4"
    assert (tmp_path / "video" / "my film.mp4").read_bytes() == small_mp4_bytes()


def test_a_transcript_still_tells_of_its_video_and_of_no_other(app: Flask, client: FlaskClient, elsewhere: FlaskClient) -> None:
    there = create_project(client)
    upload(client, there, small_mp4_bytes())
    original = app.extensions["projectapi"].projects.get_project(ProjectKey(there)).video.sha256
    words = [{"text": "so", "start": 0.1, "end": 0.4, "confidence": 0.9, "is_filler": True}]
    heard = RecognisedSpeech(
        words=words, language="en", model_used="tiny", processing_time=0.5, duration=3.0, video_sha256=original
    )
    app.extensions["projectapi"].transcripts.store_recognised(ProjectKey(there), heard)

    here = assert_success(send(elsewhere, export(client, there, "?video=1")))["_id"]

    transcript = elsewhere.application.extensions["projectapi"].transcripts.get_transcript(ProjectKey(here))
    assert (transcript.tells_of(original), transcript.tells_of("0" * 64), transcript.duration) == (True, False, 3.0)


def test_a_video_whose_name_is_none_on_other_systems_gets_one_that_is(
    client: FlaskClient, elsewhere: FlaskClient, tmp_path: Path
) -> None:
    there = create_project(client)
    upload(client, there, small_mp4_bytes(), name="12:30 interview.mp4")
    save(client, there, make_state(make_clip("a")))
    bundle = export(client, there, "?video=1")

    here = assert_success(send(elsewhere, bundle))["_id"]

    assert video_of(elsewhere, here) == video_of(client, there)
    [clip] = json.loads(files_of(bundle)["timeline.otio"])["tracks"]["children"][0]["children"]
    assert clip["media_references"]["DEFAULT_MEDIA"]["target_url"] == "video/12_30%20interview.mp4"


def test_the_largest_timeline_that_can_be_saved_can_be_brought_back() -> None:
    clips = [make_clip(f"clip-{number}", start_time=number * 1.23456, duration=1.23456) for number in range(100)]
    video = Media(f"video/{'x' * 50}.mp4", 12.3456789, 30_000 / 1001)

    per_clip = len(json.dumps(timeline_to_otio("Film", make_state(*clips), video), separators=(",", ":"))) / len(clips)

    assert per_clip * MAX_CONTAINERS < LIMITS["timeline.otio"]


def test_a_bundle_has_a_name_that_people_recognise(client: FlaskClient) -> None:
    project_id = create_project(client, "Ferien / 2026: \"Meer\"")

    with client.get(f"/projects/{project_id}/export") as answer:
        assert answer.headers["Content-Disposition"] == 'attachment; filename="Ferien _ 2026_ _Meer_.zip"'


def test_what_is_not_there_cannot_be_exported(client: FlaskClient, project_id: str) -> None:
    assert_error(client.get(f"/projects/{UNKNOWN_ID}/export"), 404, "project_not_found")
    assert_error(client.get(f"/projects/{project_id}/export?video=1"), 404, "video_not_found")
    assert_error(client.get(f"/projects/{project_id}/export?video=maybe"), 422, "validation_failed")


def test_an_import_that_is_sent_twice_makes_one_project(client: FlaskClient, owner: str) -> None:
    bundle = export(client, make_film(client), "?video=1&history=1")
    headers = {"X-User-Id": owner, "Idempotency-Key": secrets.token_hex(8)}

    first, second = send(client, bundle, **headers), send(client, bundle, **headers)

    assert (first.get_data(), second.headers["Idempotency-Replayed"]) == (second.get_data(), "true")
    assert len(assert_success(client.get("/projects", headers={"X-User-Id": owner}))) == 1


def test_an_import_that_was_cut_off_is_done_once(
    client: FlaskClient, owner: str, media_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if the worker had been killed before it answered.
    monkeypatch.setattr(MongoIdempotencyStore, "finish", lambda *_: None)
    bundle = export(client, make_film(client), "?video=1&history=1")
    headers = {"X-User-Id": owner, "Idempotency-Key": secrets.token_hex(8)}
    first = assert_success(send(client, bundle, **headers))
    files = files_below(media_dir)

    again = send(client, bundle, **headers)

    assert "Idempotency-Replayed" not in again.headers
    assert assert_success(again)["_id"] == first["_id"]
    assert files_below(media_dir) == files
    assert len(assert_success(client.get("/projects", headers={"X-User-Id": owner}))) == 1


def test_what_belongs_to_somebody_else_cannot_be_exported(make_app: AppMaker) -> None:
    client = make_app(ownership="enforced").test_client()
    project_id = create_project(client, **{"X-User-Id": "ann"})

    assert_error(client.get(f"/projects/{project_id}/export", headers={"X-User-Id": "bob"}), 404, "project_not_found")
    assert client.get(f"/projects/{project_id}/export", headers={"X-User-Id": "ann"}).status_code == 200


@pytest.mark.parametrize("content_type", ["application/json", "multipart/form-data; boundary=x", "text/plain", ""])
def test_only_the_file_itself_is_taken(client: FlaskClient, content_type: str) -> None:
    assert_error(client.post("/projects/import", data=b"{}", content_type=content_type), 415, "unsupported_media_type")


@pytest.fixture(scope="module")
def files(app: Flask) -> Files:
    """The files of a bundle that would be taken."""
    client = app.test_client()
    return {n: c for n, c in files_of(export(client, make_film(client), "?history=1&video=1")).items() if n != "manifest.json"}


def renamed(old: str, new: str) -> Callable[[Files], bytes]:
    return lambda files: sealed({new if name == old else name: content for name, content in files.items()})


def edited(name: str, change: Callable[[JsonObject], object]) -> Callable[[Files], bytes]:
    def build(files: Files) -> bytes:
        lines = [json.loads(line) for line in files[name].splitlines()]
        change(lines[0])
        return sealed({**files, name: b"\n".join(json.dumps(line).encode() for line in lines)})

    return build


def changed_entry(change: Callable[[zipfile.ZipInfo], None]) -> Callable[[Files], bytes]:
    return lambda files: zipped(files_of(sealed(files)), change)


def as_link(entry: zipfile.ZipInfo) -> None:
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16


def as_lzma(entry: zipfile.ZipInfo) -> None:
    entry.compress_type = zipfile.ZIP_LZMA


def encrypted(files: Files) -> bytes:
    bundle = bytearray(sealed(files))
    for signature, offset in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        place = bundle.find(signature)
        while place >= 0:
            bundle[place + offset] |= 1
            place = bundle.find(signature, place + 4)
    return bytes(bundle)


def lying_about_its_size(files: Files) -> bytes:
    bundle = bytearray(sealed(files))
    place = bundle.find(b"PK\x01\x02")
    bundle[place + 24 : place + 28] = struct.pack("<L", 40 << 20)
    return bytes(bundle)


def millions_of_entries(_files: Files) -> bytes:
    directory = 200_000 * (b"PK\x01\x02" + bytes(42))
    return directory + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 16, 16, len(directory), 0, 0)


def millions_of_entries_in_a_large_zip(_files: Files) -> bytes:
    directory = 200_000 * (b"PK\x01\x02" + bytes(42))
    size = len(directory)
    end = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 200_000, 200_000, size, 0)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, size, 1)
    return directory + end + locator + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, 46, 0, 0)


def millions_of_entries_behind_a_false_end(_files: Files) -> bytes:
    directory = 200_000 * (b"PK\x01\x02" + bytes(42))
    size = len(directory)
    false_end = struct.pack("<4sQ2H2L4Q", b"none", 44, 45, 45, 0, 0, 1, 1, 46, 0)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, size, 1)
    return directory + false_end + locator + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, size, 0, 0)


def with_manifest(change: Callable[[JsonObject], object]) -> Callable[[Files], bytes]:
    def build(files: Files) -> bytes:
        whole = files_of(sealed(files))
        manifest = json.loads(whole["manifest.json"])
        change(manifest)
        return zipped({**whole, "manifest.json": json.dumps(manifest).encode()})

    return build


BOMB = b"[" + b"0," * (20 << 20) + b"0]"

HOSTILE: dict[str, Callable[[Files], bytes]] = {
    "no zip file": lambda _: b"PK\x03\x04 or so",
    "nothing": lambda _: b"",
    "a zip file of something else": lambda _: zipped({"readme.txt": b"Hello"}),
    "a zip file that was cut": lambda files: sealed(files)[:-10],
    "a zip file with a comment": lambda files: sealed(files)[:-2] + b"\x01\x00x",
    "a name that leads upwards": renamed("video/Ferien & mehr.mp4", "video/../../evil.mp4"),
    "a name that leads to the root": renamed("video/Ferien & mehr.mp4", "/etc/passwd"),
    "a name with a backslash": renamed("video/Ferien & mehr.mp4", "video/..\\evil.mp4"),
    "a drive letter": renamed("video/Ferien & mehr.mp4", "video/C:evil.mp4"),
    "a file that does not belong there": lambda files: sealed({**files, "setup.py": b"import os"}),
    "two videos": lambda files: sealed({**files, "video/second.mp4": b"film"}),
    "links": changed_entry(as_link),
    "a compression that we do not use": changed_entry(as_lzma),
    "encrypted": encrypted,
    "a lie about a size in the zip file": lying_about_its_size,
    "many entries": lambda files: sealed({**files, **{f"video/{n}.mp4": b"" for n in range(20)}}),
    "very many entries": millions_of_entries,
    "very many entries of a large zip file": millions_of_entries_in_a_large_zip,
    "very many entries behind a false end": millions_of_entries_behind_a_false_end,
    "a bomb": lambda files: sealed({**files, "project.json": BOMB}),
    "a bomb in the timeline": lambda files: sealed({**files, "timeline.json": BOMB}),
    "a zip file inside": lambda files: sealed({**files, "timeline.json": sealed(files)}),
    "no manifest": lambda files: zipped(files),
    "a manifest that is no object": lambda files: zipped({**files, "manifest.json": b"[]"}),
    "a manifest without files": with_manifest(lambda manifest: manifest.pop("files")),
    "a manifest that leaves a file out": with_manifest(lambda manifest: manifest["files"].pop()),
    "a manifest with a file twice": with_manifest(lambda manifest: manifest["files"].append(manifest["files"][0])),
    "a manifest that lies about a checksum": with_manifest(lambda manifest: manifest["files"][0].update(sha256="0" * 64)),
    "a manifest that lies about a size": with_manifest(lambda manifest: manifest["files"][0].update(bytes=1)),
    "another format": with_manifest(lambda manifest: manifest.update(format="something else")),
    "a later form": with_manifest(lambda manifest: manifest.update(formatVersion=2)),
    "no project": lambda files: sealed({n: c for n, c in files.items() if n != "project.json"}),
    "a project without a name": edited("project.json", lambda project: project.pop("name")),
    "a name that is too long": edited("project.json", lambda project: project.update(name="x" * 256)),
    "a date that is none": edited("project.json", lambda project: project.update(created_at="yesterday")),
    "a date outside of time": edited("project.json", lambda project: project.update(created_at="9999-12-31T23:59:59Z")),
    "a timeline that is not announced": edited("project.json", lambda project: project.update(timeline=None)),
    "no timeline where one is announced": lambda files: sealed({n: c for n, c in files.items() if n != "timeline.json"}),
    "a timeline that cannot be saved": edited("timeline.json", lambda state: state.update(layers=[{"id": 1}])),
    "operators in the timeline": edited("timeline.json", lambda state: state.update({"$set": 1})),
    "a history that breaks off": lambda files: sealed({**files, "history.jsonl": files["history.jsonl"] + b"{"}),
    "a version that cannot be saved": edited("history.jsonl", lambda version: version["state"].update({"$set": 1})),
    "versions out of order": edited("history.jsonl", lambda version: version.update(version=5)),
    "a version after the current one": edited("history.jsonl", lambda version: version.update(version=9999)),
    "a history without a timeline": lambda files: sealed(
        {"project.json": json.dumps({**json.loads(files["project.json"]), "timeline": None}).encode()}
        | {"history.jsonl": files["history.jsonl"]}
    ),
    "a transcript that runs backwards": edited(
        "transcript.json", lambda transcript: transcript["segments"][0].update(start_time=9, end_time=1)
    ),
    "a transcript of another shape": edited("transcript.json", lambda transcript: transcript.update(segments="none")),
    "JSON that nests too deeply": lambda files: sealed({**files, "project.json": b"[" * 5000 + b"]" * 5000}),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_hostile_or_damaged_is_refused_and_changes_nothing(
    app: Flask, client: FlaskClient, owner: str, media_dir: Path, files: Files, name: str
) -> None:
    store = app.extensions["projectapi"].timelines._inner._revisions.collection
    before = files_below(media_dir), store.estimated_document_count()

    refused = assert_error(send(client, HOSTILE[name](files), **{"X-User-Id": owner}), 400, "invalid_bundle")

    assert "Nothing was imported." in refused["detail"]
    assert (files_below(media_dir), store.estimated_document_count()) == before
    assert assert_success(client.get("/projects", headers={"X-User-Id": owner})) == []


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (millions_of_entries, "more than 16 files"),
        (millions_of_entries_in_a_large_zip, "more than 16 files"),
        (millions_of_entries_behind_a_false_end, "no project bundle"),
    ],
)
def test_a_list_of_very_many_entries_is_not_even_read(
    client: FlaskClient, build: Callable[[Files], bytes], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = build({})
    monkeypatch.setattr("projectapi.bundle.opening.zipfile.ZipFile", lambda _file: pytest.fail("it was read"))

    refused = assert_error(send(client, bundle), 400, "invalid_bundle")

    assert said in refused["detail"]


def test_a_bundle_whose_video_is_none_is_refused(client: FlaskClient, owner: str, media_dir: Path, files: Files) -> None:
    before = files_below(media_dir)

    answer = send(client, sealed({**files, "video/Ferien & mehr.mp4": b"no film"}), **{"X-User-Id": owner})

    assert_error(answer, 400, "invalid_video")
    assert files_below(media_dir) == before
    assert assert_success(client.get("/projects", headers={"X-User-Id": owner})) == []


def test_a_bundle_that_is_larger_than_uploads_may_be_is_refused(client: FlaskClient, media_dir: Path) -> None:
    before = files_below(media_dir)

    answer = client.post("/projects/import", data=bytes(22 * 2**20), content_type="application/zip")

    assert_error(answer, 413, "video_too_large")
    assert files_below(media_dir) == before


def test_what_was_refused_works_once_it_is_mended(client: FlaskClient, files: Files) -> None:
    assert_success(send(client, sealed(files)))
