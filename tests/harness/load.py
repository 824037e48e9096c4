"""Writers that number what they write, and readers that check every answer against what was acknowledged before they asked.

One `Load` works on a few projects of an owner of its own. Of everything that is numbered a `Track` holds the highest number
that the server has acknowledged, or told a client about; a read that starts after that must not show a smaller one.
"""

from __future__ import annotations

import json
import random
import re
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from tests.harness.caller import Caller, CallFailed
from tests.harness.whole_app import Reply

PROJECTS = 3
READERS = 4
HANG_SECONDS = 10.0
_WRITE_PAUSE_SECONDS = 0.15
_READ_PAUSE_SECONDS = 0.015
_HISTORY_PAGE = 100
_CODINGS = ("zstd", "br", "gzip", "identity", "gzip, br;q=0.5")


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
    """One address to read, and how to find in its answer's `data` the numbers of the tracks that it shows."""

    path: str
    numbers: Callable[[Any], Mapping[Track, int]]


@dataclass
class Tally:
    """What happened: reads and writes by how they ended, answers by their X-Cache, and what must not be."""

    reads: Counter[str] = field(default_factory=Counter)
    writes: Counter[str] = field(default_factory=Counter)
    sources: Counter[str] = field(default_factory=Counter)
    stale: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    slowest_read: float = 0.0
    slowest_write: float = 0.0

    @property
    def failed_reads(self) -> Counter[str]:
        """Reads without an answer, by what they looked like."""
        return Counter({what: count for what, count in self.reads.items() if what != "answered"})

    @property
    def failed_writes(self) -> Counter[str]:
        """Attempts to write that were neither acknowledged nor refused with good reason."""
        return Counter({what: count for what, count in self.writes.items() if what not in ("acknowledged", "refused")})

    def row(self) -> dict[str, str]:
        """Return the counts by the names that they have in the table."""
        sources = " ".join(f"{name}:{count}" for name, count in sorted(self.sources.items()))
        return {
            "reads": str(self.reads["answered"]),
            "writes": str(self.writes["acknowledged"]),
            "stale": str(len(self.stale)),
            "lost": str(len(self.lost)),
            "failed reads": str(self.failed_reads.total()),
            "failed writes": str(self.failed_writes.total()),
            "slowest read": f"{self.slowest_read:.2f} s",
            "slowest write": f"{self.slowest_write:.2f} s",
            "X-Cache": sources,
        }


class Load:
    """Work on the application at `ports` from entering the block to leaving it; then `tally` says how it went."""

    def __init__(self, ports: Sequence[int]) -> None:
        self._ports = ports
        self._owner = f"load-{secrets.token_hex(6)}"
        self._stop = threading.Event()
        self._resting: list[threading.Lock] = []
        self._counting = threading.Lock()
        self._futures: list[Future[None]] = []
        self._pool = ThreadPoolExecutor(2 * PROJECTS + READERS + 2)
        self._creations = Track("created projects")
        self._projects: list[NumberedProject] = []
        self.tally = Tally()

    def __enter__(self) -> Load:
        with self._caller() as caller:
            for number in range(PROJECTS):
                reply = caller.call("POST", "/projects", {"name": "0"})
                assert reply.status == 200, reply
                self._projects.append(NumberedProject(reply.data["_id"], Track(f"saves {number}"), Track(f"renames {number}")))
        for project in self._projects:
            self._writer(project.saves, lambda caller, n, p=project: self._save(caller, p, n))
            self._writer(project.renames, lambda caller, n, p=project: self._rename(caller, p, n))
        self._writer(self._creations, self._create)
        rest = self._new_rest()
        self._start(lambda: self._come_too_late(rest))
        for _ in range(READERS):
            self._start(self._read_on)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stop.set()
        self._pool.shutdown()
        if error is None:
            for future in self._futures:
                future.result()
            self._look_for_lost_saves()

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """Hold all writers while the block runs, after what they have begun was acknowledged; readers go on."""
        with ExitStack() as stack:
            for lock in self._resting:
                assert lock.acquire(timeout=30), "a writer hangs"
                stack.callback(lock.release)
            yield

    def wait_for_stale_reads(self, seconds: float) -> None:
        """Wait until a reader has seen something too old, at most this long."""
        deadline = time.monotonic() + seconds
        while not self.tally.stale and time.monotonic() < deadline:
            time.sleep(0.05)

    def wait_for_hits(self, seconds: float) -> None:
        """Wait until the cache serves projects again; fail when it does not.

        It asks for a new project: those on which a writer died are read from the database for a minute.
        """
        deadline = time.monotonic() + seconds
        with self.quiet(), self._caller() as caller:
            project_id = caller.call("POST", "/projects", {"name": "new 0"}).data["_id"]
            while caller.call("GET", f"/projects/{project_id}").headers.get("X-Cache") != "HIT":
                assert time.monotonic() < deadline, "the cache is not used again"
                time.sleep(0.05)

    # Writing

    def _writer(self, track: Track, write: Callable[[Caller, int], Reply]) -> None:
        resting = self._new_rest()
        self._start(lambda: self._write_on(track, write, resting))

    def _new_rest(self) -> threading.Lock:
        """Return a lock to hold while writing, by which `quiet` makes the writer rest."""
        resting = threading.Lock()
        self._resting.append(resting)
        return resting

    def _write_on(self, track: Track, write: Callable[[Caller, int], Reply], resting: threading.Lock) -> None:
        with self._caller() as caller:
            number = 0
            while not self._stop.is_set():
                number += 1
                with resting:
                    self._write_until_acknowledged(caller, track, number, write)
                self._stop.wait(random.expovariate(1 / _WRITE_PAUSE_SECONDS))
            self._note_slowest_write(caller)

    def _write_until_acknowledged(
        self, caller: Caller, track: Track, number: int, write: Callable[[Caller, int], Reply]
    ) -> None:
        while not self._stop.is_set():
            try:
                reply = write(caller, number)
            except CallFailed as failure:
                self._count_write(str(failure.__cause__))
            else:
                if reply.status == 200:
                    track.reach(number)
                    self._count_write("acknowledged")
                    return
                self._count_write(f"{reply.status} {reply.body[:200]!r}")
            self._stop.wait(0.05)

    def _save(self, caller: Caller, project: NumberedProject, number: int) -> Reply:
        body = {"project_id": project.id, "timeline_state": state(number), "description": f"save {number}"}
        return caller.call("POST", "/timeline/", body, Idempotency_Key=f"save-{project.id}-{number}")

    def _rename(self, caller: Caller, project: NumberedProject, number: int) -> Reply:
        return caller.call("PUT", f"/projects/{project.id}", {"name": str(number)})

    def _create(self, caller: Caller, number: int) -> Reply:
        return caller.call("POST", "/projects", {"name": f"new {number}"}, Idempotency_Key=f"new-{self._owner}-{number}")

    def _come_too_late(self, resting: threading.Lock) -> None:
        """Save on top of a state that is long gone: whoever is told of a newer version must find that version."""
        with self._caller() as caller:
            while not self._stop.is_set():
                project = random.choice(self._projects)
                body = {"project_id": project.id, "timeline_state": {}, "description": "too late"}
                with resting, suppress(CallFailed):
                    reply = caller.call("POST", "/timeline/", body, If_Match='"7-0000000000000000"')
                    if reply.status == 412:
                        project.saves.reach(json.loads(reply.body)["currentVersion"])
                        self._count_write("refused")
                self._stop.wait(random.expovariate(1 / _WRITE_PAUSE_SECONDS))

    # Reading

    def _read_on(self) -> None:
        seen: dict[str, tuple[str, Mapping[Track, int]]] = {}
        looks = [*self._looks()]
        with self._caller() as caller:
            while not self._stop.is_set():
                self._read(caller, random.choice(looks), seen)
                self._stop.wait(random.expovariate(1 / _READ_PAUSE_SECONDS))
            with self._counting:
                self.tally.slowest_read = max(self.tally.slowest_read, caller.slowest)

    def _read(self, caller: Caller, look: Look, seen: dict[str, tuple[str, Mapping[Track, int]]]) -> None:
        etag, known = seen.get(look.path, ("", {}))
        headers = {"Accept_Encoding": random.choice(_CODINGS)}
        if etag and random.random() < 0.5:
            headers["If_None_Match"] = etag
        floors = {track: track.reached for track in self._tracks()}
        try:
            reply = caller.call("GET", look.path, **headers)
        except CallFailed as failure:
            self._count_read(str(failure.__cause__))
            return
        if reply.status not in (200, 304):
            self._count_read(f"{reply.status} {reply.body[:200]!r}")
            return
        shown = look.numbers(reply.data) if reply.status == 200 else known
        if reply.status == 200 and "ETag" in reply.headers:
            seen[look.path] = reply.headers["ETag"], shown
        with self._counting:
            self.tally.reads["answered"] += 1
            self.tally.sources[reply.headers["X-Cache"]] += 1
            for track, number in shown.items():
                if number < floors[track]:
                    source = f"{reply.status}, X-Cache {reply.headers['X-Cache']}"
                    self.tally.stale.append(f"{look.path} shows {track.name} {number} after {floors[track]} ({source})")

    def _looks(self) -> Iterator[Look]:
        for project in self._projects:
            yield Look(f"/projects/{project.id}", lambda data, p=project: _numbers_of_project(data, p))
            yield Look(f"/timeline/{project.id}", lambda data, p=project: {p.saves: _number(data["timeline_state"])})
            yield Look(f"/timeline/{project.id}/history", lambda data, p=project: {p.saves: _newest(data)})
        yield Look("/projects/", self._numbers_of_list)

    def _numbers_of_list(self, data: Any) -> Mapping[Track, int]:
        names = {project["_id"]: project["name"] for project in data}
        created = [int(name[4:]) for name in names.values() if name.startswith("new ")]
        # A project that is missing in the list counts as one that was never written.
        shown = {project.renames: int(names.get(project.id, "-1")) for project in self._projects}
        return {**shown, self._creations: max(created, default=0)}

    # At the end

    def _look_for_lost_saves(self) -> None:
        with self._caller() as caller:
            for project in self._projects:
                found = self._history(caller, project)
                for number in range(1, project.saves.reached + 1):
                    saved = [entry["timeline_state"] for entry in found if entry["description"] == f"save {number}"]
                    if saved != [state(number)]:
                        self.tally.lost.append(f"save {number} of {project.id}: {len(saved)} times in history")
                current = caller.call("GET", f"/timeline/{project.id}").data["timeline_state"]
                if current != state(_number(current)) or _number(current) < project.saves.reached:
                    self.tally.lost.append(f"the current state of {project.id} is not the last save")

    @staticmethod
    def _history(caller: Caller, project: NumberedProject) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = []
        while True:
            query = f"?include_state=true&limit={_HISTORY_PAGE}&skip={len(entries)}"
            page = caller.call("GET", f"/timeline/{project.id}/history{query}").data
            entries += page
            if len(page) < _HISTORY_PAGE:
                return entries

    def _tracks(self) -> Iterator[Track]:
        for project in self._projects:
            yield project.saves
            yield project.renames
        yield self._creations

    def _caller(self) -> Caller:
        return Caller(self._ports, self._owner)

    def _start(self, run: Callable[[], None]) -> None:
        self._futures.append(self._pool.submit(run))

    def _count_read(self, what: str) -> None:
        with self._counting:
            self.tally.reads[what] += 1

    def _count_write(self, what: str) -> None:
        with self._counting:
            self.tally.writes[what] += 1

    def _note_slowest_write(self, caller: Caller) -> None:
        with self._counting:
            self.tally.slowest_write = max(self.tally.slowest_write, caller.slowest)


def state(number: int) -> dict[str, Any]:
    """Return the state of a timeline with this number: large enough to be sent compressed, and no two of them alike."""
    clips = [
        {
            "id": f"clip-{clip}",
            "type": "video",
            "start_time": clip * 2,
            "end_time": clip * 2 + 2,
            "duration": 2,
            "properties": {"volume": (number * 31 + clip) % 100},
        }
        for clip in range(12)
    ]
    return {"n": number, "layers": [{"id": "layer-1", "name": "Main", "type": "video", "clips": clips}], "zoom": 1}


def _number(timeline_state: Any) -> int:
    return int((timeline_state or {}).get("n", 0))


def _numbers_of_project(data: Any, project: NumberedProject) -> Mapping[Track, int]:
    return {project.saves: _number(data["timeline_state"]), project.renames: int(data["name"])}


def _newest(entries: Any) -> int:
    numbers = [re.fullmatch(r"save (\d+)", entry["description"] or "") for entry in entries]
    return max((int(match[1]) for match in numbers if match), default=0)
