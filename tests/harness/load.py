"""Writers that number what they write, and readers that check every answer against what was acknowledged before they asked.

One `Load` works on a few projects of an owner of its own. Of everything that is numbered a `Track` holds the highest number
that the server has acknowledged, or told a client about; a read that starts after that must not show a smaller one. The one
exception is labelled: an answer with ``X-Cache: STALE`` may show an older one while MongoDB is away.
"""

from __future__ import annotations

import json
import random
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from types import TracebackType

from tests.harness.aftermath import good_reply, look_for_losses
from tests.harness.caller import Caller
from tests.harness.numbered import NAME_MARK, Look, NumberedProject, Track, looks_at, looks_that_open, state
from tests.harness.patient_client import PatientClient
from tests.harness.verdicts import PATIENCE_SECONDS, Fault, Tally
from tests.harness.whole_app import Reply, wait_for

PROJECTS = 3
READERS = 4
HANG_SECONDS = 10.0
RECOVERY_SECONDS = 30.0
_WRITERS = 2 * PROJECTS + 3
_OPENERS = 2
_WRITE_PAUSE_SECONDS = 0.15
_READ_PAUSE_SECONDS = 0.02
_OPEN_PAUSE_SECONDS = 0.05
_CALM_SECONDS = 1.0
_NOTICE_SECONDS = 1.0
"""For so long after MongoDB is back a worker may think that it is still away."""
_CODINGS = ("zstd", "br", "gzip", "identity", "gzip, br;q=0.5")


class Load:
    """Work on the application at `ports` from entering the block to leaving it; then `tally` says how it went."""

    def __init__(self, ports: Sequence[int]) -> None:
        self.owner = f"load-{secrets.token_hex(6)}"
        self.tally = Tally()
        self._ports = ports
        self._stop = threading.Event()
        self._client = PatientClient(self.tally, self._stop)
        self._resting: list[threading.Lock] = []
        self._counting = threading.Lock()
        self._futures: list[Future[None]] = []
        self._pool = ThreadPoolExecutor(_WRITERS + READERS + _OPENERS)
        self._creations = Track("created projects")
        self._projects: list[NumberedProject] = []

    def __enter__(self) -> Load:
        for number in range(PROJECTS):
            self._projects.append(NumberedProject(self.new_project("0"), Track(f"saves {number}"), Track(f"renames {number}")))
        self._old = self._old_project()
        for project in self._projects:
            self.write_on(project.saves, lambda caller, n, p=project: self._save(caller, p, n))
            self.write_on(project.renames, lambda caller, n, p=project: self._rename(caller, p, n))
        self.write_on(self._creations, self._create)
        rest = self._new_rest()
        self._start(lambda: self._come_too_late(rest))
        for _ in range(READERS):
            self._start(partial(self._read_on, [*looks_at(self._projects, self._creations)], _READ_PAUSE_SECONDS))
        for _ in range(_OPENERS):
            self._start(partial(self._read_on, looks_that_open(self._old), _OPEN_PAUSE_SECONDS))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stop.set()
        self._pool.shutdown()
        if error is None:
            for future in self._futures:
                future.result()
            with self._caller() as caller:
                look_for_losses(caller, self._projects, self._creations, self.tally)

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """Hold all writers while the block runs, after what they have begun was acknowledged; readers go on."""
        with ExitStack() as stack:
            for lock in self._resting:
                assert lock.acquire(timeout=30), "a writer hangs"
                stack.callback(lock.release)
            yield

    @contextmanager
    def fault(self, *, mongodb_away: bool) -> Iterator[Fault]:
        """Take note that something is broken while the block runs."""
        fault = Fault(mongodb_away, time.monotonic())
        self.tally.faults.append(fault)
        yield fault
        fault.ended = time.monotonic()

    def wait_until_normal(self, fault: Fault) -> None:
        """Wait until all kinds of requests succeed and the cache serves, and have done so for a second; note since when."""
        self.wait_for_hits()
        hits = time.monotonic()

        def calm() -> bool:
            normal = self.tally.recovered_at(fault.ended)
            if normal is None or time.monotonic() - normal < _CALM_SECONDS:
                return False
            fault.recovery = max(normal, hits) - fault.ended
            return True

        wait_for(calm, RECOVERY_SECONDS, "normal service")

    def wait_for_hits(self) -> None:
        """Wait until the cache serves projects.

        It asks for a new project: those on which a writer died are read from the database for a minute.
        """
        path = f"/projects/{self.new_project('-1')}"
        with self._caller() as caller:
            wait_for(lambda: self._source(caller, path) == "HIT", RECOVERY_SECONDS, "the cache to be used")

    def wait_for_stale_reads(self, seconds: float) -> None:
        """Wait until a reader has seen something too old, at most this long."""
        deadline = time.monotonic() + seconds
        while not self.tally.stale and time.monotonic() < deadline:
            time.sleep(0.05)

    def new_project(self, number: str) -> str:
        """Create a project in whose name this number stands and return its id."""
        body = {"name": f"{number} {NAME_MARK}"}
        with self._caller() as caller:
            reply: Reply = wait_for(lambda: good_reply(caller, "POST", "/projects", body), RECOVERY_SECONDS, "a new project")
        project_id: str = reply.data["_id"]
        return project_id

    # Writing

    def write_on(self, track: Track, write: Callable[[Caller, int], Reply], kind: str = "write") -> None:
        """Have one more thread write one number after the other; each until it is acknowledged, so that they stay in order."""
        resting = self._new_rest()

        def run() -> None:
            with self._caller() as caller:
                number = 0
                while not self._stop.is_set():
                    number += 1
                    with resting:
                        attempt = partial(self._write, kind, caller, track, number, write)
                        self._client.operate(kind, attempt, patience=float("inf"))
                    self._stop.wait(random.expovariate(1 / _WRITE_PAUSE_SECONDS))

        self._start(run)

    def _new_rest(self) -> threading.Lock:
        """Return a lock to hold while writing, by which `quiet` makes the writer rest."""
        resting = threading.Lock()
        self._resting.append(resting)
        return resting

    def _write(self, kind: str, caller: Caller, track: Track, number: int, write: Callable[[Caller, int], Reply]) -> bool:
        reply = self._client.ask(kind, partial(write, caller, number), good=(200,))
        if reply is None:
            return False
        track.reach(number)
        with self._counting:
            self.tally.acknowledged += 1
        return True

    def _save(self, caller: Caller, project: NumberedProject, number: int) -> Reply:
        body = {"project_id": project.id, "timeline_state": state(number), "description": f"save {number}"}
        return caller.call("POST", "/timeline/", body, Idempotency_Key=f"save-{project.id}-{number}")

    def _rename(self, caller: Caller, project: NumberedProject, number: int) -> Reply:
        return caller.call("PUT", f"/projects/{project.id}", {"name": f"{number} {NAME_MARK}"})

    def _create(self, caller: Caller, number: int) -> Reply:
        body = {"name": f"new {number}"}
        return caller.call("POST", "/projects", body, Idempotency_Key=f"new-{self.owner}-{number}")

    def _come_too_late(self, resting: threading.Lock) -> None:
        """Save on top of a state that is long gone: whoever is told of a newer version must find that version."""
        with self._caller() as caller:
            while not self._stop.is_set():
                project = random.choice(self._projects)
                body = {"project_id": project.id, "timeline_state": {}, "description": "too late"}
                save = partial(caller.call, "POST", "/timeline/", body, If_Match='"7-0000000000000000"')
                with resting:
                    reply = self._client.ask("too late", save, good=(), refused=412)
                if reply is not None:
                    project.saves.reach(json.loads(reply.body)["currentVersion"])
                self._stop.wait(random.expovariate(1 / _WRITE_PAUSE_SECONDS))

    # Reading

    def _old_project(self) -> NumberedProject:
        """Return a project that was saved and opened once."""
        project = NumberedProject(self.new_project("1"), Track("old saves"), Track("old renames"))
        with self._caller() as caller:
            wait_for(lambda: self._save(caller, project, 1).status == 200, RECOVERY_SECONDS, "a save")
            for look in looks_that_open(project):
                wait_for(partial(good_reply, caller, "GET", look.path), RECOVERY_SECONDS, look.path)
        project.saves.reach(1)
        project.renames.reach(1)
        return project

    def _read_on(self, looks: Sequence[Look], pause: float) -> None:
        seen: dict[str, tuple[str, Mapping[Track, int]]] = {}
        with self._caller() as caller:
            while not self._stop.is_set():
                look = random.choice(looks)
                self._client.operate("read", partial(self._read, caller, look, seen), patience=PATIENCE_SECONDS)
                self._stop.wait(random.expovariate(1 / pause))

    def _read(self, caller: Caller, look: Look, seen: dict[str, tuple[str, Mapping[Track, int]]]) -> bool:
        etag, known = seen.get(look.path, ("", {}))
        headers = {"Accept_Encoding": random.choice(_CODINGS)}
        if etag and random.random() < 0.5:
            headers["If_None_Match"] = etag
        floors = {track: track.reached for track in self._tracks()}
        started = time.monotonic()
        get = partial(caller.call, "GET", look.path, **headers)
        reply = self._client.ask("read", get, good=(200, 304), is_cached=look.is_cached)
        if reply is None:
            return False
        shown = look.numbers(reply.data) if reply.status == 200 else known
        if reply.status == 200 and "ETag" in reply.headers:
            seen[look.path] = reply.headers["ETag"], shown
        if reply.headers["X-Cache"] != "STALE" or not self._may_be_stale(started):
            source = f"{reply.status}, X-Cache {reply.headers['X-Cache']}"
            self.tally.stale += [
                f"{look.path} shows {track.name} {number} after {floors[track]} ({source})"
                for track, number in shown.items()
                if number < floors[track]
            ]
        return True

    def _may_be_stale(self, started: float) -> bool:
        now = time.monotonic()
        faults = [fault for fault in self.tally.faults if fault.mongodb_away]
        return any(fault.started <= now and started <= fault.ended + _NOTICE_SECONDS for fault in faults)

    def _source(self, caller: Caller, path: str) -> str:
        reply = good_reply(caller, "GET", path)
        return "" if reply is None else reply.headers.get("X-Cache", "")

    def _tracks(self) -> Iterator[Track]:
        for project in (*self._projects, self._old):
            yield project.saves
            yield project.renames
        yield self._creations

    def _caller(self) -> Caller:
        return Caller(self._ports, self.owner)

    def _start(self, run: Callable[[], None]) -> None:
        self._futures.append(self._pool.submit(run))
