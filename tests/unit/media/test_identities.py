"""What stored videos are called."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

import pytest

from projectapi.media.identities import begun_at, new_identity

MOMENT = datetime(2026, 11, 23, 0, 50, 17, 123_000, tzinfo=UTC)


def test_a_name_tells_when_the_upload_began_and_is_no_other() -> None:
    names = {new_identity(MOMENT) for _ in range(100)}

    assert len(names) == 100
    assert {begun_at(str(name)) for name in names} == {MOMENT}
    assert {(name.version, name.variant) for name in names} == {(7, uuid.RFC_4122)}


def test_later_names_are_sorted_behind_earlier_ones() -> None:
    assert str(new_identity(MOMENT)) < str(new_identity(datetime(2026, 11, 23, 0, 50, 17, 124_000, tzinfo=UTC)))


@pytest.mark.parametrize("name", ["0b9e2f5c-6c1d-4f7a-9a53-2d1c6f0e8b47", "holiday", ""])
def test_other_names_tell_nothing(name: str) -> None:
    assert begun_at(name) is None
