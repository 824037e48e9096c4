"""Which revisions may go."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from projectapi.timeline.retention import HistoryEntry, RetentionPolicy, is_named, versions_to_delete

NOW = datetime(2026, 3, 15, 12, 30, tzinfo=UTC)


def ago(
    version: int, *, named: str | None = None, current: bool = False, base: int | None = None, **age: float
) -> HistoryEntry:
    return HistoryEntry(version, NOW - timedelta(**age), named, current, base)


def run(revisions: Sequence[HistoryEntry], now: datetime = NOW, policy: RetentionPolicy | None = None) -> list[HistoryEntry]:
    deleted = versions_to_delete(revisions, now, policy)
    return [revision for revision in revisions if revision.version not in deleted]


def test_everything_of_the_last_day_stays() -> None:
    revisions = [ago(n, seconds=n) for n in range(1, 500)]

    assert versions_to_delete(revisions, NOW) == set()


def test_after_a_day_the_newest_of_each_hour_stays() -> None:
    revisions = [ago(1, days=2, minutes=20), ago(2, days=2, minutes=10), ago(3, days=2, minutes=-10)]

    assert versions_to_delete(revisions, NOW) == {1, 2}


def test_the_week_of_hours_begins_after_the_day_of_everything() -> None:
    revisions = [ago(1, days=7, hours=14), ago(2, days=7, hours=13)]

    assert versions_to_delete(revisions, NOW) == set()
    assert versions_to_delete(revisions, NOW + timedelta(days=1)) == {1}


def test_the_newest_is_the_one_of_the_latest_time_even_if_a_clock_went_back() -> None:
    revisions = [ago(1, days=2, minutes=5), ago(2, days=2, minutes=10), ago(3, days=2, minutes=5)]

    assert versions_to_delete(revisions, NOW) == {1, 2}
    assert versions_to_delete(revisions[:2], NOW) == {2}


def test_after_another_week_the_newest_of_each_day_stays() -> None:
    revisions = [ago(1, days=9, hours=5), ago(2, days=9, hours=1), ago(3, days=9), ago(4, days=10)]

    assert versions_to_delete(revisions, NOW) == {1, 2}


def test_named_saves_and_the_current_one_stay_for_ever() -> None:
    revisions = [
        ago(1, days=900, minutes=3, named="Rough cut"),
        ago(2, days=900, minutes=2, current=True),
        ago(3, days=900, minutes=1, named="Quick Save"),
        ago(4, days=900, minutes=0.5, named=" "),
        ago(5, days=900),
    ]

    assert versions_to_delete(revisions, NOW) == {3, 4}


def test_hours_and_days_are_those_of_utc() -> None:
    in_tokyo = timezone(timedelta(hours=9))
    evening = datetime(2026, 1, 1, 23, 50, tzinfo=UTC)
    revisions = [HistoryEntry(1, evening.astimezone(in_tokyo)), HistoryEntry(2, evening + timedelta(minutes=20))]

    assert versions_to_delete(revisions, NOW) == set()


def test_a_keyframe_stays_as_long_as_a_kept_delta_needs_it() -> None:
    keyframe = ago(1, days=100, hours=2)
    revisions = [keyframe, ago(2, days=100, hours=1, base=1), ago(3, days=100, base=1)]

    assert versions_to_delete(revisions, NOW) == {2}
    assert versions_to_delete([keyframe, ago(4, days=100)], NOW) == {1}


def test_the_policy_can_be_changed() -> None:
    revisions = [ago(1, minutes=50), ago(2, minutes=40), ago(3, minutes=5)]
    policy = RetentionPolicy(keep_all=timedelta(minutes=10), hourly=timedelta(0))

    assert versions_to_delete(revisions, NOW, policy) == {1, 2}


@pytest.mark.parametrize(
    ("description", "current", "named"),
    [
        (None, None, False),
        ("", None, False),
        ("  ", None, False),
        ("Quick Save", None, False),
        ("Rough cut", None, True),
        ("Rough cut", "Rough cut", False),
        ("Rough cut", "Final cut", True),
        ("quick save", None, True),
    ],
)
def test_a_save_is_named_by_a_description_of_its_own(description: str | None, current: str | None, named: bool) -> None:
    assert is_named(description, current) is named


HISTORIES = st.lists(
    st.tuples(
        st.integers(0, 15 * 24 * 60), st.sampled_from([None, None, None, "Quick Save", "Cut"]), st.integers(1, 6), st.booleans()
    ),
    max_size=40,
).map(
    lambda rows: [
        HistoryEntry(
            version=index + 1,
            created_at=NOW - timedelta(minutes=minutes),
            description=description,
            is_current=index == len(rows) - 1,
            base=index + 1 - distance if has_base and index + 1 - distance > 0 else None,
        )
        for index, (minutes, description, distance, has_base) in enumerate(rows)
    ]
)


@settings(max_examples=200, deadline=None)
@given(HISTORIES)
def test_running_twice_is_running_once(history: list[HistoryEntry]) -> None:
    once = run(history)

    assert run(once) == once


@settings(max_examples=300, deadline=None)
@given(HISTORIES, st.lists(st.integers(0, 20 * 24 * 60), max_size=6), st.integers(0, 20 * 24 * 60))
def test_runs_in_between_never_change_what_is_left_in_the_end(
    history: list[HistoryEntry], runs_between: list[int], last: int
) -> None:
    end = NOW + timedelta(minutes=last)
    left = history
    for minutes in sorted(minutes for minutes in runs_between if minutes <= last):
        left = run(left, NOW + timedelta(minutes=minutes))

    assert run(left, end) == run(history, end)


@settings(max_examples=200, deadline=None)
@given(HISTORIES)
def test_every_kept_revision_can_still_be_read(history: list[HistoryEntry]) -> None:
    left = run(history)

    versions = {revision.version for revision in left}
    assert all(revision.base is None or revision.base in versions for revision in left)
