"""The application, whose worker kills itself as kill -9 does before the n-th step of a request, if its client asks for that.

``X-Die-At: n`` names the step. Steps are what an upload does to the world: reads from the socket, files made, renamed, linked
and removed, tools started, commands to the database. The answer's ``X-Steps`` says how many there were.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterable
from typing import Any

from pymongo import monitoring

from config import Config
from projectapi import create_app

_EVENTS = {"os.rename", "os.link", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.utime", "subprocess.Popen"}


class Life(threading.local):
    """How many steps the request of this thread has done, and before which it dies; 0 is never."""

    steps = 0
    end = 0

    def step(self) -> None:
        """Do one more step, or die."""
        if self.end:
            self.steps += 1
            if self.steps == self.end:
                os.kill(os.getpid(), signal.SIGKILL)


life = Life()


def _on_event(event: str, arguments: tuple[Any, ...]) -> None:
    if event in _EVENTS or (event == "open" and str(arguments[0]).startswith(_MEDIA_DIR)):
        life.step()


class Commands(monitoring.CommandListener):
    """Counts commands to the database."""

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        """A step."""
        life.step()

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """A step as well: the database has done it and nobody knows."""
        life.step()

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Not counted."""


class CountedInput:
    """The body of a request, each read of which is a step."""

    def __init__(self, body: Any) -> None:
        self._body = body

    def read(self, size: int = -1) -> bytes:
        """Read."""
        life.step()
        data: bytes = self._body.read(size)
        return data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._body, name)


class Mortal:
    """WSGI middleware around the application."""

    def __init__(self, application: Any) -> None:
        self._application = application

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Serve a request, or die of it."""
        life.steps, life.end = 0, int(environ.get("HTTP_X_DIE_AT", "0"))
        if life.end:
            environ["wsgi.input"] = CountedInput(environ["wsgi.input"])

        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            steps, life.end = life.steps, 0
            return start_response(status, [*headers, ("X-Steps", str(steps))], *rest)

        answer: Iterable[bytes] = self._application(environ, start)
        return answer


monitoring.register(Commands())
_config = Config.from_env()
_MEDIA_DIR = str(_config.media_dir)
app = create_app(_config)
app.wsgi_app = Mortal(app.wsgi_app)  # type: ignore[method-assign]
sys.addaudithook(_on_event)
