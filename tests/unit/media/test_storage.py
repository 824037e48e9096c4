"""The media folder: what is served from it, how files come and go, what a sweep takes along."""

from __future__ import annotations

import errno
import io
import os
import time
from pathlib import Path

import pytest

from projectapi import errors
from projectapi.media import storage
from projectapi.media.storage import MediaFolder
from projectapi.project import Video
from tests.media_samples import files_in, stored_video

HOUR = 3600


def make_old(folder: MediaFolder, name: str, seconds: float = 2 * HOUR) -> str:
    moment = time.time() - seconds
    os.utime(folder.root / name, (moment, moment))
    return name


def leave_behind(folder: MediaFolder, name: str) -> str:
    (folder.root / name).write_bytes(b"left behind")
    return make_old(folder, name)


def test_a_kept_video_and_its_thumbnail_share_an_identity(video: Video) -> None:
    identity = Path(video.path).stem

    assert video.path == f"videos/{identity}.mp4"
    assert video.thumbnail_path == f"thumbnails/thumb_{identity}.jpg"


def test_when_the_last_step_of_keeping_fails_nothing_is_kept(folder: MediaFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: Path) -> None:
        if path.name == "videos":
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(storage, "sync_folder", fail)

    with pytest.raises(errors.DiskFull):
        stored_video(folder)

    assert files_in(folder) == []


def test_files_of_videos_and_thumbnails_are_served(folder: MediaFolder, video: Video) -> None:
    assert folder.resolve(video.path).read_bytes() == b"moving pictures"
    assert folder.resolve(video.thumbnail_path or "").read_bytes() == b"a picture"


@pytest.mark.parametrize(
    "name",
    [
        "",
        "videos",
        "videos/",
        "videos/.",
        "videos/..",
        "videos/../secret.txt",
        "../secret.txt",
        "videos/../../secret.txt",
        "/etc/passwd",
        "videos//etc/passwd",
        "videos/.hidden",
        "videos/sub/file.mp4",
        "videos\\x.mp4",
        "videos/..\\secret.txt",
        "videos/none.mp4",
        "videos/nul\0.mp4",
        "videos/" + "x" * 5000,
        "incoming/00000000-0000-0000-0000-000000000000.part",
        "work/run_x/input",
        "secret.txt",
        "videos/link.mp4",
        "videos/folder",
    ],
)
def test_nothing_else_is_served(folder: MediaFolder, name: str) -> None:
    (folder.root / "secret.txt").write_text("secret")
    (folder.root.parent / "secret.txt").write_text("secret")
    (folder.root / "videos/.hidden").write_text("secret")
    (folder.root / "videos/link.mp4").symlink_to(folder.root / "secret.txt")
    (folder.root / "videos/folder").mkdir()
    (folder.root / "videos/sub").mkdir()
    (folder.root / "videos/sub/file.mp4").write_text("secret")
    (folder.root / "incoming/00000000-0000-0000-0000-000000000000.part").write_text("secret")

    with pytest.raises(errors.NotFound):
        folder.resolve(name)


def test_a_served_folder_that_is_a_link_is_refused(folder: MediaFolder, tmp_path: Path) -> None:
    (folder.root / "trimmed").rmdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/file.mp4").write_text("secret")
    (folder.root / "trimmed").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(errors.NotFound):
        folder.resolve("trimmed/file.mp4")


def test_discarding_takes_the_video_its_thumbnail_and_its_trimmed_versions_only(folder: MediaFolder, video: Video) -> None:
    other = stored_video(folder)
    for one in (video, other):
        (folder.root / folder.trimmed_name(one, "0" * 64)).write_bytes(b"trimmed")

    folder.discard(video)

    assert files_in(folder) == sorted([other.path, other.thumbnail_path or "", folder.trimmed_name(other, "0" * 64)])


def test_discarding_twice_does_no_harm(folder: MediaFolder, video: Video) -> None:
    folder.discard(video)
    folder.discard(video)

    assert files_in(folder) == []


def test_a_sweep_takes_old_leftovers_of_every_kind(folder: MediaFolder) -> None:
    identity = "00000000-0000-4000-8000-000000000000"
    leftovers = [
        leave_behind(folder, f"incoming/{identity}.part"),
        leave_behind(folder, f"thumbnails/thumb_{identity}.jpg"),
        leave_behind(folder, f"trimmed/{identity}_{'0' * 64}.mp4"),
        leave_behind(folder, f"videos/{identity}.mkv"),
    ]
    (folder.root / "work/run_abc").mkdir()
    (folder.root / "work/run_abc/output.mp4").write_bytes(b"half")
    make_old(folder, "work/run_abc")

    swept = folder.sweep(set(), HOUR)

    assert swept == [*leftovers, "work/run_abc"]
    assert files_in(folder) == []
    assert list((folder.root / "work").iterdir()) == []


def test_a_sweep_spares_what_is_in_use(folder: MediaFolder, video: Video) -> None:
    names = {make_old(folder, video.path), make_old(folder, video.thumbnail_path or "")}

    assert folder.sweep(names, HOUR) == []
    assert set(files_in(folder)) == names


def test_a_sweep_spares_what_is_young(folder: MediaFolder, video: Video) -> None:
    with folder.new_part() as part, folder.work_folder() as scratch:
        assert folder.sweep(set(), HOUR) == []
        assert part.path.exists()
        assert scratch.exists()
    assert folder.resolve(video.path)


def test_a_sweep_spares_what_is_not_ours(folder: MediaFolder) -> None:
    names = [leave_behind(folder, "videos/README.txt"), leave_behind(folder, "videos/.gitkeep")]

    assert folder.sweep(set(), HOUR) == []
    assert files_in(folder) == sorted(names)


def test_a_rehearsed_sweep_tells_and_leaves(folder: MediaFolder, video: Video) -> None:
    make_old(folder, video.path)

    assert folder.sweep(set(), HOUR, dry_run=True) == [video.path]
    assert folder.resolve(video.path)


def test_a_scratch_folder_is_gone_after_an_error(folder: MediaFolder) -> None:
    with pytest.raises(RuntimeError), folder.work_folder() as scratch:
        (scratch / "half").write_bytes(b"half")
        raise RuntimeError

    assert not scratch.exists()


@pytest.fixture
def unmade(tmp_path: Path) -> MediaFolder:
    """A media folder of which nothing is on the disk yet."""
    return MediaFolder(tmp_path / "not yet" / "media", max_upload_bytes=1000)


@pytest.fixture
def impossible(tmp_path: Path) -> MediaFolder:
    """A media folder that cannot be made."""
    (tmp_path / "file").write_bytes(b"in the way")
    return MediaFolder(tmp_path / "file" / "media", max_upload_bytes=1000)


def test_nothing_is_made_before_it_is_needed(unmade: MediaFolder) -> None:
    assert not unmade.root.parent.exists()


def test_the_first_video_finds_its_folders_made(unmade: MediaFolder) -> None:
    video = stored_video(unmade)

    assert files_in(unmade) == sorted([video.path, video.thumbnail_path or ""])


def test_the_first_trimmed_video_finds_its_folder_made(unmade: MediaFolder, tmp_path: Path) -> None:
    with unmade.work_folder() as scratch:
        (scratch / "output.mp4").write_bytes(b"cut")
        unmade.publish(scratch / "output.mp4", "trimmed/cut.mp4")

    assert unmade.resolve("trimmed/cut.mp4").read_bytes() == b"cut"


@pytest.mark.parametrize("kind", ["unmade", "impossible"])
def test_where_no_folder_is_nothing_is_found_and_nothing_swept(request: pytest.FixtureRequest, video: Video, kind: str) -> None:
    folder: MediaFolder = request.getfixturevalue(kind)

    folder.discard(video)

    assert folder.sweep(set(), 0) == []
    with pytest.raises(errors.NotFound):
        folder.resolve(video.path)


def test_a_folder_that_cannot_be_made_is_said_in_plain_words_and_the_reason_logged(
    impossible: MediaFolder, caplog: pytest.LogCaptureFixture
) -> None:
    for store in (impossible.new_part, impossible.work_folder().__enter__):
        caplog.clear()

        with pytest.raises(errors.Unavailable, match="^Videos cannot be stored on this server right now"):
            store()

        assert [(record.levelname, str(impossible.root) in record.getMessage()) for record in caplog.records] == [
            ("ERROR", True)
        ]


def test_a_disk_that_may_only_be_read_stores_nothing_and_says_so(folder: MediaFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(io, "FileIO", refuse)

    with pytest.raises(errors.Unavailable, match="^Videos cannot be stored"):
        folder.new_part()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_that_work_in_a_scratch_folder_meets_is_called_so(folder: MediaFolder, number: int) -> None:
    with pytest.raises(errors.DiskFull), folder.work_folder():
        raise OSError(number, os.strerror(number))

    assert list((folder.root / "work").iterdir()) == []


def test_a_disk_without_room_for_a_folder_is_called_full(unmade: MediaFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "mkdir", refuse)

    with pytest.raises(errors.DiskFull):
        unmade.new_part()
