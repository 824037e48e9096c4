"""What happens to a request to stop that meets a worker while it is being made."""

from __future__ import annotations

import os
import signal
from functools import partial

_STOP_SIGNALS = (signal.SIGTERM, signal.SIGQUIT, signal.SIGINT)


def lose_no_stop_signal() -> None:
    """Let a request to stop end a process that was just forked from this one, until it has handlers of its own.

    gunicorn's parent process only notes signals and asks its workers once. A worker begins with a copy of those handlers: it
    would note the request where nobody looks, and be waited for until `graceful_timeout`.
    """
    os.register_at_fork(
        before=partial(signal.pthread_sigmask, signal.SIG_BLOCK, _STOP_SIGNALS),
        after_in_parent=partial(signal.pthread_sigmask, signal.SIG_UNBLOCK, _STOP_SIGNALS),
        after_in_child=_obey,
    )


def _obey() -> None:
    for number in _STOP_SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP_SIGNALS)
