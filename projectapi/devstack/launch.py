"""Become another program, one that ends when its parent does.

Run as a script, `launch.py SIGNAL PARENT PROGRAM ARGUMENT...`: asks Linux to send SIGNAL to this process as soon as the
process PARENT is gone, even by kill -9, and then turns into PROGRAM. A `preexec_fn` could ask the same, but Python code
between fork and exec may deadlock where other threads run.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Replace this process by the program that the command line names."""
    signal_number, parent, *command = sys.argv[1:]
    if sys.platform == "linux" and int(signal_number):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal_number))
        if os.getppid() != int(parent):  # It died before we could ask to be told.
            sys.exit("The parent process is gone.")
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
