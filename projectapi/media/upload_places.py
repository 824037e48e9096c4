"""How many uploads a process takes at once: each holds one of its threads for as long as the client takes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from projectapi import errors


class UploadPlaces:
    """So many uploads are received at once by this process, and no more."""

    def __init__(self, count: int) -> None:
        self._places = threading.BoundedSemaphore(count)

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Hold a place. Raises MediaBusy at once when there is none: who waited would hold a thread as well."""
        if not self._places.acquire(blocking=False):
            raise errors.MediaBusy("The server takes as many uploads as it can. Please try again in a few seconds.")
        try:
            yield
        finally:
            self._places.release()
