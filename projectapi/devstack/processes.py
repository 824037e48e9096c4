"""Child processes that do not outlive us, and what is left of those that did."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import click

_LAUNCHER = Path(__file__).with_name("launch.py")
_PROC = Path("/proc/self")
_POLL_SECONDS = 0.02


class DevstackError(click.ClickException):
    """The embedded servers cannot be had; the message is one or two sentences for the developer.

    As a ClickException it is shown without a traceback by every `flask` command.
    """


def start_child(
    command: Sequence[str], *, when_parent_dies: signal.Signals = signal.SIGKILL, log: Path | None = None
) -> subprocess.Popen[bytes]:
    """Start `command`, whose first part is the path of a program, as a child that ends with this process.

    `when_parent_dies` is what Linux sends it should this process vanish; elsewhere, or when called from another thread than
    the main one, nothing is sent. Output goes to the end of the file `log`, or to our own output.

    The child gets a session of its own: a Ctrl-C in the terminal reaches only us, so that we decide who stops first.
    """
    # Linux watches the thread that started the child, not the process: one of a short life would take the child with it.
    watched = threading.current_thread() is threading.main_thread()
    signal_number = int(when_parent_dies) if watched else 0
    launcher = [sys.executable, "-I", "-S", str(_LAUNCHER), str(signal_number), str(os.getpid())]
    if log is None:
        return subprocess.Popen([*launcher, *command], stdin=subprocess.DEVNULL, start_new_session=True)
    with log.open("ab") as output:
        return subprocess.Popen(
            [*launcher, *command], stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )


def wait_or_kill(child: subprocess.Popen[bytes], seconds: float) -> None:
    """Wait for `child`, which was asked to end; kill it when it is still there after `seconds`."""
    try:
        child.wait(seconds)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def end_orphan(pid: int, *marks: str, grace_seconds: float = 5.0) -> None:
    """End the process `pid` of an earlier run if its command line still shows all `marks`; leave any other process alone."""
    for signal_number in (signal.SIGTERM, signal.SIGKILL):
        if not is_running(pid, *marks):
            return
        with suppress(ProcessLookupError):
            os.kill(pid, signal_number)
        wait_until(lambda: not is_running(pid, *marks), grace_seconds)


def is_running(pid: int, *marks: str) -> bool:
    """Tell whether `pid` is a live process whose command line shows all `marks`: ids are given out again, so look twice."""
    command = _command_line(pid)
    return bool(command) and all(mark in command for mark in marks)


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Wait until `condition` holds, at most `seconds`; return whether it does."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def _command_line(pid: int) -> str:
    """Return the arguments of the process `pid`, or nothing when it is gone or a zombie."""
    if _PROC.exists():
        try:
            return (_PROC.parent / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            return ""
    listing = subprocess.run(["ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return "" if "<defunct>" in listing.stdout else listing.stdout.strip()
