"""Walking through all projects, in the trash or not, page by page: every page is one query that may be repeated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from pymongo import ASCENDING
from pymongo.collection import Collection

from projectapi.infra.retry import Retry
from projectapi.stores.documents import Document

_PAGE = 200


@dataclass(frozen=True, slots=True)
class ProjectPage:
    """All projects whose `projectId` lies beyond `after` and, unless it is the last page, up to `until`."""

    after: str
    until: str | None
    projects: Sequence[Document]

    @property
    def ids_of_others(self) -> Document:
        """The condition on `projectId` that finds what lies in this page's range and belongs to none of its projects."""
        upper = {} if self.until is None else {"$lte": self.until}
        return {"$gt": self.after, **upper, "$nin": [project["projectId"] for project in self.projects]}


def project_pages(
    collection: Collection[Document], retry: Retry, projection: Mapping[str, Any], *, size: int = _PAGE
) -> Iterator[ProjectPage]:
    """Return all projects in the order of `projectId`; the pages together cover every possible id, the last one its end."""
    after = ""
    while True:
        found = retry.read(partial(_after, collection, after, projection, size))
        until = found[-1]["projectId"] if len(found) == size else None
        yield ProjectPage(after, until, found)
        if until is None:
            return
        after = until


def _after(collection: Collection[Document], after: str, projection: Mapping[str, Any], size: int) -> list[Document]:
    conditions = {"projectId": {"$gt": after}}
    return list(collection.find(conditions, projection).sort([("projectId", ASCENDING)]).limit(size))
