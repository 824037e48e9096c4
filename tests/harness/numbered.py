"""Things that are numbered, so that an answer that shows them tells how old it is."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

NAME_MARK, CLIP_MARK = "Sonnenblumen-Urlaub", "Untertitel-Entwurf"
"""Words in the names of projects and in the timelines, by which a log would show that it holds what it must not."""

PAGE = 100


class Track:
    """One thing that is numbered; `reached` only ever grows."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.reached = 0
        self._lock = threading.Lock()

    def reach(self, number: int) -> None:
        """Take note that a client knows of this number now."""
        with self._lock:
            self.reached = max(self.reached, number)


@dataclass(frozen=True)
class NumberedProject:
    """A project whose timeline and whose name are numbered."""

    id: str
    saves: Track
    renames: Track


@dataclass(frozen=True)
class Look:
    """One address to read, and how to find in its answer's `data` the numbers of the tracks that it shows.

    `is_cached` says that nobody has written to the project for a while.
    """

    path: str
    numbers: Callable[[Any], Mapping[Track, int]]
    is_cached: bool = False


def looks_at(projects: Sequence[NumberedProject], creations: Track) -> Iterator[Look]:
    """Yield all addresses at which the numbers of these projects, and of those created besides, can be read."""
    for project in projects:
        yield Look(f"/projects/{project.id}", lambda data, p=project: _numbers_of_project(data, p))
        timeline = f"/timeline/{project.id}"
        yield Look(timeline, lambda data, p=project: {p.saves: number_of(data["timeline_state"])})
        yield Look(f"{timeline}/history", lambda data, p=project: {p.saves: _newest(data)})
    yield Look(f"/projects/?limit={PAGE}", lambda data: _numbers_of_list(data, projects, creations))


def state(number: int) -> dict[str, Any]:
    """Return the state of a timeline with this number: large enough to be sent compressed, and no two of them alike."""
    clips = [
        {
            "id": f"clip-{clip}",
            "type": "video",
            "start_time": clip * 2,
            "end_time": clip * 2 + 2,
            "duration": 2,
            "properties": {"volume": (number * 31 + clip) % 100, "text": CLIP_MARK},
        }
        for clip in range(12)
    ]
    return {"n": number, "layers": [{"id": "layer-1", "name": "Main", "type": "video", "clips": clips}], "zoom": 1}


def looks_that_open(project: NumberedProject) -> list[Look]:
    """Return what an editor reads to open a project that is saved no more."""
    return [
        Look(f"/projects/{project.id}", lambda data: _numbers_of_project(data, project), is_cached=True),
        Look(f"/timeline/{project.id}", lambda data: {project.saves: number_of(data["timeline_state"])}, is_cached=True),
    ]


def number_of(timeline_state: Any) -> int:
    """Return the number of a state, 0 for one that was never saved."""
    return int((timeline_state or {}).get("n", 0))


def _numbers_of_project(data: Any, project: NumberedProject) -> Mapping[Track, int]:
    return {project.saves: number_of(data["timeline_state"]), project.renames: leading(data["name"])}


def _numbers_of_list(data: Any, projects: Sequence[NumberedProject], creations: Track) -> Mapping[Track, int]:
    names = {project["_id"]: project["name"] for project in data}
    # A project that is missing in the list counts as one that was never written.
    shown = {project.renames: leading(names.get(project.id, "-1")) for project in projects}
    return {**shown, creations: max(created(names.values()), default=0)}


def _newest(entries: Any) -> int:
    numbers = [re.fullmatch(r"save (\d+)", entry["description"] or "") for entry in entries]
    return max((int(match[1]) for match in numbers if match), default=0)


def leading(name: str) -> int:
    """Return the number that a project's name begins with."""
    return int(name.split()[0])


def created(names: Iterable[str]) -> list[int]:
    """Return the numbers of the projects that were created besides, of all these names."""
    return [int(name[4:]) for name in names if name.startswith("new ")]
