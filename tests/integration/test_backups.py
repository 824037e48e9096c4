"""Backups: everything is in them, nothing damaged passes for whole, and restoring may be killed anywhere."""

from __future__ import annotations

import os
import random
import resource
import secrets
import shutil
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import bson
import pytest
from click.testing import Result
from flask import Flask
from pymongo.database import Database
from pymongo.errors import AutoReconnect, OperationFailure

from config import Config
from projectapi import backup, create_app
from projectapi.backup.archive import ArchiveReader, ArchiveWriter
from projectapi.backup.checking import check
from projectapi.protocols import BackupProblem
from projectapi.stores import backup_target
from projectapi.stores.backup_source import MongoBackupSource, missing_revisions
from tests.harness.backup_world import answers, fill, running_app

ROOT = Path(__file__).parents[2]
PROJECTS = int(os.environ.get("BACKUP_PROJECTS", "40"))


def no_progress(_done: int, _total: int) -> None:
    """Show nothing."""


def run(app: Flask, *words: str) -> Result:
    return app.test_cli_runner().invoke(args=("backup", *words))


def done(app: Flask, *words: str) -> str:
    result = run(app, *words)
    assert result.exit_code == 0, result.output
    return result.output


def archives(app: Flask) -> list[Path]:
    folder: Path = app.config["PROJECTAPI"].backup_dir
    return sorted(folder.glob("*.zip"))


@pytest.fixture
def app(mongodb_uri: str, tmp_path: Path) -> Iterator[Flask]:
    """An application with a database and folders of its own."""
    with running_app(mongodb_uri, f"test_{secrets.token_hex(6)}", tmp_path) as app:
        yield app


def drop(app: Flask) -> None:
    """Lose the database and all videos."""
    backend = app.extensions["projectapi"]
    settings = app.config["PROJECTAPI"]
    backend.backups._target_of(settings.mongodb_database)._database.client.drop_database(settings.mongodb_database)
    shutil.rmtree(settings.media_dir, ignore_errors=True)


def test_what_was_lost_comes_back_byte_for_byte(app: Flask) -> None:
    client = app.test_client()
    ids = fill(client, PROJECTS)
    before = answers(client, ids)
    done(app, "create", "--videos")
    drop(app)
    assert client.get(f"/projects/{ids[0]}").status_code == 404

    output = done(app, "restore", str(archives(app)[0]))

    assert f"{PROJECTS} projects" in output
    assert answers(client, ids) == before
    status = app.test_cli_runner().invoke(args=("db", "status"))
    assert (status.exit_code, status.output.splitlines()[-1]) == (0, "Everything is in place.")


def test_any_flipped_byte_is_found_and_nothing_is_restored_from_it(app: Flask) -> None:
    ids = fill(app.test_client(), 3, videos=1)
    done(app, "create", "--videos")
    [archive] = archives(app)
    whole, chance = archive.read_bytes(), random.Random(3)
    verify, before = app.extensions["projectapi"].backups.verify, answers(app.test_client(), ids)
    ends = [*range(0, 60), *range(len(whole) - 400, len(whole))]

    for place in [*ends, *(chance.randrange(len(whole)) for _ in range(200))]:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << chance.randrange(8)
        archive.write_bytes(damaged)
        with pytest.raises(BackupProblem):
            verify(archive, no_progress)

    refused = run(app, "restore", str(archive), "--force")
    assert (refused.exit_code, "is damaged" in refused.output) == (1, True)
    assert answers(app.test_client(), ids) == before


@pytest.mark.parametrize("wrong", [b"", b"PK", b"no archive at all" * 100])
def test_what_is_no_archive_is_said_to_be_none(app: Flask, wrong: bytes, tmp_path: Path) -> None:
    file = tmp_path / "wrong.zip"
    file.write_bytes(wrong)

    result = run(app, "verify", str(file))

    assert result.exit_code == 1
    assert "Do not rely on it: wrong.zip is damaged" in result.output


def test_an_archive_that_was_cut_or_added_to_is_damaged(app: Flask) -> None:
    done(app, "create")
    [archive] = archives(app)
    whole = archive.read_bytes()

    for changed in (whole[:-1], whole[: len(whole) // 2], whole + b"\0"):
        archive.write_bytes(changed)
        assert "is damaged" in run(app, "verify", archive.name).output


def test_an_archive_is_verified_where_there_is_no_database(app: Flask, tmp_path: Path) -> None:
    fill(app.test_client(), 2, videos=0)
    done(app, "create")
    config = Config(app_env="production", mongodb_uri="mongodb://127.0.0.1:1/", backup_dir=tmp_path / "backups")
    elsewhere = create_app(config)

    output = done(elsewhere, "verify", archives(app)[0].name)

    assert "is whole: 2 projects" in output


def test_an_archive_whose_seal_was_renewed_but_which_lacks_history_is_not_relied_on(app: Flask, tmp_path: Path) -> None:
    fill(app.test_client(), 6, videos=0)
    done(app, "create")
    forgery = tmp_path / "forged.zip"
    with ArchiveReader(archives(app)[0]) as reader:
        writer = ArchiveWriter(forgery)
        for member in reader.members:
            documents = [] if member.name.startswith("timeline_states/") else reader.documents(member)
            writer.add_documents(member.name.removesuffix(".bson.zst"), documents)
        writer.finish({name: value for name, value in reader.manifest.items() if name != "members"})

    assert "lacks a part of its history" in run(app, "verify", str(forgery)).output


def forged(original: Path, forgery: Path, **lies: Any) -> Path:
    """Seal an archive with the documents of another one and a manifest that lies."""
    with ArchiveReader(original) as reader:
        writer = ArchiveWriter(forgery)
        for member in reader.members:
            writer.add_documents(member.name.removesuffix(".bson.zst"), reader.documents(member))
        told = {name: value for name, value in reader.manifest.items() if name != "members"}
        writer.finish({**told, **lies})
    return forgery


@pytest.mark.parametrize(
    "lies",
    [
        {"collections": {}},
        {"collections": []},
        {"damaged": None},
        {"lostFiles": [["a list"]]},
        {"projects": 1},
        {"revisions": "many"},
    ],
)
def test_an_archive_whose_seal_was_renewed_but_whose_manifest_lies_is_not_relied_on(
    app: Flask, tmp_path: Path, lies: dict[str, Any]
) -> None:
    fill(app.test_client(), 2, videos=0)
    done(app, "create")

    refused = run(app, "verify", str(forged(archives(app)[0], tmp_path / "forged.zip", **lies)))

    assert (refused.exit_code, "Do not rely on it: forged.zip" in refused.output) == (1, True)


def test_documents_that_are_none_are_not_relied_on(app: Flask, tmp_path: Path) -> None:
    done(app, "create")
    with ArchiveReader(archives(app)[0]) as reader:
        told = {name: value for name, value in reader.manifest.items() if name != "members"}
    for number, document in enumerate([b"\x05\0\0\0x", b"\xff\xff\xff\x7f", bson.encode({"name": "No project"})]):
        forgery = tmp_path / f"forged{number}.zip"
        writer = ArchiveWriter(forgery)
        writer.add_documents("projects/000001", [document])
        writer.finish(told)

        refused = run(app, "verify", str(forgery))

        assert (refused.exit_code, "Do not rely on it: forged" in refused.output) == (1, True)


def test_what_unpacks_to_very_much_is_read_in_little_memory(tmp_path: Path) -> None:
    document = bson.encode({"text": "0" * (15 << 20)})
    writer = ArchiveWriter(tmp_path / "bomb.zip")
    member = writer.add_documents("notes/000001", (document for _ in range(10)))
    writer.finish({"collections": {}})
    assert member.bytes < 100_000
    tracemalloc.start()

    with ArchiveReader(tmp_path / "bomb.zip") as reader:
        assert sum(1 for _ in reader.documents(reader.members[0])) == 10

    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5 * len(document)


def test_a_thumbnail_that_is_not_there_is_missed(app: Flask, tmp_path: Path) -> None:
    fill(app.test_client(), 2, videos=1)
    done(app, "create", "--videos")
    with ArchiveReader(archives(app)[0]) as reader:
        writer = ArchiveWriter(tmp_path / "forged.zip")
        for member in reader.members:
            if member.documents is not None:
                writer.add_documents(member.name.removesuffix(".bson.zst"), reader.documents(member))
            elif "thumb_" not in member.name:
                writer.add_file(member.name, reader.chunks(member))
        writer.finish({name: value for name, value in reader.manifest.items() if name != "members"})

    assert "the file thumbnails/" in run(app, "verify", str(tmp_path / "forged.zip")).output


def test_a_database_with_something_in_it_is_left_alone_unless_forced(app: Flask) -> None:
    client = app.test_client()
    ids = fill(client, 3, videos=0)
    done(app, "create")
    before = answers(client, ids)
    client.put(f"/projects/{ids[0]}", json={"name": "Later"})
    later = answers(client, ids)

    refused = run(app, "restore", archives(app)[0].name)

    assert (refused.exit_code, "is not empty, so nothing was changed" in refused.output) == (1, True)
    assert answers(client, ids) == later
    done(app, "restore", archives(app)[0].name, "--force")
    assert answers(client, ids) == before


def test_another_database_is_filled_beside_the_first(app: Flask, mongodb_uri: str, tmp_path: Path) -> None:
    client = app.test_client()
    ids = fill(client, 5, videos=1)
    done(app, "create", "--videos")
    before = answers(client, ids)
    name = f"test_{secrets.token_hex(6)}"

    done(app, "restore", archives(app)[0].name, "--database", name)

    with running_app(mongodb_uri, name, tmp_path) as other:
        assert answers(other.test_client(), ids) == before
        assert shape(other, name) == shape(app, app.config["PROJECTAPI"].mongodb_database)


def test_collections_of_others_come_back_with_their_indexes(app: Flask) -> None:
    backups, name = app.extensions["projectapi"].backups, app.config["PROJECTAPI"].mongodb_database
    notes = backups._target_of(name)._database["notes"]
    notes.insert_one({"text": "Hello"})
    notes.create_index([("on", 1)], name="unseen", hidden=True, sparse=True)
    before = shape(app, name)["notes"]
    done(app, "create")

    done(app, "restore", archives(app)[0].name, "--force")

    assert shape(app, name)["notes"] == before
    assert notes.count_documents({}) == 1


@pytest.mark.parametrize("name", ["", "a/b", "x" * 39, "admin.users", "$x"])
def test_a_database_must_have_a_proper_name(app: Flask, name: str) -> None:
    done(app, "create")

    result = run(app, "restore", archives(app)[0].name, "--database", name or " ")

    assert "is no name of a database" in result.output


def test_a_restore_that_is_killed_is_recognised_and_begun_anew(app: Flask, mongodb_uri: str, tmp_path: Path) -> None:
    client = app.test_client()
    ids = fill(client, 12, videos=1)
    done(app, "create", "--videos")
    before, name = answers(client, ids), f"test_{secrets.token_hex(6)}"
    arguments = [mongodb_uri, name, str(tmp_path), str(archives(app)[0])]
    command = [sys.executable, "-m", "tests.harness.dying_restorer", *arguments]

    with running_app(mongodb_uri, name, tmp_path) as other:
        for death in (12, 18, 24):
            died = subprocess.run([*command, str(death)], cwd=ROOT, capture_output=True, text=True, timeout=120)
            assert died.returncode == -9, died.stdout + died.stderr
            assert "was cut off: run `flask backup restore`" in other.test_cli_runner().invoke(args=("db", "status")).output
            assert other.test_client().get("/projects/").get_json()["code"] == "restore_under_way"

        output = done(other, "restore", str(archives(app)[0]))

        assert "An earlier restore" in output
    with running_app(mongodb_uri, name, tmp_path) as other:
        done(other, "restore", str(archives(app)[0]))
        assert answers(other.test_client(), ids) == before


def test_a_restore_gives_way_to_one_that_was_begun_later(app: Flask) -> None:
    done(app, "create")
    with ArchiveReader(archives(app)[0]) as reader:
        manifest = reader.manifest
    backups, name = app.extensions["projectapi"].backups, app.config["PROJECTAPI"].mongodb_database
    first, second = backups._target_of(name), backups._target_of(name)
    first.begin("first.zip", manifest["collections"])

    second.begin("second.zip", manifest["collections"])

    with pytest.raises(BackupProblem, match="has stopped"):
        first.put("projects", [bson.encode({"_id": 1})])
    with pytest.raises(BackupProblem, match="has stopped"):
        first.finish()
    second.finish()
    assert (second.interrupted(), second.has_documents([])) == (None, False)


@pytest.mark.parametrize("begun", ["before the backup", "while it is made"])
def test_what_is_half_restored_is_not_taken_for_a_backup_and_costs_no_older_one(
    app: Flask, monkeypatch: pytest.MonkeyPatch, begun: str
) -> None:
    fill(app.test_client(), 3, videos=0)
    done(app, "create")
    [good] = archives(app)
    target = app.extensions["projectapi"].backups._target_of(app.config["PROJECTAPI"].mongodb_database)
    with ArchiveReader(good) as reader:
        collections = reader.manifest["collections"]
    if begun == "before the backup":
        target.begin(good.name, collections)
    else:
        monkeypatch.setattr(MongoBackupSource, "count_projects", lambda _self: target.begin(good.name, collections) or 3)

    refused = run(app, "create", "--keep", "1")

    assert (refused.exit_code, "finish that first" in refused.output) == (1, True)
    assert archives(app) == [good]


def test_a_restore_that_is_overtaken_at_its_end_does_not_call_the_other_one_finished(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    done(app, "create")
    with ArchiveReader(archives(app)[0]) as reader:
        collections = reader.manifest["collections"]
    backups, name = app.extensions["projectapi"].backups, app.config["PROJECTAPI"].mongodb_database
    first, second = backups._target_of(name), backups._target_of(name)
    first.begin("first.zip", collections)

    def overtake(_database: Any, _timeline: Any) -> list[str]:
        second.begin("second.zip", collections)
        return []

    with monkeypatch.context() as patch:
        patch.setattr(backup_target, "set_up", overtake)
        with pytest.raises(BackupProblem, match="has stopped"):
            first.finish()

    assert second.interrupted() == "second.zip"
    second.finish()
    assert second.interrupted() is None


def test_a_connection_that_breaks_while_a_collection_is_made_does_not_stop_a_restore(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = fill(app.test_client(), 2, videos=0)
    done(app, "create")
    create, broken = Database.create_collection, []

    def create_and_break(database: Database[Any], name: str, **options: Any) -> Any:
        if name in database.list_collection_names():
            # As older servers do, also for one of the same options.
            raise OperationFailure("a collection of this name exists already", 48)
        made = create(database, name, **options)
        if name == "projects" and not broken:
            broken.append(name)
            raise AutoReconnect("the answer got lost on the way")
        return made

    before = answers(app.test_client(), ids)
    drop(app)
    monkeypatch.setattr(Database, "create_collection", create_and_break)

    done(app, "restore", archives(app)[0].name)

    assert broken == ["projects"]
    assert answers(app.test_client(), ids, videos=False) == {k: v for k, v in before.items() if "/media/" not in k}


def test_an_archive_is_written_and_checked_in_little_memory_whatever_its_size(tmp_path: Path) -> None:
    chance = random.Random(11)
    tracemalloc.start()

    writer = ArchiveWriter(tmp_path / "large.zip")
    writer.add_documents("notes/000001", (bson.encode({"note": chance.randbytes(1 << 20)}) for _ in range(60)))
    writer.add_file("media/videos/film.mp4", (chance.randbytes(1 << 20) for _ in range(40)))
    told = {"collections": {"notes": {}}, "projects": 0, "revisions": 0, "files": 1, "damaged": [], "lostFiles": []}
    writer.finish(told)
    check(tmp_path / "large.zip", missing_revisions, no_progress)

    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (tmp_path / "large.zip").stat().st_size > 100 << 20
    assert peak < 12 << 20


def test_old_archives_of_this_database_go_and_nothing_else(app: Flask, tmp_path: Path) -> None:
    folder = tmp_path / "archives"
    folder.mkdir()
    name = app.config["PROJECTAPI"].mongodb_database
    old = [folder / f"{name}-2025010{day}T000000Z.zip" for day in range(1, 6)]
    others = [folder / "another-20250101T000000Z.zip", folder / "notes.txt", folder / f"{name}-mine.zip"]
    left_by_a_killed_one = folder / f"{name}-20250101T000000Z.zip.part"
    for file in (*old, *others, left_by_a_killed_one):
        file.touch()

    done(app, "create", str(folder), "--keep", "2")

    kept = {file.name for file in folder.iterdir()}
    assert {file.name for file in others} <= kept
    assert len(kept) == len(others) + 2
    assert old[-1].name in kept


def test_a_backup_that_fails_leaves_nothing(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(app.test_client(), 2, videos=0)
    monkeypatch.setattr(MongoBackupSource, "count_projects", lambda _self: 1 / 0)

    assert run(app, "create").exit_code == 1

    assert list(app.config["PROJECTAPI"].backup_dir.iterdir()) == []


def test_a_backup_for_which_the_disk_has_no_room_leaves_nothing(app: Flask) -> None:
    fill(app.test_client(), 2, videos=2)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        refused = run(app, "create", "--videos")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    assert (refused.exit_code, "could not be written into" in refused.output) == (1, True)
    assert list(app.config["PROJECTAPI"].backup_dir.iterdir()) == []


def test_archives_are_listed_with_what_is_in_them(app: Flask) -> None:
    assert done(app, "list") == "0 archives.\n"
    fill(app.test_client(), 3, videos=0)
    done(app, "create")
    (app.config["PROJECTAPI"].backup_dir / "broken.zip").write_bytes(b"broken")

    listed = [line.split() for line in done(app, "list").splitlines()]

    assert listed[0][:2] == ["archive", "made"]
    assert {row[0] for row in listed[1:3]} == {archives(app)[0].name, archives(app)[1].name}
    assert any("damaged." in row for row in listed)


def test_the_archive_is_for_its_owner_alone(app: Flask) -> None:
    done(app, "create")

    assert archives(app)[0].stat().st_mode & 0o077 == 0


def test_a_video_that_is_lost_is_named_and_all_the_rest_is_kept(app: Flask) -> None:
    fill(app.test_client(), 2, videos=2)
    media = app.config["PROJECTAPI"].media_dir
    lost = next((media / "videos").iterdir())
    lost.unlink()

    made = run(app, "create", "--videos")

    assert made.exit_code == 3
    assert f"WARNING: these media files are missing or not as they were stored: videos/{lost.name}" in made.output
    assert "2 projects" in done(app, "verify", archives(app)[0].name)


def test_the_last_archive_that_has_a_lost_video_is_kept_however_many_come_after_it(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a whole archive, and then a video that is lost
    fill(app.test_client(), 2, videos=2)
    days = (datetime(2026, 11, day, tzinfo=UTC) for day in range(1, 30))
    monkeypatch.setattr(backup, "now", lambda: next(days))
    done(app, "create", "--videos")
    [whole] = archives(app)
    video = next((app.config["PROJECTAPI"].media_dir / "videos").iterdir())
    content = video.read_bytes()
    video.unlink()

    # When the nightly backups go on
    for _ in range(3):
        assert run(app, "create", "--videos", "--keep", "2").exit_code == 3

    # Then it is there besides the two newest, until the video is back
    assert len(archives(app)) == 3
    assert archives(app)[0] == whole
    video.write_bytes(content)
    done(app, "create", "--videos", "--keep", "2")
    assert (len(archives(app)), whole.exists()) == (2, False)


def shape(app: Flask, name: str) -> dict[str, Any]:
    """Return the collections of a database with their validators and indexes."""
    target = app.extensions["projectapi"].backups._target_of(name)
    source = app.extensions["projectapi"].backups._source
    return dict(type(source)(target._database, target._retry, target._info).collections())


@contextmanager
def unprivileged() -> Iterator[None]:
    """Be another user than root, whom no rights keep from anything."""
    was = os.geteuid()
    if was == 0:
        os.seteuid(10001)
    try:
        yield
    finally:
        os.seteuid(was)


def test_a_folder_of_somebody_else_is_refused_and_the_doctor_saw_it_before(
    app: Flask, tmp_path: Path
) -> None:
    (tmp_path / "backups").mkdir(mode=0o555)

    with unprivileged():
        doctor, refused = app.test_cli_runner().invoke(args=("doctor",)), run(app, "create")

    assert "WARN  backups         BACKUP_DIR cannot be written to" in doctor.output
    assert refused.exit_code == 1
    assert "The backup was not made: " in refused.output
    assert archives(app) == []
