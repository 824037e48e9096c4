"""Uploads that break off and go on, as files on the disk."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from projectapi import errors
from projectapi.media import resumable
from projectapi.media.resumable import ResumableVideos
from projectapi.media.storage import MediaFolder
from projectapi.media.upload_places import UploadPlaces
from projectapi.protocols import Checksum, UploadPlan
from tests.media_samples import files_in

PLAN = UploadPlan(project_id="p", owner="anna", length=10, original_name="Ferien.mp4", metadata="project_id cA==")


@pytest.fixture
def uploads(folder: MediaFolder) -> ResumableVideos:
    return ResumableVideos(folder, UploadPlaces(2), lifetime_seconds=3600, lock_wait_seconds=0.1)


@pytest.fixture
def begun(uploads: ResumableVideos) -> str:
    return uploads.create(PLAN)


def make_old(folder: MediaFolder, upload_id: str) -> None:
    for path in (folder.root / "uploads" / upload_id / "part", folder.root / "uploads" / upload_id):
        os.utime(path, (0, 0))


def test_what_was_planned_is_what_another_process_finds(folder: MediaFolder, begun: str) -> None:
    another = ResumableVideos(folder, UploadPlaces(1), lifetime_seconds=3600)

    with another.open(begun) as upload:
        assert upload.plan == PLAN
        assert upload.offset == 0
        assert not upload.is_stored


def test_bytes_before_a_break_stay(uploads: ResumableVideos, begun: str) -> None:
    def breaks_off() -> Iterator[bytes]:
        yield b"0123"
        raise errors.UploadIncomplete

    with uploads.open(begun) as upload, pytest.raises(errors.UploadIncomplete):
        upload.append(breaks_off())

    with uploads.open(begun) as upload:
        assert upload.offset == 4
        upload.append([b"456789"])
        assert upload.offset == 10
        assert upload.whole().sha256 == hashlib.sha256(b"0123456789").hexdigest()


def test_bytes_that_all_came_at_once_are_not_read_again_for_their_checksum(
    uploads: ResumableVideos, begun: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with uploads.open(begun) as upload:
        upload.append([b"01234", b"56789"])
        monkeypatch.delattr(hashlib, "file_digest")

        assert upload.whole().sha256 == hashlib.sha256(b"0123456789").hexdigest()


def test_a_server_that_is_killed_over_unchecked_bytes_forgets_them(
    folder: MediaFolder, uploads: ResumableVideos, begun: str
) -> None:
    place = folder.root / "uploads" / begun
    with uploads.open(begun) as upload:
        upload.append([b"012"], Checksum("sha1", hashlib.sha1(b"012").digest()))
    # What a worker leaves that dies before it could compare.
    (place / "unchecked").write_text("3")
    (place / "part").write_bytes(b"012???")

    with uploads.open(begun) as upload:
        assert upload.offset == 3
    assert not (place / "unchecked").exists()


def test_bytes_that_were_checked_are_not_forgotten_when_the_power_fails(
    folder: MediaFolder, uploads: ResumableVideos, begun: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = folder.root / "uploads" / begun
    synced_without_mark = []
    really_sync = resumable.sync_folder

    def sync(path: Path) -> None:
        synced_without_mark.append(path == place and not (place / "unchecked").exists())
        really_sync(path)

    with uploads.open(begun) as upload:
        monkeypatch.setattr(resumable, "sync_folder", sync)
        upload.append([b"012"], Checksum("sha1", hashlib.sha1(b"012").digest()))

        assert synced_without_mark[-1], "the client is told of the bytes next"


def test_nothing_is_cut_off_a_video_that_is_stored(folder: MediaFolder, uploads: ResumableVideos, begun: str) -> None:
    with uploads.open(begun) as upload:
        upload.append([b"0123456789"])
        with upload.whole() as whole:
            path, _ = folder.keep(whole, ".mp4", None)
    (folder.root / "uploads" / begun / "unchecked").write_text("3")

    with uploads.open(begun) as upload:
        assert upload.offset == 10

    assert (folder.root / path).read_bytes() == b"0123456789"


@pytest.mark.parametrize("refusal", [errno.EPERM, errno.EOPNOTSUPP, errno.EACCES, errno.EINVAL, errno.EXDEV])
def test_an_upload_that_was_moved_to_be_stored_and_then_forgotten_is_not_found(
    folder: MediaFolder, uploads: ResumableVideos, begun: str, monkeypatch: pytest.MonkeyPatch, refusal: int
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(refusal, os.strerror(refusal))

    monkeypatch.setattr(os, "link", refuse)
    with uploads.open(begun) as upload:
        upload.append([b"0123456789"])
        with upload.whole() as whole:
            folder.keep(whole, ".mp4", None)

    with pytest.raises(errors.UploadNotFound), uploads.open(begun):
        pass


def test_bytes_are_made_safe_once_however_often_they_are_counted(
    uploads: ResumableVideos, begun: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    really_sync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(descriptor) or really_sync(descriptor))

    with uploads.open(begun) as upload:
        assert [upload.offset for _ in range(3)] == [0] * 3
        assert len(synced) == 1
        upload.append([b"0123"])
        assert [upload.offset for _ in range(3)] == [4] * 3
        assert len(synced) == 2


def test_a_whole_upload_keeps_its_bytes_until_it_is_settled(folder: MediaFolder, uploads: ResumableVideos, begun: str) -> None:
    with uploads.open(begun) as upload:
        upload.append([b"0123456789"])
        with upload.whole() as whole:
            path, _ = folder.keep(whole, ".mp4", None)
        assert (folder.root / path).read_bytes() == b"0123456789"
        assert upload.offset == 10 and not upload.is_stored

        upload.settle()

        assert upload.is_stored and upload.offset == 10
    assert (folder.root / path).read_bytes() == b"0123456789"
    assert f"uploads/{begun}/part" not in files_in(folder)


def test_where_a_file_can_have_one_name_only_it_is_moved(
    folder: MediaFolder, uploads: ResumableVideos, begun: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)

    with uploads.open(begun) as upload:
        upload.append([b"0123456789"])
        with upload.whole() as whole:
            path, _ = folder.keep(whole, ".mp4", None)
        upload.settle()

    assert (folder.root / path).read_bytes() == b"0123456789"


def test_an_old_upload_becomes_a_young_file(folder: MediaFolder, uploads: ResumableVideos, begun: str) -> None:
    # Else a sweep could take it before the record names it.
    with uploads.open(begun) as upload:
        upload.append([b"0123456789"])
        os.utime(folder.root / "uploads" / begun / "part", (0, 0))
        with upload.whole() as whole:
            folder.keep(whole, ".mp4", None)

    assert folder.sweep(set(), 3600) == []


def test_one_request_at_a_time(uploads: ResumableVideos, begun: str) -> None:
    with uploads.open(begun) as held:
        assert not held.is_wanted_elsewhere()
        with pytest.raises(errors.UploadLocked), uploads.open(begun):
            pass
        assert held.is_wanted_elsewhere()

    with uploads.open(begun) as next_one:
        assert not next_one.is_wanted_elsewhere()


def test_a_discarded_upload_is_gone(folder: MediaFolder, uploads: ResumableVideos, begun: str) -> None:
    with uploads.open(begun) as upload:
        upload.discard()

    with pytest.raises(errors.UploadNotFound), uploads.open(begun):
        pass
    assert files_in(folder) == []


@pytest.mark.parametrize("upload_id", ["", "..", "../videos", "0" * 32, "x" * 32])
def test_what_is_no_upload_is_not_found(uploads: ResumableVideos, begun: str, upload_id: str) -> None:
    with pytest.raises(errors.UploadNotFound), uploads.open(upload_id):
        pass


def test_a_sweep_takes_what_was_left_alone_and_spares_what_is_in_use(
    folder: MediaFolder, uploads: ResumableVideos, begun: str
) -> None:
    old, held = uploads.create(PLAN), uploads.create(PLAN)
    # A worker that was killed when the upload had hardly begun.
    hardly_begun = folder.root / "uploads" / ("0" * 32)
    hardly_begun.mkdir()
    os.utime(hardly_begun, (0, 0))
    (folder.root / "uploads" / "README.txt").write_text("not ours")
    with uploads.open(held):
        for upload_id in (old, held):
            make_old(folder, upload_id)
        expected = sorted([f"uploads/{hardly_begun.name}", f"uploads/{old}"])

        assert uploads.sweep(dry_run=True) == expected
        assert uploads.sweep() == expected

    assert {path.name for path in (folder.root / "uploads").iterdir()} == {begun, held, "README.txt"}


def test_an_expired_upload_is_gone_before_the_sweep_comes(folder: MediaFolder, uploads: ResumableVideos, begun: str) -> None:
    make_old(folder, begun)

    with pytest.raises(errors.UploadExpired), uploads.open(begun):
        pass

    assert files_in(folder) == []


def test_a_sweep_of_nothing_finds_nothing(tmp_path: Path) -> None:
    nothing = ResumableVideos(MediaFolder(tmp_path / "not yet", 1000), UploadPlaces(1), lifetime_seconds=3600)

    assert nothing.sweep() == []


def test_on_a_full_disk_a_request_still_waits_for_an_upload_that_another_one_holds(
    uploads: ResumableVideos, begun: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with uploads.open(begun):
        monkeypatch.setattr(Path, "touch", refuse)

        with pytest.raises(errors.UploadLocked), uploads.open(begun):
            pass
