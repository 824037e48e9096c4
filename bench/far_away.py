"""What the cache is worth: opening a project with and without it, MongoDB near and 30 ms away."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from bench.candidates import PROJECTAPI, Servers
from bench.measure import Batches, Figures, Task, side_by_side
from bench.processes import free_port
from bench.timelines import CLIPS
from projectapi.devstack.processes import start_child, wait_or_kill, wait_until
from projectapi.devstack.servers import is_port_free

ONE_WAY_SECONDS = 0.015


@dataclass(frozen=True)
class Gain:
    """Opening one size of project, cached and uncached, in one place of the database."""

    place: str
    clips: int
    cached: Figures
    uncached: Figures

    @property
    def ratio(self) -> float:
        """Return the share of the uncached time that the cached open takes (medians)."""
        return self.cached.p50_ms / self.uncached.p50_ms


def measure_gains(servers: Servers, batches: Batches, sizes: Sequence[int] = CLIPS) -> list[Gain]:
    """Return the gain at every size, with MongoDB on this machine and 30 ms away."""
    with _proxy(servers.mongodb.port) as far_port:
        places = {"on this machine": servers.mongodb.port, "30 ms away": far_port}
        return [gain for place, port in places.items() for gain in _gains(servers, batches, sizes, place, port)]


def _gains(servers: Servers, batches: Batches, sizes: Sequence[int], place: str, port: int) -> Iterator[Gain]:
    with ExitStack() as stack:
        applications = {
            name: stack.enter_context(PROJECTAPI.run(servers, cached=name == "cached", mongodb_port=port))
            for name in ("cached", "uncached")
        }
        for clips in sizes:
            project = PROJECTAPI.dialect.new_project(applications["cached"].port, clips)
            tasks = {name: Task(application, [PROJECTAPI.dialect.open(project)]) for name, application in applications.items()}
            figures = side_by_side(tasks, batches)
            yield Gain(place, clips, figures["cached"], figures["uncached"])


@contextmanager
def _proxy(upstream_port: int) -> Iterator[int]:
    port = free_port()
    process = start_child([sys.executable, "-m", "bench.delay_proxy", str(port), str(upstream_port), str(ONE_WAY_SECONDS)])
    try:
        if not wait_until(lambda: not is_port_free(port), 10.0):
            raise RuntimeError("the delaying proxy did not start")
        yield port
    finally:
        process.terminate()
        wait_or_kill(process, 5.0)
