"""Everybody side by side: hit, 304, miss, uncached, list, create, save."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

import redis

from bench.candidates import CANDIDATES, Candidate, Servers
from bench.dialects import Dialect
from bench.measure import Batches, Figures, Task, side_by_side
from bench.processes import Running
from bench.wire import exchange


@dataclass(frozen=True)
class Row:
    """One operation at one size (0: no timeline in it), and the figures of those that can do it."""

    operation: str
    clips: int
    figures: Mapping[str, Figures]


@dataclass(frozen=True)
class _Contender:
    candidate: Candidate
    application: Running
    uncached: Running
    projects: Mapping[int, Sequence[str]]

    @property
    def name(self) -> str:
        return self.candidate.name

    @property
    def dialect(self) -> Dialect:
        return self.candidate.dialect


@dataclass(frozen=True)
class Extent:
    """How much there is: projects by their number of clips (misses open each once), and projects in the list."""

    projects: Mapping[int, int] = field(default_factory=lambda: {20: 40, 200: 24, 2_000: 8})
    listed: int = 50


def measure_speed(
    servers: Servers,
    batches: Batches,
    extent: Extent,
    *,
    candidates: Sequence[Candidate] = CANDIDATES,
    say: Callable[[str], None] = print,
) -> tuple[list[Row], list[str]]:
    """Return the rows, and a sentence for each candidate that did not start or could not be prepared."""
    with ExitStack() as stack:
        contenders, absent = [], []
        for candidate in candidates:
            try:
                contenders.append(_prepared(stack, candidate, servers, extent))
            except (RuntimeError, OSError) as error:
                absent.append(f"{candidate.name} could not be measured: {error}")
        rows = []
        for operation in _operations(contenders, servers, tuple(extent.projects)):
            say(f"{operation.name} {operation.clips or ''}")
            figures = operation.measure(batches)
            rows.append(Row(operation.name, operation.clips, figures))
            say("  " + ", ".join(f"{name} {one.cpu_ms:.2f} ms CPU" for name, one in figures.items()))
        return rows, absent


def _prepared(stack: ExitStack, candidate: Candidate, servers: Servers, extent: Extent) -> _Contender:
    application = stack.enter_context(candidate.run(servers, cached=True))
    uncached = application
    if candidate.has_cache and not candidate.is_limit:
        uncached = stack.enter_context(candidate.run(servers, cached=False))
    projects = {
        clips: [candidate.dialect.new_project(application.port, clips) for _ in range(count)]
        for clips, count in extent.projects.items()
    }
    if not candidate.is_limit:
        for _ in range(extent.listed):
            candidate.dialect.new_project(application.port)
    return _Contender(candidate, application, uncached, projects)


@dataclass(frozen=True)
class _Operation:
    name: str
    clips: int
    tasks: Mapping[str, Task]
    before_each: Callable[[], object] | None = None

    def measure(self, batches: Batches) -> dict[str, Figures]:
        if self.name == "save":
            # The stand-in for MongoDB takes its time over big documents.
            batches = replace(batches, rounds=min(batches.rounds, 3), count=min(batches.count, 48), seconds=2 * batches.seconds)
        return side_by_side(self.tasks, batches, before_each=self.before_each, once=self.name == "miss")


def _operations(contenders: Sequence[_Contender], servers: Servers, sizes: Sequence[int]) -> Iterator[_Operation]:
    working = [one for one in contenders if not one.candidate.is_limit]
    empty = redis.Redis(port=servers.redis.port).flushall
    for clips in sizes:
        yield _Operation("hit", clips, {one.name: _open(one, clips) for one in contenders})
    compressed = {one.name: _open(one, sizes[-1], Accept_Encoding="gzip, deflate, br, zstd") for one in contenders}
    yield _Operation("hit by a browser", sizes[-1], compressed)
    for clips in sizes:
        yield _Operation("304", clips, {one.name: _not_modified(one, clips) for one in working})
    for clips in sizes:
        yield _Operation("miss", clips, {one.name: _open_all(one, clips) for one in working}, empty)
    for clips in sizes:
        yield _Operation("uncached", clips, {one.name: _open_uncached(one, clips) for one in working})
    yield _Operation("list of 50", 0, {one.name: Task(one.application, [one.dialect.list()]) for one in working})
    yield _Operation("create", 0, {one.name: _create(one) for one in working})
    for clips in sizes:
        yield _Operation("save", clips, {one.name: _save(one, clips) for one in working})


def _open(one: _Contender, clips: int, **headers: str) -> Task:
    return Task(one.application, [one.dialect.open(one.projects[clips][0], **headers)])


def _open_all(one: _Contender, clips: int) -> Task:
    return Task(one.application, [one.dialect.open(project) for project in one.projects[clips]])


def _open_uncached(one: _Contender, clips: int) -> Task:
    return replace(_open(one, clips), application=one.uncached)


def _not_modified(one: _Contender, clips: int) -> Task:
    project = one.projects[clips][0]
    etag = exchange(one.application.port, one.dialect.open(project)).headers["etag"]
    return Task(one.application, [one.dialect.open(project, If_None_Match=etag)], 304)


def _create(one: _Contender) -> Task:
    return Task(one.application, [one.dialect.create("somebody")], one.dialect.created_status)


def _save(one: _Contender, clips: int) -> Task:
    return Task(one.application, [one.dialect.save(project, clips) for project in one.projects[clips][:8]])
