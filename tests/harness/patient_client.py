"""A client that repeats what failed, with growing pauses, and notes every answer."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence

from tests.harness.caller import CallFailed
from tests.harness.verdicts import OK, PATIENCE_SECONDS, REFUSED, Answer, Operation, Tally, trouble_of
from tests.harness.whole_app import Reply

_FIRST_REPEAT_SECONDS, _LAST_REPEAT_SECONDS = 0.05, 0.25


class PatientClient:
    """Used by many threads at once; gives up when `stop` is set."""

    def __init__(self, tally: Tally, stop: threading.Event) -> None:
        self._tally = tally
        self._stop = stop

    def operate(self, kind: str, attempt: Callable[[], bool], *, patience: float) -> None:
        """Repeat `attempt` until it succeeds, for `patience` seconds at the most, and note how long that took."""
        started, attempts, pause = time.monotonic(), 0, _FIRST_REPEAT_SECONDS
        done = False
        while not done and not self._stop.is_set() and time.monotonic() - started <= patience:
            if attempts:
                self._stop.wait(random.uniform(0.5, 1) * pause)
                pause = min(2 * pause, _LAST_REPEAT_SECONDS)
            attempts += 1
            done = attempt()
        took = time.monotonic() - started
        # What the end of the load cut short is neither done nor failed.
        if done or took > PATIENCE_SECONDS:
            self._tally.operations.append(Operation(kind, attempts, took))

    def ask(
        self, kind: str, call: Callable[[], Reply], *, good: Sequence[int], refused: int = 0, is_cached: bool = False
    ) -> Reply | None:
        """Make one call, note what came of it, and return the answer if it is a good one or the refusal that is in order."""
        started, source, reply = time.monotonic(), "", None
        try:
            reply = call()
        except CallFailed as failure:
            outcome = type(failure.__cause__).__name__
        else:
            source = reply.headers.get("X-Cache", "")
            outcome = OK if reply.status in good else REFUSED if reply.status == refused else trouble_of(reply)
        answer = Answer(kind, started, time.monotonic(), outcome, source, is_cached)
        self._tally.answers.append(answer)
        return reply if answer.is_good else None
