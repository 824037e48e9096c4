"""A media folder of its own for every test."""

from __future__ import annotations

from pathlib import Path

import pytest

from projectapi.media.storage import MediaFolder
from projectapi.project import Video
from tests.media_samples import stored_video

LIMIT = 1000


@pytest.fixture
def folder(tmp_path: Path) -> MediaFolder:
    folder = MediaFolder(tmp_path / "media", max_upload_bytes=LIMIT)
    for name in ("videos", "thumbnails", "trimmed", "incoming", "work"):
        (folder.root / name).mkdir(parents=True)
    return folder


@pytest.fixture
def video(folder: MediaFolder) -> Video:
    return stored_video(folder)
