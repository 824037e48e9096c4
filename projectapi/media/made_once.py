"""Files that are made when they are first asked for, once, whoever asks: threads of one process or other processes."""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as WaitTimeout
from contextlib import contextmanager, suppress
from pathlib import Path

from projectapi import errors
from projectapi.media.storage import MediaFolder

_STILL_MADE = "This is still being made; ask again in a moment."
_POLL_SECONDS = 0.05

Make = Callable[[Path], Path]
"""Makes a file in the scratch folder that it gets, and returns it."""


class MadeOnce:
    """Makes at most `at_once` files of one media folder at a time, each in a thread that goes on when nobody waits any more."""

    def __init__(self, folder: MediaFolder, *, at_once: int, make_seconds: float) -> None:
        self._folder = folder
        self._at_once = at_once
        self._make_seconds = make_seconds
        self._changed = threading.Condition()
        self._running: dict[str, Future[None]] = {}

    def path(self, name: str, make: Make, wait_seconds: float) -> Path:
        """Return where the file `name` of the media folder lies, which `make` makes if it is not there.

        Raises what `make` raises, and MediaBusy when it is not there after `wait_seconds`.
        """
        deadline = time.monotonic() + wait_seconds
        if not self._folder.is_made(name):
            try:
                self._flight(name, make, deadline).result(max(0, deadline - time.monotonic()))
            except WaitTimeout as error:
                raise errors.MediaBusy(_STILL_MADE) from error
        return self._folder.root / name

    def _flight(self, name: str, make: Make, deadline: float) -> Future[None]:
        with self._changed:
            self._changed.wait_for(
                lambda: name in self._running or len(self._running) < self._at_once, max(0, deadline - time.monotonic())
            )
            running = self._running.get(name)
            if running is None:
                if len(self._running) >= self._at_once:
                    raise errors.MediaBusy
                running = self._running[name] = Future()
                # A daemon: what it leaves behind when the process ends must be what a sweep takes away.
                threading.Thread(target=self._fly, args=(name, make, running), name="look", daemon=True).start()
            return running

    def _fly(self, name: str, make: Make, flight: Future[None]) -> None:
        failure = None
        try:
            self._make(name, make)
        except BaseException as error:
            failure = error
        with self._changed:
            del self._running[name]
            self._changed.notify_all()
        if failure is None:
            flight.set_result(None)
        else:
            flight.set_exception(failure)

    def _make(self, name: str, make: Make) -> None:
        # All that is made here is small beside the reserve.
        with self._folder.work_folder(expected_bytes=0) as scratch, self._alone(name):
            # Another process may have been quicker.
            if not self._folder.is_made(name):
                self._folder.publish(make(scratch), name)

    @contextmanager
    def _alone(self, name: str) -> Iterator[None]:
        """Hold the one right of all processes to make this file; it ends with the process, however that ends."""
        path = self._folder.root / f"{name}.lock"
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            self._take(lock)
            yield
            # While it is held: whoever waits for this very lock looks for the file first.
            with suppress(FileNotFoundError):
                path.unlink()
        finally:
            os.close(lock)

    def _take(self, lock: int) -> None:
        deadline = time.monotonic() + self._make_seconds
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise errors.MediaBusy(_STILL_MADE) from None
                time.sleep(_POLL_SECONDS)
            else:
                return
