"""What is left when the dust has settled: every acknowledged save, once, as it was sent."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from tests.harness.caller import Caller, CallFailed
from tests.harness.numbered import PAGE, NumberedProject, Track, created, leading, number_of, state
from tests.harness.verdicts import Tally
from tests.harness.whole_app import Reply, wait_for

_SECONDS = 30.0
_NEXT = re.compile(r'<([^>]+)>; rel="next"')


def good_reply(caller: Caller, method: str, path: str, body: Any = None) -> Reply | None:
    """Return the answer if it is there and says 200."""
    try:
        reply = caller.call(method, path, body)
    except CallFailed:
        return None
    return reply if reply.status == 200 else None


def look_for_losses(caller: Caller, projects: Sequence[NumberedProject], creations: Track, tally: Tally) -> None:
    """Note in `tally` what was acknowledged and is not there, and what is there twice."""
    for project in projects:
        _look_at_history(caller, project, tally)
        _look_at_current_state(caller, project, tally)
    times = Counter(created(project["name"] for project in _all_pages(caller, f"/projects/?limit={PAGE}")))
    tally.lost += [f"project {number}" for number in range(1, creations.reached + 1) if not times[number]]
    tally.doubled += [f"project {number}" for number, count in times.items() if count > 1]


def _look_at_history(caller: Caller, project: NumberedProject, tally: Tally) -> None:
    entries: list[dict[str, Any]] = []
    path = f"/timeline/{project.id}/history?include_state=true&limit={PAGE}"
    while page := _reply(caller, f"{path}&skip={len(entries)}").data:
        entries += page
    for number in range(1, project.saves.reached + 1):
        saved = [entry["timeline_state"] for entry in entries if entry["description"] == f"save {number}"]
        if saved[:1] != [state(number)]:
            tally.lost.append(f"save {number} of {project.id}")
    times = Counter(entry["description"] for entry in entries)
    tally.doubled += [f"{what} of {project.id}" for what, count in times.items() if count > 1]


def _look_at_current_state(caller: Caller, project: NumberedProject, tally: Tally) -> None:
    # A worker that stood still for seconds may take MongoDB for away and show its copy, which says that it is one.
    reply = _reply(caller, f"/projects/{project.id}", stale=False)
    whole, source = reply.data, reply.headers["X-Cache"]
    shown = number_of(whole["timeline_state"])
    if whole["timeline_state"] != state(shown) or shown < project.saves.reached:
        tally.lost.append(f"save {project.saves.reached} of {project.id}, which shows save {shown} ({source})")
    if leading(whole["name"]) < project.renames.reached:
        tally.lost.append(f"the last name of {project.id}")


def _all_pages(caller: Caller, path: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    next_path: str | None = path
    while next_path:
        reply = _reply(caller, next_path)
        found += reply.data
        link = _NEXT.search(reply.headers.get("Link", ""))
        next_path = link[1] if link else None
    return found


def _reply(caller: Caller, path: str, *, stale: bool = True) -> Reply:
    def wanted() -> Reply | None:
        reply = good_reply(caller, "GET", path)
        return reply if reply is not None and (stale or reply.headers["X-Cache"] != "STALE") else None

    reply: Reply = wait_for(wanted, _SECONDS, path)
    return reply
