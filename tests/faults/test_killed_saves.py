"""Workers and the database are killed in the middle of saves, round after round: no half save, no acknowledged save lost.

FAULT_ROUNDS (default 10) is the number of rounds; every fifth kills the database, the others a worker. See the counts with -s.
"""

from __future__ import annotations

import json
import os
import random
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from projectapi.project import new_id
from tests.harness.caller import Caller, CallFailed
from tests.harness.fault_world import World
from tests.harness.stores import same, state
from tests.harness.whole_app import wait_for

ROUNDS = int(os.environ.get("FAULT_ROUNDS", "10"))
DATABASE_EVERY = 5
WRITERS = 4
SAVES_BEFORE, SAVES_AFTER = 12, 12
SECONDS = 30.0
OWNER = "fault"


@dataclass
class Writer:
    """An editor's tab that saves as fast as it can; what it was told, and what it was not told.

    With `persists` it sends a save that got no answer again, under the same Idempotency-Key, until it has one.
    """

    port: int
    project_id: str
    number: int
    persists: bool
    acknowledged: dict[int, Any] = field(default_factory=dict)
    in_doubt: list[Any] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)

    def run(self, done: threading.Event) -> None:
        """Save until it is enough."""
        turn = 0
        with Caller([self.port], OWNER, seconds=SECONDS) as caller:
            while not done.is_set():
                turn += 1
                self._save(caller, state(turn, writer=self.number, clips=20), done)

    def _save(self, caller: Caller, sent: Any, done: threading.Event) -> None:
        body = {"project_id": self.project_id, "timeline_state": sent, "description": "Quick Save"}
        headers = {"Idempotency_Key": new_id()} if self.persists else {}
        self.in_doubt.append(sent)
        while True:
            try:
                reply = caller.call("POST", "/timeline/", body, **headers)
            except CallFailed:
                self.outcomes["no answer"] += 1
            else:
                self.outcomes[str(reply.status)] += 1
                if reply.status == 200:
                    self.in_doubt.remove(sent)
                    assert reply.data["version"] not in self.acknowledged
                    self.acknowledged[reply.data["version"]] = sent
                    return
                assert reply.status == 503, reply.body
            if not self.persists:
                return
            done.wait(0.02)


def play_round(world: World, number: int, chance: random.Random) -> tuple[str, list[Writer]]:
    """Have four tabs save into a new project while something is killed; return the project's id and the tabs."""
    with Caller([world.app.port], OWNER, seconds=SECONDS) as caller:
        project_id = caller.call("POST", "/projects", {"name": f"round {number}"}).data["_id"]
    writers = [Writer(world.app.port, project_id, n, persists=n % 2 == 0) for n in range(WRITERS)]
    done = threading.Event()

    def acknowledged() -> int:
        return sum(len(writer.acknowledged) for writer in writers)

    with ThreadPoolExecutor(WRITERS) as pool:
        running_writers = [pool.submit(writer.run, done) for writer in writers]
        try:
            wait_for(lambda: acknowledged() >= SAVES_BEFORE, SECONDS, "the first saves")
            # Not at the moment at which an answer was seen, but anywhere in the middle of a save
            done.wait(chance.uniform(0, 0.05))
            if number % DATABASE_EVERY == 0:
                world.mongodb.kill()
                world.mongodb.start()
            else:
                world.app.kill_worker(chance)
            enough = acknowledged() + SAVES_AFTER
            wait_for(lambda: acknowledged() >= enough, SECONDS, "saves after the kill")
        finally:
            done.set()
    for running_writer in running_writers:
        running_writer.result()
    return project_id, writers


def history_of(world: World, project_id: str) -> list[Any]:
    """Return all versions with their states, newest first, after a look that the current one is what the others say."""
    with Caller([world.app.port], OWNER, seconds=SECONDS) as caller:
        entries: list[Any] = []
        path = f"/timeline/{project_id}/history?include_state=true&limit=100"
        while page := caller.call("GET", f"{path}&skip={len(entries)}").data:
            entries += page
        current = caller.call("GET", f"/timeline/{project_id}").data
        whole = caller.call("GET", f"/timeline/{project_id}/current").data
        project = caller.call("GET", f"/projects/{project_id}").data
    newest = entries[0]
    assert [entry["version"] for entry in entries if entry["is_current"]] == [newest["version"]]
    assert current["version"] == whole["version"] == newest["version"] and whole["_id"] == newest["_id"]
    for found in (current["timeline_state"], whole["timeline_state"], project["timeline_state"]):
        assert same(found, newest["timeline_state"])
    return entries


def check_round(entries: list[Any], writers: list[Writer]) -> int:
    """Check that history is what the tabs were told; return how many saves it has that were never acknowledged."""
    history = {entry["version"]: entry["timeline_state"] for entry in entries}
    assert list(history) == list(range(len(entries), 0, -1)), "numbers without gaps, each once"
    told: dict[int, Any] = {}
    for writer in writers:
        assert not told.keys() & writer.acknowledged.keys(), "a number was given out twice"
        told |= writer.acknowledged
    lost = [version for version, sent in told.items() if not same(history.get(version), sent)]
    assert lost == [], "acknowledged saves that are not in history as they were sent"
    # What else is there was sent whole, and once
    in_doubt = Counter(json.dumps(sent) for writer in writers for sent in writer.in_doubt)
    others = Counter(json.dumps(kept) for version, kept in history.items() if version not in told)
    assert others <= in_doubt, "a save that nobody sent, half a save, or one that was done twice"
    assert not any(writer.in_doubt for writer in writers if writer.persists), "persisting tabs got an answer to each save"
    return sum(others.values())


def test_no_save_is_lost_halved_or_doubled_whatever_is_killed(world: World) -> None:
    chance, totals = random.Random(11), Counter[str]()
    for number in range(1, ROUNDS + 1):
        project_id, writers = play_round(world, number, chance)

        entries = history_of(world, project_id)

        totals["saves kept though nobody was told"] += check_round(entries, writers)
        totals["rounds"] += 1
        totals["versions"] += len(entries)
        for writer in writers:
            totals["acknowledged"] += len(writer.acknowledged)
            totals.update({f"answers: {name}": count for name, count in writer.outcomes.items()})

    print(f"\nkilled saves: {dict(totals)}")
    assert totals["answers: no answer"] > 0, "no kill met a save"
