"""A whole installation with jobs: gunicorn, perhaps worker processes, and what can be done to them."""

from __future__ import annotations

import shutil
import signal
import sys
import urllib.request
from pathlib import Path
from subprocess import Popen
from types import TracebackType
from typing import Any

from projectapi.devstack.processes import start_child, wait_or_kill
from projectapi.project import JsonObject
from tests.harness.caller import Caller
from tests.harness.killable import GunicornApp
from tests.harness.whole_app import Reply, descendants, upload_form, wait_for

APP = "tests.harness.listening_app"
METRICS_TOKEN = "for those who run it"
_STOP_SECONDS = 15.0


class Installation:
    """An application under gunicorn whose recogniser the test holds; without `redis_url` there is no Redis."""

    def __init__(self, folder: Path, *, mongodb_uri: str, redis_url: str = "", web_workers: int = 1) -> None:
        self.media_dir = folder / "media"
        # In production nothing stands in for a Redis that is not there.
        servers = {"mongodb_uri": mongodb_uri, "redis_url": redis_url, "APP_ENV": "production", "METRICS_TOKEN": METRICS_TOKEN}
        self.web = GunicornApp(folder, workers=web_workers, app=f"{APP}:app", **servers)
        self._log = folder / "worker.log"
        self._workers: list[Popen[bytes]] = []

    def __enter__(self) -> Installation:
        self.media_dir.mkdir(parents=True, exist_ok=True)
        self.web.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.let_go()
        for worker in self._workers:
            worker.terminate()
            wait_or_kill(worker, _STOP_SECONDS)
        self.web.stop()

    def start_worker(self) -> Popen[bytes]:
        """Start `flask worker`."""
        env = shutil.which("env")
        assert env is not None
        settings = [f"{name}={value}" for name, value in self.web.environment.items()]
        command = [env, "-i", *settings, sys.executable, "-m", "flask", "--app", APP, "worker"]
        self._workers.append(start_child(command, when_parent_dies=signal.SIGTERM, log=self._log))
        return self._workers[-1]

    def let_go(self) -> None:
        """Let the recogniser hear something at last."""
        (self.media_dir / "go_on").touch()

    def listeners(self) -> set[int]:
        """Return the processes in which the recogniser was called."""
        return {int(path.name.removeprefix("heard_")) for path in self.media_dir.glob("heard_*")}

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        """Send a request on a new connection."""
        with Caller([self.web.port], "ann") as caller:
            return caller.call(method, path, body, **headers)

    def film(self, video: bytes) -> str:
        """Create a project with a video and return its id."""
        project_id: str = self.call("POST", "/projects", {"name": "Film"}).data["_id"]
        body, headers = upload_form(project_id, video)
        self._post("/media/upload", body, headers)
        return project_id

    def transcribe(self, project_id: str) -> Reply:
        """Ask for a transcript without waiting for it."""
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        return self._post("/media/transcribe", f"project_id={project_id}".encode(), form)

    def _post(self, path: str, body: bytes, headers: dict[str, str]) -> Reply:
        said = {**headers, "X-User-Id": "ann", "Prefer": "respond-async"}
        request = urllib.request.Request(f"http://127.0.0.1:{self.web.port}{path}", body, said)
        with urllib.request.urlopen(request, timeout=40) as answer:
            return Reply(answer.status, dict(answer.headers), answer.read())

    def job_in_state(self, job_id: str, *states: str, seconds: float = 60) -> JsonObject:
        """Return a job once it is in one of these states."""

        def look() -> JsonObject | None:
            job: JsonObject = self.call("GET", f"/jobs/{job_id}").data
            return job if job["state"] in states else None

        found: JsonObject = wait_for(look, seconds, f"the job to be {' or '.join(states)}")
        return found


def is_below(pid: int, ancestor: int) -> bool:
    """Tell whether a process came from another, or is it."""
    return pid == ancestor or pid in descendants(ancestor)
