"""An upload's bytes on their way to the disk."""

from __future__ import annotations

import errno
import gc
import hashlib
import io
from pathlib import Path

import pytest
from werkzeug.formparser import MultiPartParser

from projectapi import errors
from projectapi.media.incoming import IncomingVideo, size_in_words
from projectapi.media.storage import MediaFolder
from tests.media_samples import files_in


class FullDisk(io.FileIO):
    """A file on a disk that takes `room` bytes and no more."""

    room = 10
    number = errno.ENOSPC

    def write(self, data: bytes, /) -> int:  # type: ignore[override]
        if self.room == 0:
            raise OSError(self.number, "no room")
        taken = super().write(data[: self.room]) or 0
        self.room -= taken
        return taken


def on_disk(part: IncomingVideo, disk: type[FullDisk], number: int = errno.ENOSPC) -> IncomingVideo:
    """Let the part's file be one of `disk`, whose faults have this number."""
    assert part._file
    part._file.close()
    part._file = disk(part.path, "r+")
    part._file.number = number
    return part


def test_bytes_are_counted_and_hashed_as_they_arrive(folder: MediaFolder) -> None:
    with folder.new_part() as part:
        part.write(b"moving ")
        part.write(bytearray(b"pictures"))

        assert part.bytes == 15
        assert part.sha256 == hashlib.sha256(b"moving pictures").hexdigest()


def test_what_was_written_can_be_read_back(folder: MediaFolder) -> None:
    with folder.new_part() as part:
        part.write(b"moving pictures")
        part.seek(7)

        assert part.read() == b"pictures"


def test_writing_over_what_was_hashed_is_refused(folder: MediaFolder) -> None:
    with folder.new_part() as part:
        part.write(b"moving pictures")
        part.seek(0)

        with pytest.raises(io.UnsupportedOperation):
            part.write(b"other")


def test_one_byte_over_the_limit_is_refused_and_leaves_nothing(folder: MediaFolder) -> None:
    part = folder.new_part()
    part.write(b"x" * folder.max_upload_bytes)

    with pytest.raises(errors.VideoTooLarge, match=r"Maximum size is 1000 bytes\."):
        part.write(b"x")

    assert files_in(folder) == []


def test_a_length_over_the_limit_is_refused_before_a_byte_is_taken(folder: MediaFolder) -> None:
    with pytest.raises(errors.VideoTooLarge):
        folder.new_part(expected_bytes=folder.max_upload_bytes + 2**20 + 1)

    assert files_in(folder) == []


def test_a_form_around_a_file_of_the_largest_size_is_taken(folder: MediaFolder) -> None:
    with folder.new_part(expected_bytes=folder.max_upload_bytes + 300) as part:
        part.write(b"x" * folder.max_upload_bytes)

        assert part.bytes == folder.max_upload_bytes


def test_a_length_over_what_the_disk_has_free_is_refused(tmp_path: Path) -> None:
    folder = MediaFolder(tmp_path, max_upload_bytes=2**62)

    with pytest.raises(errors.DiskFull):
        folder.new_part(expected_bytes=2**61)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_fills_up_is_reported_and_leaves_nothing(folder: MediaFolder, number: int) -> None:
    part = on_disk(folder.new_part(), FullDisk, number)

    with pytest.raises(errors.DiskFull):
        part.write(b"more than ten bytes")

    assert files_in(folder) == []


def test_another_fault_of_the_disk_is_not_called_full(folder: MediaFolder) -> None:
    part = on_disk(folder.new_part(), FullDisk, errno.EIO)

    with pytest.raises(OSError, match="no room"):
        part.write(b"more than ten bytes")

    assert files_in(folder) == []


def test_a_disk_that_takes_little_at_a_time_gets_every_byte(folder: MediaFolder) -> None:
    class Slow(FullDisk):
        def write(self, data: bytes, /) -> int:  # type: ignore[override]
            self.room = 3
            return super().write(data)

    with on_disk(folder.new_part(), Slow) as part:
        part.write(b"moving pictures")

        assert part.path.read_bytes() == b"moving pictures"


def test_an_upload_that_breaks_off_leaves_nothing(folder: MediaFolder) -> None:
    with pytest.raises(ConnectionError), folder.new_part() as part:
        part.write(b"half a vid")
        raise ConnectionError

    assert files_in(folder) == []


def test_a_part_that_everybody_forgot_leaves_nothing(folder: MediaFolder) -> None:
    folder.new_part().write(b"half a vid")
    gc.collect()

    assert files_in(folder) == []


def test_a_kept_part_stays_when_it_is_closed_twice(folder: MediaFolder) -> None:
    with folder.new_part() as part:
        part.write(b"moving pictures")
        path, _ = folder.keep(part, ".mp4", None)
    part.close()

    assert files_in(folder) == [path]
    assert (folder.root / path).read_bytes() == b"moving pictures"


def test_a_multipart_parser_writes_straight_into_the_part(folder: MediaFolder) -> None:
    boundary = b"edge"
    body = b'--edge\r\nContent-Disposition: form-data; name="file"; filename="a.mp4"\r\n\r\nmoving\r\npictures\r\n--edge--\r\n'
    with folder.new_part(len(body)) as part:
        parser = MultiPartParser(stream_factory=lambda **_: part)

        _, files = parser.parse(io.BytesIO(body), boundary, len(body))

        assert files["file"].stream is part
        assert files["file"].read() == b"moving\r\npictures"
        assert part.sha256 == hashlib.sha256(b"moving\r\npictures").hexdigest()
    assert files_in(folder) == []


@pytest.mark.parametrize(
    ("size", "words"), [(2 * 2**30, "2GB"), (2**20, "1MB"), (1536, "1.5KB"), (1000, "1000 bytes"), (500 * 2**20, "500MB")]
)
def test_sizes_are_written_as_people_write_them(size: int, words: str) -> None:
    assert size_in_words(size) == words
