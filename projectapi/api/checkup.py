"""All checks at once, in a time that a host's health check will wait for, whatever hangs."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from projectapi.protocols import Check, Finding, State

log = logging.getLogger("projectapi.health")

_WORST_FIRST = (State.UNHEALTHY, State.DEGRADED)


@dataclass(frozen=True, slots=True)
class Result:
    """What a check found, and how long it took in seconds."""

    finding: Finding
    seconds: float


class _Look:
    """One run of a check, in a thread of its own."""

    def __init__(self, check: Check) -> None:
        self._check = check
        self._started = time.monotonic()
        self._result: Result | None = None
        self._thread = threading.Thread(target=self._run, name=f"check-{check.name}", daemon=True)
        self._thread.start()

    @property
    def is_over(self) -> bool:
        return not self._thread.is_alive()

    def result_by(self, moment: float) -> Result:
        self._thread.join(max(0.0, moment - time.monotonic()))
        return self._result or Result(self._check.when_silent, time.monotonic() - self._started)

    def _run(self) -> None:
        try:
            finding = self._check.look()
        except Exception as error:
            log.error("the check of %s failed", self._check.name, exc_info=error)
            finding = self._check.when_silent
        self._result = Result(finding, time.monotonic() - self._started)


class Checkup:
    """Runs the checks side by side; one that still hangs from the last time is not started again."""

    def __init__(self, checks: Sequence[Check], *, seconds: float = 0.8) -> None:
        self._checks = checks
        self._seconds = seconds
        self._lock = threading.Lock()
        self._looks: dict[str, _Look] = {}

    def results(self) -> dict[str, Result]:
        """Return what each check found, by its name; what found nothing in time is said to be silent."""
        give_up_at = time.monotonic() + self._seconds
        looks = {check.name: self._look(check) for check in self._checks}
        return {name: look.result_by(give_up_at) for name, look in looks.items()}

    def _look(self, check: Check) -> _Look:
        with self._lock:
            look = self._looks.get(check.name)
            if look is None or look.is_over:
                look = self._looks[check.name] = _Look(check)
            return look


def overall(results: Mapping[str, Result]) -> State:
    """Return the worst state; an unknown one counts for nothing, for then another check knows why."""
    found = {result.finding.state for result in results.values()}
    return next((state for state in _WORST_FIRST if state in found), State.HEALTHY)


def described(results: Mapping[str, Result]) -> dict[str, dict[str, Any]]:
    """Return the results as they are shown: state, milliseconds and facts of each part, and advice where there is any."""
    return {
        name: {
            "state": result.finding.state.value,
            "milliseconds": round(result.seconds * 1000, 1),
            **result.finding.facts,
            **({"advice": result.finding.advice} if result.finding.advice else {}),
        }
        for name, result in results.items()
    }
