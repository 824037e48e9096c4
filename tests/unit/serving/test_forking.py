"""A request to stop is not lost in the moment in which a worker is made."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

PARENT = """
import os, signal, sys, time
from projectapi.serving.forking import lose_no_stop_signal

noted = []
for number in (signal.SIGTERM, signal.SIGQUIT, signal.SIGINT):
    signal.signal(number, lambda number, frame: noted.append(number))
lose_no_stop_signal()
child = os.fork()
if child == 0:
    time.sleep(20)
    os._exit(0)
os.kill(child, int(sys.argv[1]))
_, status = os.waitpid(child, 0)
os.kill(os.getpid(), int(sys.argv[1]))
print(os.WTERMSIG(status) if os.WIFSIGNALED(status) else "slept on", *noted)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT, signal.SIGINT])
def test_a_process_that_was_just_forked_obeys_and_its_parent_goes_on_noting(number: signal.Signals) -> None:
    command = [sys.executable, "-c", PARENT, str(int(number))]
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}

    run = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True, env=environment)

    assert run.stdout.split() == [str(int(number))] * 2
