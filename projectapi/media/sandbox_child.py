"""What a sandboxed process does before it becomes the tool: give up rights, take on limits, open the untrusted file.

Runs as a script of its own, ``python -I -S sandbox_child.py '<json>'``, because code between fork and exec
(``preexec_fn``) is not safe in a server with threads. Uses the standard library only.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import sys
from typing import Any

FIRST_INPUT = 3
"""The untrusted file is open under this descriptor and those that follow, once for every time that the tool reads it."""

_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_NICENESS = 10


def _leave_with_the_parent(parent: int) -> None:
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    # The parent may have died before the signal was asked for.
    if os.getppid() != parent:
        sys.exit("the parent process is gone")


def _limit(kind: int, most: int, grace: int = 0) -> None:
    ceiling = resource.getrlimit(kind)[1]
    allowed, last = (wish if ceiling == resource.RLIM_INFINITY else min(wish, ceiling) for wish in (most, most + grace))
    try:
        resource.setrlimit(kind, (allowed, last))
    except (ValueError, OSError):
        # macOS has no limit on the address space; the time limit still holds there.
        if sys.platform == "linux":
            raise


def _open_inputs(path: str, count: int) -> None:
    for wanted in range(FIRST_INPUT, FIRST_INPUT + count):
        descriptor = os.open(path, os.O_RDONLY)
        if descriptor != wanted:
            os.dup2(descriptor, wanted)
            os.close(descriptor)
        os.set_inheritable(wanted, True)


def main(order: dict[str, Any]) -> None:
    """Apply the order and become the tool."""
    _leave_with_the_parent(order["parent"])
    os.nice(_NICENESS)
    _open_inputs(order["input"], order["inputs"])
    _limit(resource.RLIMIT_CORE, 0)
    # At the first limit comes SIGXCPU, which says what happened; at the last one SIGKILL, which does not.
    _limit(resource.RLIMIT_CPU, order["cpu_seconds"], grace=1)
    _limit(resource.RLIMIT_FSIZE, order["output_bytes"])
    _limit(resource.RLIMIT_AS, order["memory_bytes"])
    command = order["command"]
    os.execv(command[0], command)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
