"""Decide which revisions of a timeline's history may go.

Everything of the last day stays, then the newest of each hour for a week, then the newest of each day; hours and days are
those of UTC. Named saves and the current version stay for ever.

The rule only ever gets coarser with age and a day's newest revision is also its hour's newest, so the order and number of runs
do not matter: what one late run would keep, no earlier run deletes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

QUICK_SAVE = "Quick Save"

Bucket = tuple[date, int | None]
"""A day of UTC with one of its hours, or with None for all of it."""


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """What retention must know of a revision.

    `created_at` is aware; `base` is the version of the keyframe that a delta needs to be read.
    """

    version: int
    created_at: datetime
    description: str | None = None
    is_current: bool = False
    base: int | None = None


@dataclass(frozen=True, slots=True)
class RetentionPolicy:
    """For how long everything is kept, and for how long after that one revision an hour."""

    keep_all: timedelta = timedelta(days=1)
    hourly: timedelta = timedelta(days=7)


def is_named(description: str | None, current_description: str | None = None) -> bool:
    """Tell whether a description names a save: not empty, not "Quick Save", and not what the current version is called."""
    name = (description or "").strip()
    return name not in ("", QUICK_SAVE, (current_description or "").strip())


def versions_to_delete(revisions: Sequence[HistoryEntry], now: datetime, policy: RetentionPolicy | None = None) -> set[int]:
    """Return the versions that the policy lets go, never one that a kept revision is a delta of."""
    policy = policy or RetentionPolicy()
    newest = _newest_of_each_bucket(revisions, now, policy)
    kept = {r.version for r in revisions if r.is_current or is_named(r.description) or r.version in newest}
    kept |= _bases(revisions, kept)
    return {revision.version for revision in revisions} - kept


def _newest_of_each_bucket(revisions: Iterable[HistoryEntry], now: datetime, policy: RetentionPolicy) -> set[int]:
    """Return the versions that time alone keeps.

    A revision is measured against its whole hour or day, also against revisions of it that are still too young to be thinned
    out; otherwise a run inside an hour would keep one that a run after it would not, or the reverse.
    """
    newest: dict[Bucket, HistoryEntry] = {}
    for revision in revisions:
        for bucket in (_hour(revision), _day(revision)):
            newest[bucket] = max(newest.get(bucket, revision), revision, key=lambda r: (r.created_at, r.version))
    kept = set()
    for revision in revisions:
        age = now - revision.created_at
        bucket = _hour(revision) if age <= policy.keep_all + policy.hourly else _day(revision)
        if age <= policy.keep_all or newest[bucket] is revision:
            kept.add(revision.version)
    return kept


def _hour(revision: HistoryEntry) -> Bucket:
    moment = revision.created_at.astimezone(UTC)
    return moment.date(), moment.hour


def _day(revision: HistoryEntry) -> Bucket:
    return revision.created_at.astimezone(UTC).date(), None


def _bases(revisions: Iterable[HistoryEntry], kept: set[int]) -> set[int]:
    base_of = {revision.version: revision.base for revision in revisions}
    bases: set[int] = set()
    for version in kept:
        base = base_of.get(version)
        while base is not None and base not in bases:
            bases.add(base)
            base = base_of.get(base)
    return bases
