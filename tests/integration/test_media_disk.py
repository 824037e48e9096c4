"""The disk with the videos: whether it still is the one that the database knows, and what is missing on it."""

from __future__ import annotations

import errno
import logging
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from flask import Flask
from pymongo import MongoClient
from pymongo.errors import AutoReconnect

from config import Config
from projectapi import create_app
from projectapi.errors import ProjectApiError
from projectapi.media import disk_notice
from projectapi.media.disk_marker import MARKER, MarkerFile
from projectapi.protocols import Backend, DiskState, Mark, MediaDisk
from tests.contract.calls import create_project, upload
from tests.harness.whole_app import wait_for
from tests.media_samples import small_mp4_bytes

OTHER_DISK = "0" * 32


@pytest.fixture
def media_dir(tmp_path: Path) -> Path:
    return tmp_path / "media"


@pytest.fixture
def app(mongodb_uri: str, media_dir: Path) -> Iterator[Flask]:
    """An application with a database and a disk of its own."""
    with app_on(mongodb_uri, media_dir) as app:
        yield app


@pytest.fixture
def second(mongodb_uri: str, media_dir: Path) -> Iterator[Flask]:
    """An application with another database, which was pointed at the same disk."""
    with app_on(mongodb_uri, media_dir) as app:
        yield app


@contextmanager
def app_on(mongodb_uri: str, media_dir: Path) -> Iterator[Flask]:
    name = f"test_{secrets.token_hex(6)}"
    config = Config(
        app_env="testing",
        mongodb_uri=mongodb_uri,
        mongodb_database=name,
        media_dir=media_dir,
        backup_dir=media_dir.parent / "backups",
        log_level="ERROR",
    )
    with MongoClient[dict[str, Any]](mongodb_uri, tz_aware=True) as client:
        app = create_app(config, mongo_client=client)
        app.extensions["projectapi"].schema.set_up()
        yield app
        client.drop_database(name)


@pytest.fixture
def parts(app: Flask) -> Backend:
    backend = app.extensions["projectapi"]
    assert isinstance(backend, Backend)
    return backend


@pytest.fixture
def film(app: Flask) -> str:
    """A project with a video."""
    client = app.test_client()
    project_id = create_project(client, "Film")
    upload(client, project_id, small_mp4_bytes())
    return project_id


def run(app: Flask, *words: str) -> Result:
    return command(app, "media", *words)


def command(app: Flask, *words: str) -> Result:
    return app.test_cli_runner().invoke(args=list(words))


def stray_video(media_dir: Path, days: int = 2) -> Path:
    path = media_dir / "videos" / "00000000-0000-0000-0000-000000000000.mp4"
    path.write_bytes(b"nobody's")
    os.utime(path, (time.time() - days * 86400,) * 2)
    return path


def lose_the_mark(parts: Backend, media_dir: Path) -> None:
    """Have a disk that the database does not know, as after another one was mounted."""
    parts.media_disk.mark_new()
    (media_dir / MARKER).unlink()


def path_of(app: Flask, project_id: str, media_dir: Path) -> Path:
    record = app.test_client().get(f"/projects/{project_id}/debug").get_json()["data"]["video"]
    return media_dir / str(record["path"])


def messages(caplog: pytest.LogCaptureFixture) -> str:
    return "\n".join(record.getMessage() for record in caplog.records)


@pytest.fixture
def notices(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    logger = logging.getLogger("projectapi")
    logger.addHandler(caplog.handler)
    logger.setLevel(logging.INFO)
    yield caplog
    logger.removeHandler(caplog.handler)


def test_a_command_marks_no_disk(app: Flask, parts: Backend, media_dir: Path) -> None:
    # It may run where the disk is not mounted.
    assert run(app, "check").exit_code == 0
    assert parts.media_disk.state() == DiskState.NEW
    assert not media_dir.exists()


def test_the_first_server_marks_disk_and_database_and_the_next_ones_know_it(parts: Backend, media_dir: Path) -> None:
    for _ in range(3):
        parts.media_disk.mark_new()
        assert parts.media_disk.state() == DiskState.KNOWN
    assert (media_dir / MARKER).is_file()
    assert [path.name for path in media_dir.iterdir()] == [MARKER]


def test_a_wiped_disk_is_known_as_such_at_every_look(parts: Backend, media_dir: Path) -> None:
    parts.media_disk.mark_new()
    shutil.rmtree(media_dir)

    assert [parts.media_disk.state() for _ in range(2)] == [DiskState.WIPED] * 2


def test_the_mark_of_another_disk_is_told_from_none(parts: Backend, media_dir: Path) -> None:
    lose_the_mark(parts, media_dir)
    MarkerFile(media_dir).make(Mark(OTHER_DISK, "projectapi"))

    assert parts.media_disk.state() == DiskState.ANOTHER


def test_a_mark_that_nobody_can_read_is_none(parts: Backend, media_dir: Path) -> None:
    parts.media_disk.mark_new()
    (media_dir / MARKER).write_text("disk of my own\n")

    assert parts.media_disk.state() == DiskState.WIPED


def test_many_that_mark_a_disk_at_once_agree(media_dir: Path) -> None:
    marker = MarkerFile(media_dir)

    def make(number: int) -> Mark | None:
        marker.make(Mark(f"{number:032x}", "projectapi"))
        return marker.read()

    with ThreadPoolExecutor(8) as threads:
        marks = set(threads.map(make, range(16)))

    assert len(marks) == 1
    assert [path.name for path in media_dir.iterdir()] == [MARKER]


def test_many_servers_that_start_at_once_on_one_disk_agree(parts: Backend) -> None:
    def start(_: int) -> DiskState:
        parts.media_disk.mark_new()
        return parts.media_disk.state()

    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(start, range(16))) == {DiskState.KNOWN}


def test_a_start_on_a_wiped_disk_says_what_to_do(
    parts: Backend, media_dir: Path, notices: pytest.LogCaptureFixture
) -> None:
    parts.announce_disk()
    assert messages(notices) == ""
    shutil.rmtree(media_dir)

    parts.announce_disk()

    assert "was wiped" in messages(notices)
    assert "uploaded again" in messages(notices)


def test_readiness_says_that_the_disk_was_wiped_and_still_takes_work(app: Flask, media_dir: Path) -> None:
    def videos() -> dict[str, str]:
        response = app.test_client().get("/health/ready")
        assert response.status_code == 200
        found: dict[str, str] = response.get_json()["checks"]["videos"]
        return found

    # On a busy machine the first look may take longer than readiness waits for it.
    wait_for(lambda: videos()["state"] == "healthy", 10, "the disk to be looked at")
    shutil.rmtree(media_dir)

    wait_for(lambda: videos()["state"] == "degraded", 10, "the disk to be looked at again")
    after = videos()
    assert after["disk"] == "wiped"
    assert "uploaded again" in after["advice"]


def test_a_start_without_the_database_says_that_nothing_can_be_told(
    parts: Backend, notices: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> None:
        raise AutoReconnect("gone")

    monkeypatch.setattr("pymongo.collection.Collection.find_one", away)

    parts.announce_disk()

    assert "cannot be told now" in messages(notices)


@pytest.mark.parametrize(
    ("host", "mounted", "said"),
    [("heroku", True, 1), ("heroku", False, 1), ("render", False, 1), ("render", True, 0), ("", False, 0)],
)
def test_a_host_that_deletes_its_disk_is_warned_of_once(
    parts: Backend,
    media_dir: Path,
    notices: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    host: str,
    mounted: bool,
    said: int,
) -> None:
    monkeypatch.setattr(disk_notice, "is_mounted", lambda folder: mounted)

    disk_notice.announce_disk(parts.media_disk, media_dir, on_heroku=host == "heroku", on_render=host == "render")

    assert messages(notices).count("deletes its disk at every restart") == said


def test_a_folder_of_the_system_disk_is_not_mounted() -> None:
    assert disk_notice.is_mounted(Path("/dev/shm/films")) == os.path.ismount("/dev/shm")
    assert not disk_notice.is_mounted(Path("/nowhere/at/all"))


def test_a_check_finds_nothing_wrong_where_nothing_is(app: Flask, film: str) -> None:
    result = run(app, "check", "--hashes")

    assert result.exit_code == 0
    assert "Videos that must be uploaded again: 0" in result.output


def test_a_check_names_videos_that_are_gone(
    app: Flask, parts: Backend, film: str, media_dir: Path
) -> None:
    parts.media_disk.mark_new()
    path_of(app, film, media_dir).unlink()

    result = run(app, "check")

    assert result.exit_code == 1
    assert f"{film}  Film" in result.output
    assert "the file is gone" in result.output


def test_a_changed_file_shows_when_hashes_are_compared(app: Flask, film: str, media_dir: Path) -> None:
    path = path_of(app, film, media_dir)
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))

    assert run(app, "check").exit_code == 0
    result = run(app, "check", "--hashes")

    assert result.exit_code == 1
    assert "not the one that was stored" in result.output


def test_the_trash_is_checked_too(app: Flask, film: str, media_dir: Path) -> None:
    path = path_of(app, film, media_dir)
    app.test_client().delete(f"/projects/{film}")
    path.unlink()

    assert "in the trash" in run(app, "check").output


def test_a_sweep_first_only_says_what_would_go(app: Flask, film: str, media_dir: Path) -> None:
    stray = stray_video(media_dir)

    said = run(app, "sweep")
    assert (said.exit_code, stray.exists()) == (0, True)
    assert f"videos/{stray.name}" in said.output and "Would be deleted: 1" in said.output

    done = run(app, "sweep", "--delete")
    assert (done.exit_code, stray.exists()) == (0, False)
    assert "Deleted: 1" in done.output
    assert run(app, "check", "--hashes").exit_code == 0


def test_nothing_is_deleted_on_a_disk_that_the_database_does_not_know(
    app: Flask, parts: Backend, film: str, media_dir: Path
) -> None:
    lose_the_mark(parts, media_dir)
    stray = stray_video(media_dir)

    refused = run(app, "sweep", "--delete")
    command(app, "db", "sweep")

    assert refused.exit_code == 1
    assert stray.exists()
    assert run(app, "check").exit_code == 1


def test_a_disk_that_was_accepted_is_known_and_swept(
    app: Flask, parts: Backend, film: str, media_dir: Path
) -> None:
    lose_the_mark(parts, media_dir)
    stray = stray_video(media_dir)

    result = run(app, "sweep", "--delete", "--accept-disk")

    assert (result.exit_code, stray.exists()) == (0, False)
    assert run(app, "check").exit_code == 0


def disk_of(app: Flask) -> MediaDisk:
    disk: MediaDisk = app.extensions["projectapi"].media_disk
    return disk


def film_in(app: Flask, name: str) -> str:
    project_id = create_project(app.test_client(), name)
    upload(app.test_client(), project_id, small_mp4_bytes())
    return project_id


def test_a_disk_belongs_to_the_database_that_marked_it(app: Flask, second: Flask, media_dir: Path) -> None:
    for served in (app, second, app, second):
        disk_of(served).mark_new()

    assert [disk_of(served).state() for served in (app, second)] == [DiskState.KNOWN, DiskState.ANOTHER]
    assert app.config["PROJECTAPI"].mongodb_database in (media_dir / MARKER).read_text()


def test_of_two_databases_that_find_a_fresh_disk_at_once_one_gets_it(app: Flask, second: Flask) -> None:
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda number: disk_of((app, second)[number % 2]).mark_new(), range(16)))

    states = [disk_of(served).state() for served in (app, second)]
    assert states.count(DiskState.KNOWN) == 1


def test_a_mark_that_could_not_be_made_is_made_at_the_next_start(
    parts: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as full, pytest.raises(ProjectApiError):
        full.setattr("os.link", raising(OSError(errno.ENOSPC, "full")))
        parts.media_disk.mark_new()
    assert parts.media_disk.state() == DiskState.NEW

    parts.media_disk.mark_new()

    assert parts.media_disk.state() == DiskState.KNOWN


def raising(error: Exception) -> Callable[..., None]:
    def fail(*_: object) -> None:
        raise error

    return fail


@pytest.mark.parametrize(
    "words", [("db", "sweep"), ("media", "sweep", "--delete"), ("trash", "purge", "--older-than", "0h")], ids=" ".join
)
def test_no_command_deletes_files_on_the_disk_of_another_database(
    app: Flask, second: Flask, media_dir: Path, words: tuple[str, ...]
) -> None:
    # Given a disk with a video of its own database, and one of a database that was pointed at it later
    disk_of(app).mark_new()
    first, other = film_in(app, "Film"), film_in(second, "Another film")
    files = [path_of(app, first, media_dir), path_of(second, other, media_dir)]
    for file in files:
        os.utime(file, (time.time() - 2 * 86400,) * 2)
    second.test_client().delete(f"/projects/{other}")

    # When the later one clears up
    result = command(second, *words)

    # Then that is refused with the owner's name, and nothing is gone, of the trash neither
    assert result.exit_code == 1
    assert f"belongs to the database {app.config['PROJECTAPI'].mongodb_database}" in result.output
    assert all(file.exists() for file in files)
    assert other in command(second, "trash", "list").output


def test_a_replaced_video_stays_on_the_disk_of_another_database(app: Flask, second: Flask, media_dir: Path) -> None:
    disk_of(app).mark_new()
    project_id = film_in(second, "Film")
    before = path_of(second, project_id, media_dir)

    upload(second.test_client(), project_id, small_mp4_bytes())

    assert before.exists()
    assert path_of(second, project_id, media_dir) != before


def test_who_takes_a_disk_over_clears_up_there_and_the_owner_before_does_not(
    app: Flask, second: Flask, media_dir: Path
) -> None:
    disk_of(app).mark_new()
    film_in(second, "Film")
    stray = stray_video(media_dir)

    assert run(second, "sweep", "--accept-disk", "--delete").exit_code == 0

    assert not stray.exists()
    assert run(app, "sweep", "--delete").exit_code == 1
    assert [disk_of(served).state() for served in (app, second)] == [DiskState.ANOTHER, DiskState.KNOWN]


def test_a_mark_from_before_that_names_no_database_is_that_of_the_database_that_knows_it(
    app: Flask, parts: Backend, second: Flask, media_dir: Path
) -> None:
    parts.media_disk.mark_new()
    lines = (media_dir / MARKER).read_text().splitlines(keepends=True)
    (media_dir / MARKER).write_text("".join(line for line in lines if not line.startswith("database")))
    disk_of(second).mark_new()

    assert [disk_of(served).state() for served in (app, second)] == [DiskState.KNOWN, DiskState.ANOTHER]
    assert "belongs to another database" in run(second, "sweep", "--delete").output


def test_a_copy_of_the_database_under_another_name_does_not_own_the_disk(app: Flask, second: Flask) -> None:
    # Given what mongodump and mongorestore make, which copy the database's knowledge of its disk as well
    disk_of(app).mark_new()
    databases = [served.extensions["projectapi"].media_disk._metadata for served in (app, second)]
    databases[1].insert_one(databases[0].find_one({"_id": "media disk"}))

    assert [disk_of(served).state() for served in (app, second)] == [DiskState.KNOWN, DiskState.ANOTHER]


def test_a_backup_with_videos_goes_on_the_disk_of_another_database_only_if_that_is_said(
    app: Flask, second: Flask, media_dir: Path
) -> None:
    # Given the guide's careful way back: into a second database, while the first one keeps its disk
    disk_of(app).mark_new()
    film_in(app, "Film")
    assert command(app, "backup", "create", "--videos").exit_code == 0
    [archive] = (media_dir.parent / "backups").glob("*.zip")
    command(second, "db", "init")
    restore = ("backup", "restore", archive.name, "--database", second.config["PROJECTAPI"].mongodb_database)

    # When it is taken
    refused = command(app, *restore)

    # Then nothing has happened until it is said whose the disk is to be
    assert refused.exit_code == 1
    assert f"belongs to the database {app.config['PROJECTAPI'].mongodb_database}" in refused.output
    assert second.test_client().get("/projects").get_json()["data"] == []
    accepted = command(app, *restore, "--accept-disk")
    assert accepted.exit_code == 0, accepted.output
    assert [disk_of(served).state() for served in (app, second)] == [DiskState.ANOTHER, DiskState.KNOWN]
