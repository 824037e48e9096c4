"""Finished answers through the cache: the same as without, only faster."""

from __future__ import annotations

from collections.abc import Callable, Collection

from projectapi.errors import ProjectNotFound
from projectapi.project import HISTORY_LIMIT_DEFAULT, ListQuery, ProjectKey
from projectapi.protocols import Answer, Answers
from projectapi.stores.announced import Owners
from projectapi.stores.cache import HISTORY, PROJECT, TIMELINE, CacheEngine, CacheKey, Entry, Reading
from projectapi.stores.project_documents import raise_not_found
from projectapi.stores.publishing import entry_of


class CachedAnswers(Answers):
    """`Answers` from the cache, made by `inner` when it has none."""

    def __init__(self, inner: Answers, engine: CacheEngine, owners: Owners) -> None:
        self._inner = inner
        self._engine = engine
        self._owners = owners

    def project(self, key: ProjectKey, etags: Collection[str] = ()) -> Answer:
        """See `Answers.project`."""
        return self._about(PROJECT, key, self._inner.project, etags)

    def timeline(self, key: ProjectKey, etags: Collection[str] = ()) -> Answer:
        """See `Answers.timeline`."""
        return self._about(TIMELINE, key, self._inner.timeline, etags)

    def history(
        self, key: ProjectKey, *, limit: int, skip: int, with_state: bool, etags: Collection[str] = ()
    ) -> Answer:
        """See `Answers.history`; only the page that frontends open with is cached."""
        if (limit, skip, with_state) != (HISTORY_LIMIT_DEFAULT, 0, False):
            return self._inner.history(key, limit=limit, skip=skip, with_state=with_state)
        return self._about(HISTORY, key, lambda k: self._inner.history(k, limit=limit, skip=0, with_state=False), etags)

    def projects(self, query: ListQuery, etags: Collection[str] = ()) -> Answer:
        """See `Answers.projects`; only first pages without a search are cached."""
        if query.after is not None or query.search:
            return self._inner.projects(query)

        def load() -> Entry:
            page = self._inner.projects(query)
            return Entry.of(page.body or b"", version=0, etag=page.etag or "", note=page.next or "")

        name = f"{query.limit} {query.deleted} {query.sort} {query.descending}"
        # A page that goes on needs its body's note, the cursor, which a tag alone would leave out.
        return _answer(self._engine.read(CacheKey.of_list(query.owner, name), load))

    def _about(
        self, kind: str, key: ProjectKey, make: Callable[[ProjectKey], Answer], etags: Collection[str] = ()
    ) -> Answer:
        def load() -> Entry:
            # For everybody: whether whoever asks may see it is decided on what was cached.
            try:
                answer = make(ProjectKey(key.id))
            except ProjectNotFound:
                return Entry.missing()
            if answer.owner is not None:
                self._owners.remember(key.id, answer.owner)
            owner = answer.owner or self._owners.of(key.id)
            return entry_of(answer, owner)

        reading = self._engine.read(CacheKey.of_project(kind, key.id), load, etags)
        if reading.entry.absent or (key.owner is not None and not reading.entry.belongs_to(key.owner)):
            raise_not_found(key, reading.outcome.value)
        return _answer(reading)


def _answer(reading: Reading) -> Answer:
    entry = reading.entry
    return Answer(
        body=None,
        etag=entry.etag or None,
        source=reading.outcome.value,
        age=reading.age,
        next=entry.note or None,
        encoded=entry.encoded if entry.has_body else None,
    )
