"""The folder that all processes working on one disk of videos share: it bounds how many jobs they do at once."""

from __future__ import annotations

import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_POLL_SECONDS = 0.1


class JobsFolder:
    """Files below one folder next to the videos; nothing is made before it is needed.

    ::

        place_<n>.lock   locked by who works; the kernel unlocks it when its process ends, however it ends
        name             what this disk is called, drawn once
    """

    def __init__(self, root: Path, *, at_once: int) -> None:
        self._root = root
        self._at_once = at_once

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold one of the places for work on this machine; wait for it as long as it takes."""
        descriptor = self._take_a_place()
        try:
            yield
        finally:
            os.close(descriptor)

    def name(self) -> str:
        """Return the name of this disk: work on its files can be done by processes that read the same name, and no others.

        A worker on another machine (another dyno, say) has a disk, and so a name, of its own.
        """
        path = self._made() / "name"
        try:
            return path.read_text(encoding="ascii")
        except FileNotFoundError:
            draft = path.with_name(f"name_{secrets.token_hex(8)}")
            draft.write_text(secrets.token_hex(8), encoding="ascii")
            try:
                # Unlike a rename, a link never replaces the name that another process drew at the same time.
                os.link(draft, path)
            except FileExistsError:
                pass
            finally:
                draft.unlink()
            return path.read_text(encoding="ascii")

    def _take_a_place(self) -> int:
        while True:
            for number in range(self._at_once):
                descriptor = os.open(self._made() / f"place_{number}.lock", os.O_RDWR | os.O_CREAT, 0o600)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    os.close(descriptor)
                else:
                    return descriptor
            time.sleep(_POLL_SECONDS)

    def _made(self) -> Path:
        self._root.mkdir(parents=True, exist_ok=True)
        return self._root
