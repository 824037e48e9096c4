"""The whole of projectapi as its users start it: one command, real processes, real sockets."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
START_SECONDS = 60.0


def free_port() -> int:
    """Return a TCP port that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for(condition: Callable[[], Any], seconds: float, what: str) -> Any:
    """Return the first true value of `condition`; fail, naming `what` was waited for, when the time is up."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited {seconds:g} s for {what}"
        time.sleep(0.05)
    return value


@dataclass(frozen=True)
class Reply:
    """An HTTP answer: status, headers, bytes."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def data(self) -> Any:
        """What the envelope carries."""
        return json.loads(self.body)["data"]


class WholeApp:
    """`flask dev` on a folder of its own; `start` and `kill` it as often as a test needs."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        self.port = free_port()
        self.log = folder / "app.log"
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start everything and wait until it serves."""
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "FLASK_APP": "wsgi",
            "PORT": str(self.port),
            "INSTANCE_DIR": str(self.folder / "instance"),
            "MEDIA_DIR": str(self.folder / "media"),
            **self._environment,
        }
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "flask", "dev"], cwd=ROOT, env=environment, stdout=log, stderr=log
            )
        wait_for(self._serves, START_SECONDS, f"the application to serve; its log is {self.log}")

    def _serves(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log.read_text()
        try:
            return self.request("GET", "/health").status == 200
        except OSError:
            return False

    def processes(self) -> list[int]:
        """Return the ids of the launcher and of all that came from it: gunicorn, its workers, both servers."""
        assert self._process is not None
        return [self._process.pid, *_descendants(self._process.pid)]

    def kill(self) -> None:
        """Kill -9 every process at once: application, database and cache."""
        assert self._process is not None
        victims = self.processes()
        for pid in victims:
            _signal(pid, signal.SIGKILL)
        self._process.wait()
        wait_for(lambda: not any(_is_alive(pid) for pid in victims), 10, "all processes to be gone")

    def stop(self, signal_number: signal.Signals = signal.SIGTERM) -> int:
        """End it by one signal, as Ctrl-C or a supervisor does, and return its exit status."""
        assert self._process is not None
        if self._process.poll() is None:
            self._process.send_signal(signal_number)
        return self._process.wait(60)

    def request(
        self, method: str, path: str, body: Any = None, *, headers: dict[str, str] | None = None, seconds: float = 40
    ) -> Reply:
        """Send a request, with `body` as JSON unless it is bytes, and return the answer whatever its status."""
        raw = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        sent = {**({} if raw is None else {"Content-Type": "application/json"}), **(headers or {})}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", raw, sent, method=method)
        try:
            with urllib.request.urlopen(request, timeout=seconds) as answer:
                return Reply(answer.status, dict(answer.headers), answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return Reply(error.code, dict(error.headers), error.read())

    def upload(self, project_id: str, video: bytes, name: str = "film.mp4") -> Reply:
        """Upload a video as a browser's form does."""
        body, headers = upload_form(project_id, video, name)
        return self.request("POST", "/media/upload", body, headers=headers)


def upload_form(project_id: str, video: bytes, name: str = "film.mp4") -> tuple[bytes, dict[str, str]]:
    """Return body and headers of an upload as a browser's form makes them."""
    boundary = b"----projectapi"
    body = b"".join(
        [
            b"--" + boundary + b'\r\nContent-Disposition: form-data; name="project_id"\r\n\r\n' + project_id.encode(),
            b"\r\n--" + boundary + b'\r\nContent-Disposition: form-data; name="file"; filename="' + name.encode(),
            b'"\r\nContent-Type: video/mp4\r\n\r\n' + video + b"\r\n--" + boundary + b"--\r\n",
        ]
    )
    return body, {"Content-Type": "multipart/form-data; boundary=" + boundary.decode()}


def _descendants(pid: int) -> Iterable[int]:
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            parents.setdefault(int(fields[1]), []).append(int(entry.name))
    for child in parents.get(pid, []):
        yield child
        yield from _descendants(child)


def _is_alive(pid: int) -> bool:
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
