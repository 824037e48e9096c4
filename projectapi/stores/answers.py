"""Finished answers straight from the stores, without a cache."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from typing import Protocol

from projectapi.project import EntityTag, ListQuery, Project, ProjectKey, Revision, Timeline
from projectapi.protocols import Answer, Answers, ProjectStore, TimelineStore


class Renderer(Protocol):
    """Turns what a store returns into the bytes of an answer."""

    def project_answer(self, project: Project) -> bytes:
        """Return the body of GET /projects/{id}."""

    def project_list(self, projects: Sequence[Project]) -> bytes:
        """Return the body of GET /projects/."""

    def timeline_answer(self, project_id: str, timeline: Timeline | None) -> bytes:
        """Return the body of GET /timeline/{id}."""

    def history_answer(self, revisions: Sequence[Revision]) -> bytes:
        """Return the body of GET /timeline/{id}/history."""


class StoreAnswers(Answers):
    """`Answers` that reads the stores anew each time."""

    def __init__(self, projects: ProjectStore, timelines: TimelineStore, render: Renderer) -> None:
        self._projects = projects
        self._timelines = timelines
        self._render = render

    def project(self, key: ProjectKey, etags: Collection[str] = ()) -> Answer:
        """See `Answers.project`."""
        return answer_of_project(self._render, self._projects.get_project(key))

    def timeline(self, key: ProjectKey, etags: Collection[str] = ()) -> Answer:
        """See `Answers.timeline`."""
        return answer_of_timeline(self._render, key.id, self._timelines.get_timeline(key))

    def history(
        self, key: ProjectKey, *, limit: int, skip: int, with_state: bool, etags: Collection[str] = ()
    ) -> Answer:
        """See `Answers.history`."""
        revisions = self._timelines.list_revisions(key, limit=limit, skip=skip, with_state=with_state)
        return _with_digest(self._render.history_answer(revisions))

    def projects(self, query: ListQuery, etags: Collection[str] = ()) -> Answer:
        """See `Answers.projects`."""
        page = self._projects.list_projects(query)
        return _with_digest(self._render.project_list(page.projects), page.next)


def answer_of_project(render: Renderer, project: Project) -> Answer:
    """Return what opening this project answers."""
    tag = EntityTag(project.version, project.tag)
    return Answer(body=render.project_answer(project), etag=str(tag), owner=project.owner)


def answer_of_timeline(render: Renderer, project_id: str, timeline: Timeline | None) -> Answer:
    """Return what opening this timeline answers; None stands for that of a project without a save."""
    tag = EntityTag(timeline.version, timeline.tag) if timeline else EntityTag(0, "")
    return Answer(body=render.timeline_answer(project_id, timeline), etag=str(tag))


def _with_digest(body: bytes, following: str | None = None) -> Answer:
    """Return an answer whose entity tag is a digest: what it shows has no version of its own."""
    digest = hashlib.blake2b(body, digest_size=16).hexdigest()
    return Answer(body=body, etag=f'"{digest}"', next=following)
