"""What clients saw of a fault: every answer, every operation, and the verdict on them as one row of a table."""

from __future__ import annotations

import os
import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime

from tests.harness.whole_app import Reply

OK, REFUSED = "ok", "refused"
PATIENCE_SECONDS = 15.0
"""For how long a client repeats an operation; one that takes longer counts as failed, whatever becomes of it."""


@dataclass(frozen=True)
class Answer:
    """One request and what came of it: `outcome` is OK, REFUSED (with good reason), or what went wrong.

    Times are of the monotonic clock. `is_cached` tells a read of a project that the cache has.
    """

    kind: str
    started: float
    ended: float
    outcome: str
    source: str = ""
    is_cached: bool = False

    @property
    def seconds(self) -> float:
        """How long the client waited."""
        return self.ended - self.started

    @property
    def is_good(self) -> bool:
        """Tell whether the client got what it asked for, or a refusal that is in order."""
        return self.outcome in (OK, REFUSED)

    @property
    def is_normal(self) -> bool:
        """Tell whether the client noticed nothing."""
        return self.is_good and self.source != "STALE"


@dataclass(frozen=True)
class Operation:
    """One thing that a client wanted, with all the attempts that it made, each under the same Idempotency-Key."""

    kind: str
    attempts: int
    seconds: float

    @property
    def succeeded(self) -> bool:
        """Tell whether the client got it before its patience was at an end."""
        return self.seconds <= PATIENCE_SECONDS


@dataclass
class Fault:
    """When something was broken, on the monotonic clock, and how long after its end service was normal (seconds)."""

    mongodb_away: bool
    started: float
    ended: float = float("inf")
    recovery: float = 0.0


@dataclass
class Tally:
    """Everything that the clients of one load saw; threads only ever append."""

    answers: list[Answer] = field(default_factory=list)
    operations: list[Operation] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    acknowledged: int = 0
    stale: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)

    @property
    def sources(self) -> Counter[str]:
        """Reads by their X-Cache."""
        return Counter(answer.source for answer in self.answers if answer.source)

    @property
    def failures(self) -> Counter[str]:
        """Answers that were none, by what they looked like."""
        return Counter(f"{answer.kind}: {answer.outcome}" for answer in self.answers if not answer.is_good)

    @property
    def slowest(self) -> float:
        """Seconds that the slowest answer took, whatever it was."""
        return self.slowest_answer.seconds

    @property
    def slowest_answer(self) -> Answer:
        """Return the one that a client waited for longest."""
        return max(self.answers, key=lambda answer: answer.seconds)

    @property
    def recovery(self) -> float:
        """Seconds from the end of a fault until service was normal, at the worst."""
        return max((fault.recovery for fault in self.faults), default=0.0)

    def recovered_at(self, back: float) -> float | None:
        """Return the moment since which service has been normal again, None if a kind of request has not succeeded since."""
        since = [answer for answer in list(self.answers) if answer.started >= back]
        firsts = [[a.ended for a in since if a.is_normal and a.kind == kind] for kind in ("read", "write")]
        if not all(firsts):
            return None
        return max([min(ends) for ends in firsts] + [answer.ended for answer in since if not answer.is_normal])

    def repeated(self) -> tuple[int, int]:
        """Return how many operations failed at first, and how many of them succeeded in the end."""
        repeated = [operation for operation in self.operations if operation.attempts > 1]
        return len(repeated), sum(operation.succeeded for operation in repeated)

    def cached_reads_during_faults(self) -> tuple[int, int]:
        """Return how many reads of cached projects began while something was broken, and how many were answered."""
        asked = [a for a in self.answers if a.is_cached and any(f.started <= a.started < f.ended for f in self.faults)]
        return len(asked), sum(answer.is_good for answer in asked)

    def row(self) -> dict[str, str]:
        """Return the verdict by the heads of its columns."""
        failed, helped = self.repeated()
        asked, good = self.cached_reads_during_faults()
        return {
            "acknowledged writes": f"{self.acknowledged:,}",
            "lost": str(len(self.lost)),
            "stale": str(len(self.stale)),
            "doubled": str(len(self.doubled)),
            "answers, good": _share(sum(answer.is_good for answer in self.answers), len(self.answers)),
            "operations, done": _share(sum(operation.succeeded for operation in self.operations), len(self.operations)),
            "done by repeating": f"{helped} of {failed}" if failed else "",
            "cached reads meanwhile, good": _share(good, asked) if asked else "",
            "`STALE`": f"{self.sources['STALE']:,}",
            "longest answer, s": f"{self.slowest:.2f}",
            "recovery, s": f"{self.recovery:.2f}" if self.faults else "",
        }


def trouble_of(reply: Reply) -> str:
    """Return the status and the code of an error."""
    found = re.search(r'"code":\s*"(\w+)"', reply.body.decode(errors="replace"))
    return f"{reply.status} {found[1] if found else 'without a code'}"


def machine(seconds: float) -> str:
    """Return when and where a table was made; `seconds` is for how long each fault was repeated."""
    when = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    busy = f"load average {os.getloadavg()[1]:.1f}, the clients included"
    return f"Seen {when} on {os.cpu_count()} cores ({busy}), each fault repeated for {seconds:g} s."


def _share(part: int, whole: int) -> str:
    # Rounded down: 100 % means all of them.
    return f"{int(10_000 * part / whole) / 100:.2f} % of {whole:,}" if whole else ""
