"""A file that is replaced while it is asked for."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask

from projectapi.api import ranges
from projectapi.api.ranges import file_with_ranges
from projectapi.errors import NotFound


@pytest.fixture
def film(tmp_path: Path) -> Path:
    path = tmp_path / "film.mp4"
    path.write_bytes(b"0123456789")
    return path


def test_all_ranges_are_of_the_file_that_was_there_when_the_answer_began(light_app: Flask, film: Path) -> None:
    with light_app.test_request_context(headers={"Range": "bytes=0-1,5-9"}):
        response = file_with_ranges(film, "video/mp4")
        film.unlink()

        body = b"".join(part if isinstance(part, bytes) else part.encode() for part in response.response)
        response.close()

    assert b"\r\n\r\n01\r\n" in body and b"\r\n\r\n56789\r\n" in body
    assert len(body) == response.content_length


@pytest.mark.parametrize("asked", ["bytes=0-", "bytes=0-1,5-9", ""])
def test_a_file_that_goes_after_it_was_found_is_not_found(
    light_app: Flask, film: Path, monkeypatch: pytest.MonkeyPatch, asked: str
) -> None:
    def filled_too_late(*arguments: object) -> object:
        film.unlink()
        return really_filled(*arguments)

    really_filled = ranges._filled
    monkeypatch.setattr(ranges, "_filled", filled_too_late)

    with light_app.test_request_context(headers={"Range": asked}), pytest.raises(NotFound):
        file_with_ranges(film, "video/mp4")
