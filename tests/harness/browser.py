"""A browser without a window, for what only a browser can tell; a test that needs one is skipped where there is none."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

_OPTIONS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run")


class Rendered(NamedTuple):
    """A page as it stands after its scripts have run, and what they and the browser wrote into its console."""

    page: str
    console: list[str]


@contextmanager
def browser(url: str, folder: Path) -> Iterator[None]:
    """Have Chromium show a page until the block ends; `folder` is for its profile and its log."""
    command = [*_chromium(folder), url]
    with (folder / "chromium.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        yield
    finally:
        # With all the processes that it started.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def rendered(url: str, folder: Path, *, seconds: float = 90.0) -> Rendered:
    """Return the page after half a minute of its own time, which stands still while anything is loading."""
    options = ("--enable-logging=stderr", "--virtual-time-budget=30000", "--dump-dom")
    done = subprocess.run([*_chromium(folder), *options, url], capture_output=True, text=True, timeout=seconds, check=True)
    return Rendered(done.stdout, [line for line in done.stderr.splitlines() if ":CONSOLE:" in line])


def _chromium(folder: Path) -> list[str]:
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("no chromium is installed")
    return [program, *_OPTIONS, f"--user-data-dir={folder / 'profile'}"]
