"""The parts of a running installation, each of which a test can kill, freeze and start again by itself, on a fixed port."""

from __future__ import annotations

import itertools
import os
import random
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from email.utils import parsedate_to_datetime
from pathlib import Path
from subprocess import Popen

from config import Config
from projectapi import create_app
from projectapi.devstack.processes import is_running, start_child, wait_or_kill
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
    """The application as a host runs it, by the lines of the Procfile, with servers that others started.

    `media_disk_bytes` gives it a file system of its own for MEDIA_DIR, in memory and of that size: see `can_have_media_disks`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        mongodb_uri: str,
        redis_url: str,
        workers: int,
        app: str = "wsgi:app",
        media_disk_bytes: int = 0,
        **environment: str,
    ) -> None:
        self._media_dir = folder / "media"
        self._media_dir.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.log = folder / "app.log"
        self._app = app
        self._workers = workers
        self._media_disk_bytes = media_disk_bytes
        self.environment = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(folder),
            "PYTHONPATH": str(ROOT),
            "PORT": str(self.port),
            "WEB_CONCURRENCY": str(workers),
            "MONGODB_URI": mongodb_uri,
            "REDIS_URL": redis_url,
            "INSTANCE_DIR": str(folder / "instance"),
            "MEDIA_DIR": str(self._media_dir),
            "LOG_LEVEL": "WARNING",
            **environment,
        }
        self._process: Popen[bytes] | None = None

    def release(self) -> None:
        """Do what a host does once before a new version starts."""
        with self.log.open("ab") as log:
            command = ["/bin/sh", "-c", _procfile_line("release")]
            subprocess.run(command, env=self.environment, cwd=ROOT, stdout=log, stderr=log, check=True, timeout=START_SECONDS)

    def start(self) -> None:
        """Start gunicorn and wait until all its workers serve."""
        env = shutil.which("env")
        assert env is not None
        settings = [f"{name}={value}" for name, value in self.environment.items()]
        line = f"cd {shlex.quote(str(ROOT))} && exec {_procfile_line('web').replace('wsgi:app', self._app)}"
        command = [env, "-i", *settings, *_shell(line, self._media_dir, self._media_disk_bytes)]
        self._process = start_child(command, when_parent_dies=signal.SIGTERM, log=self.log)
        wait_for(self._serves, START_SECONDS, f"the application to serve; its log is {self.log}")

    def stop(self) -> None:
        """End it as a host does."""
        if self._process is not None:
            self._process.terminate()
            wait_or_kill(self._process, _STOP_SECONDS)

    def wait(self, seconds: float) -> int:
        """Return the exit status, for which to wait at most `seconds`."""
        assert self._process is not None
        return self._process.wait(seconds)

    def restart(self) -> None:
        """End it as a host does, and start it anew."""
        self.stop()
        self.start()

    def reload(self) -> None:
        """Have gunicorn replace its workers by new ones, and wait until the old ones are gone."""
        old = set(self.workers())
        self.signal_master(signal.SIGHUP)
        wait_for(lambda: not old & set(self.workers()), START_SECONDS, "the end of the old workers")

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

    def kill_master(self) -> None:
        """Kill -9 gunicorn's parent process and wait until its workers have noticed."""
        assert self._process is not None
        workers = self.workers()
        self._process.kill()
        self._process.wait()
        wait_for(lambda: not any(is_running(pid, "gunicorn") for pid in workers), START_SECONDS, "the workers' end")

    def signal_master(self, number: signal.Signals) -> None:
        """Send a signal to gunicorn's parent process."""
        assert self._process is not None
        self._process.send_signal(number)

    def clock(self) -> float:
        """Return what time it is for the application, in seconds since 1970."""
        with Caller([self.port], "anybody") as caller:
            return parsedate_to_datetime(caller.call("GET", "/health").headers["Date"]).timestamp()

    @property
    def media_dir(self) -> Path:
        """The media folder as the application sees it, a file system of its own included."""
        assert self._process is not None
        root = Path(f"/proc/{self._process.pid}/root") if self._media_disk_bytes else Path("/")
        return root / self._media_dir.relative_to("/")

    def _serves(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log.read_text()
        if len(self.workers()) < self._workers:
            return False
        with Caller([self.port], "anybody") as caller, suppress(CallFailed):
            return caller.call("GET", "/health").status == 200
        return False


def can_have_media_disks() -> bool:
    """Tell whether this system lets everybody mount file systems in a name space of their own."""
    try:
        return subprocess.run(_shell("true", Path("/mnt"), 1 << 20), capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def _shell(line: str, media_dir: Path, media_disk_bytes: int) -> list[str]:
    if not media_disk_bytes:
        return ["/bin/sh", "-c", line]
    mount = f"mount -t tmpfs -o size={media_disk_bytes} media {shlex.quote(str(media_dir))}"
    return [shutil.which("unshare") or "unshare", "--user", "--map-root-user", "--mount", "/bin/sh", "-c", f"{mount} && {line}"]


def _procfile_line(name: str) -> str:
    lines = dict(line.split(": ", 1) for line in (ROOT / "Procfile").read_text().splitlines())
    return lines[name]


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
