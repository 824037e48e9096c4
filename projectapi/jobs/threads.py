"""Jobs in threads of this process: what there is without Redis, and without a worker process that listens to it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue

from projectapi.protocols import JobCarrier


class ThreadCarrier(JobCarrier):
    """`JobCarrier` that runs at most `at_once` jobs at a time, in threads that start when they are first needed.

    What waits here is lost with the process, but its record is not: who asks for it later hands it over again.
    """

    def __init__(self, run: Callable[[str], None], *, at_once: int) -> None:
        self._run = run
        self._at_once = at_once
        self._line: SimpleQueue[str] = SimpleQueue()
        self._in_hand: set[str] = set()
        self._threads = 0
        self._lock = threading.Lock()

    def carry(self, job_id: str) -> bool:
        """See `JobCarrier.carry`."""
        with self._lock:
            if job_id in self._in_hand:
                return True
            self._in_hand.add(job_id)
            if self._threads < min(self._at_once, len(self._in_hand)):
                self._threads += 1
                # A daemon: the end of the process must not wait for a cut of minutes. The lease brings the job back.
                threading.Thread(target=self._work, name="jobs", daemon=True).start()
        self._line.put(job_id)
        return True

    def _work(self) -> None:
        while True:
            job_id = self._line.get()
            try:
                self._run(job_id)
            finally:
                with self._lock:
                    self._in_hand.discard(job_id)
