"""Names of files as users give them."""

from __future__ import annotations

import pytest

from projectapi.media.file_names import readable_name


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("holiday.mp4", "holiday.mp4"),
        ("Été à la mer.mp4", "Été à la mer.mp4"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\clip.mov", "clip.mov"),
        ("a\r\nSet-Cookie: x.mp4", "a  Set-Cookie: x.mp4"),
        ("nul\0l.mp4", "null.mp4"),
        ("evil\u202e4pm.exe", "evil4pm.exe"),
        ("lone\ud800.mp4", "lone.mp4"),
        ("", "video"),
        (None, "video"),
        ("...", "video"),
        ("dir/", "video"),
    ],
)
def test_only_what_people_can_read_is_kept(given: str | None, kept: str) -> None:
    assert readable_name(given) == kept


def test_a_long_name_keeps_its_extension() -> None:
    name = readable_name("x" * 400 + ".mp4")

    assert len(name) == 255
    assert name.endswith("x.mp4")
