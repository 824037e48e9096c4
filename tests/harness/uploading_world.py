"""The application under gunicorn, with workers that can be killed, and clients that upload to it."""

from __future__ import annotations

import base64
import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from projectapi.devstack.servers import MONGODB, REDIS
from projectapi.media import MediaRoom
from projectapi.media.disk_marker import MARKER
from tests.harness.caller import Caller, CallFailed
from tests.harness.killable import GunicornApp, KillableServer, running, set_up_database
from tests.harness.whole_app import Reply, wait_for

SECONDS = 60.0
TUS = {"Tus-Resumable": "1.0.0"}
BYTES = {"Content-Type": "application/offset+octet-stream"}


@dataclass(frozen=True)
class UploadingWorld:
    """The application with two workers, and its media folder."""

    app: GunicornApp
    media_dir: Path

    def request(self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> Reply:
        """Send a request on a connection of its own. Raises CallFailed."""
        connection = http.client.HTTPConnection("127.0.0.1", self.app.port, timeout=SECONDS)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return Reply(answer.status, dict(answer.getheaders()), answer.read())
        except (OSError, http.client.HTTPException) as error:
            raise CallFailed(f"{method} {path}: {type(error).__name__}") from error
        finally:
            connection.close()

    def persist(self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> Reply:
        """Send a request again until it is answered: the workers may be on their way back."""

        def answer() -> Reply | None:
            try:
                reply = self.request(method, path, body, headers)
            except CallFailed:
                return None
            return None if reply.status in (423, 503) else reply

        reply: Reply = wait_for(answer, SECONDS, f"an answer to {method} {path}")
        return reply

    def new_project(self) -> str:
        """Create a project and return its id."""
        with Caller([self.app.port], "anybody", seconds=SECONDS) as caller:
            project_id: str = caller.call("POST", "/projects", {"name": "Film"}).data["_id"]
            return project_id

    def video(self, project_id: str) -> bytes:
        """Return the project's video as a player gets it."""
        reply = self.persist("GET", f"/media/{project_id}/video")
        assert reply.status == 200, reply.body
        return reply.body

    def files_after_a_sweep(self, *project_ids: str) -> tuple[set[str], set[str]]:
        """Sweep all leftovers, however young, and return what is left and what the records of these projects name."""
        named: set[str] = set()
        for project_id in project_ids:
            record = self.record(project_id)
            named |= {record["path"], record["thumbnail_path"]}
        MediaRoom(self.media_dir, 2**31).sweep(named, 0)
        left = {str(path.relative_to(self.media_dir)) for path in self.media_dir.rglob("*") if path.is_file()}
        return {name for name in left if name != MARKER and not name.startswith("uploads/")}, named

    def record(self, project_id: str) -> dict[str, str]:
        """Return what the database knows of the project's video."""
        debug = self.persist("GET", f"/projects/{project_id}/debug")
        record: dict[str, str] = json.loads(debug.body)["data"]["video"]
        return record


@contextmanager
def uploading_world(folder: Path, *, app: str = "wsgi:app", **environment: str) -> Iterator[UploadingWorld]:
    """Run the application on servers of its own."""
    mongodb, redis = KillableServer(MONGODB, folder), KillableServer(REDIS, folder)
    with running(mongodb), running(redis):
        set_up_database(mongodb.uri, redis.uri, folder / "app" / "media")
        application = GunicornApp(
            folder / "app", mongodb_uri=mongodb.uri, redis_url=redis.uri, workers=2, app=app, **environment
        )
        with running(application):
            yield UploadingWorld(application, folder / "app" / "media")


def plan_headers(project_id: str, length: int) -> dict[str, str]:
    """Return the headers that begin a resumable upload."""
    return {
        **TUS,
        "Upload-Length": str(length),
        "Upload-Metadata": f"project_id {base64.b64encode(project_id.encode()).decode()}",
    }
