"""The parts of a running installation, each of which a test can kill, freeze and start again by itself, on a fixed port."""

from __future__ import annotations

import itertools
import os
import random
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from subprocess import Popen

from config import Config
from projectapi import create_app
from projectapi.devstack.processes import start_child, wait_or_kill
from projectapi.devstack.servers import EmbeddedServer
from tests.harness.caller import Caller, CallFailed
from tests.harness.whole_app import ROOT, free_port, wait_for

START_SECONDS = 60.0
_STOP_SECONDS = 15.0


class KillableServer(EmbeddedServer):
    """A database or cache server that comes back on the same port and the same data."""

    def start(self) -> None:
        """Start the server and wait until it answers."""
        if self.port:
            self._ports = itertools.repeat(self.port)
        super().start()
        self.wait_until_ready()

    def kill(self) -> None:
        """Kill -9."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def freeze(self) -> None:
        """Let the process stand still: its connections stay open, and nothing answers."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let the process go on where it stood still."""
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def thaw_or_start(self) -> None:
        """Have the server running, whatever was done to it."""
        if self.process is None or self.process.poll() is not None:
            self.start()
        else:
            self.thaw()

    def stop(self) -> None:
        """End the server, frozen or not; does nothing when it is gone already."""
        if self.process is not None and self.process.poll() is None:
            self.thaw()
            super().stop()


class GunicornApp:
    """The application under gunicorn, with servers that others started."""

    def __init__(
        self, folder: Path, *, mongodb_uri: str, redis_url: str, workers: int, app: str = "wsgi:app", **environment: str
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.log = folder / "app.log"
        self._app = app
        self._workers = workers
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "PYTHONPATH": str(ROOT),
            "PORT": str(self.port),
            "WEB_CONCURRENCY": str(workers),
            "MONGODB_URI": mongodb_uri,
            "REDIS_URL": redis_url,
            "INSTANCE_DIR": str(folder / "instance"),
            "MEDIA_DIR": str(folder / "media"),
            "LOG_LEVEL": "WARNING",
            **environment,
        }
        self._process: Popen[bytes] | None = None

    def start(self) -> None:
        """Start gunicorn and wait until all its workers serve."""
        env = shutil.which("env")
        assert env is not None
        settings = [f"{name}={value}" for name, value in self._environment.items()]
        configuration = ["-c", str(ROOT / "gunicorn.conf.py"), "--chdir", str(ROOT)]
        command = [env, "-i", *settings, sys.executable, "-m", "gunicorn", *configuration, self._app]
        self._process = start_child(command, when_parent_dies=signal.SIGTERM, log=self.log)
        wait_for(self._serves, START_SECONDS, f"the application to serve; its log is {self.log}")

    def stop(self) -> None:
        """End it as a host does."""
        if self._process is not None:
            self._process.terminate()
            wait_or_kill(self._process, _STOP_SECONDS)

    def reload(self) -> None:
        """Have all workers replaced by new ones, as after a change of the settings."""
        assert self._process is not None
        self._process.send_signal(signal.SIGHUP)

    def workers(self) -> list[int]:
        """Return the ids of the worker processes."""
        assert self._process is not None
        pid = self._process.pid
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def kill_worker(self, chance: random.Random) -> None:
        """Kill -9 one of the workers; gunicorn starts another in its place."""
        workers = self.workers()
        if workers:
            with suppress(ProcessLookupError):
                os.kill(chance.choice(workers), signal.SIGKILL)

    def _serves(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log.read_text()
        if len(self.workers()) < self._workers:
            return False
        with Caller([self.port], "anybody") as caller, suppress(CallFailed):
            return caller.call("GET", "/health").status == 200
        return False


@contextmanager
def running(part: KillableServer | GunicornApp) -> Iterator[None]:
    """Have a part run while the block does."""
    try:
        part.start()
        yield
    finally:
        part.stop()


def set_up_database(mongodb_uri: str, redis_url: str, media_dir: Path) -> None:
    """Do what `flask db init` does."""
    config = Config(app_env="testing", mongodb_uri=mongodb_uri, redis_url=redis_url, media_dir=media_dir)
    backend = create_app(config).extensions["projectapi"]
    backend.schema.set_up()
    backend.close()
