"""Real clients of tus, whose uploads are interrupted again and again, by themselves and by kill -9 of the server."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import socket
import subprocess
import tarfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from tusclient.client import TusClient
from tusclient.exceptions import TusCommunicationError

from tests.harness.browser import browser
from tests.harness.uploading_world import BYTES, TUS, UploadingWorld, plan_headers, uploading_world
from tests.harness.whole_app import free_port, wait_for
from tests.media_samples import padded_mp4_bytes

SECONDS = 90.0
JAVASCRIPT_CLIENT = "tus-js-client@4.3.1"
PAGE = Path(__file__).with_name("uploading_page.html")


@pytest.fixture(scope="module")
def page_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, page_port: int) -> Iterator[UploadingWorld]:
    origin = f"http://127.0.0.1:{page_port}"
    with uploading_world(tmp_path_factory.mktemp("world"), CORS_ORIGINS=origin) as world:
        yield world


def kill_all_workers(world: UploadingWorld) -> None:
    for worker in world.app.workers():
        with suppress(ProcessLookupError):
            os.kill(worker, signal.SIGKILL)


def test_tuspy_goes_on_after_every_interruption(world: UploadingWorld) -> None:
    # Given a client that has sent some of a video
    project_id, video = world.new_project(), padded_mp4_bytes(3_000_000)
    client = TusClient(f"http://127.0.0.1:{world.app.port}/media/uploads")
    options: dict[str, Any] = {"chunk_size": 200_000, "retries": 20, "retry_delay": 1, "upload_checksum": True}
    first = client.uploader(
        file_stream=io.BytesIO(video), metadata={"project_id": project_id, "filename": "film.mp4"}, **options
    )
    first.upload(stop_at=600_000)

    for stop in (1_400_000, 2_200_000):
        # When the server is killed under it, and it sends on
        kill_all_workers(world)
        first.upload(stop_at=stop)
        assert first.offset >= stop

    # And when the client itself is gone, the server is killed once more, and another client takes over
    kill_all_workers(world)
    second = wait_for(lambda: taken_over(client, first.url, video, options), SECONDS, "the server to know the upload")
    assert second.offset == first.offset
    second.upload()

    # Then the video is the one that was sent
    assert world.video(project_id) == video
    assert world.record(project_id)["original_name"] == "film.mp4"


def taken_over(client: TusClient, url: str | None, video: bytes, options: dict[str, Any]) -> Any:
    try:
        return client.uploader(file_stream=io.BytesIO(video), url=url, **options)
    except TusCommunicationError:
        return None


@contextmanager
def silent_client(world: UploadingWorld, address: str, offset: int, data: bytes, announced: int) -> Iterator[None]:
    """Send some of the bytes that were announced, and then nothing more, on a connection that stays open."""
    head = f"PATCH {address} HTTP/1.1\r\nHost: localhost\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: {offset}\r\n"
    head += f"Content-Type: application/offset+octet-stream\r\nContent-Length: {announced}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", world.app.port)) as connection:
        connection.sendall(head.encode() + data)
        yield


def test_a_client_that_lost_its_network_does_not_lock_itself_out(world: UploadingWorld) -> None:
    # Given a client whose connection went silent in the middle, which the server cannot tell from a slow one
    project_id, video = world.new_project(), padded_mp4_bytes(3_000_000)
    address = world.persist("POST", "/media/uploads", None, plan_headers(project_id, len(video))).headers["Location"]
    part = world.media_dir / "uploads" / address.rpartition("/")[2] / "part"
    with silent_client(world, address, 0, video[:1_000_000], len(video)):
        wait_for(lambda: part.stat().st_size > 500_000, SECONDS, "the first bytes to be written")

        # When it comes back on another connection
        reply = world.request("HEAD", address, None, TUS)

        # Then the silent one has made way, nearly all that it had sent is there, and the upload goes on
        assert reply.status == 200
        offset = int(reply.headers["Upload-Offset"])
        assert offset > 500_000
        more = {**TUS, **BYTES, "Upload-Offset": str(offset)}
        assert world.request("PATCH", address, video[offset:], more).status == 204
    assert world.video(project_id) == video


def test_a_chunked_body_that_breaks_off_is_no_video(world: UploadingWorld) -> None:
    project_id, video = world.new_project(), padded_mp4_bytes(300_000)
    head = f"PUT /media/{project_id}/video HTTP/1.1\r\nHost: localhost\r\nContent-Type: video/mp4\r\n"
    chunk = f"{len(video):x}\r\n".encode() + video + b"\r\n"
    for ending, status in ((b"", 400), (b"rubbish\r\n", 400), (b"0\r\n\r\n", 200)):
        with socket.create_connection(("127.0.0.1", world.app.port), timeout=SECONDS) as connection:
            connection.sendall(head.encode() + b"Transfer-Encoding: chunked\r\n\r\n" + chunk + ending)
            connection.shutdown(socket.SHUT_WR)
            answer = connection.recv(4096)
        assert answer.startswith(f"HTTP/1.1 {status} ".encode()), (ending, answer[:300])
    assert world.video(project_id) == video


def test_a_chunked_body_that_pauses_is_taken_whole(world: UploadingWorld) -> None:
    # Given half a video on its way without a length: a recording of this kind plays as a shorter one
    project_id, video = world.new_project(), padded_mp4_bytes(300_000)
    head = f"PUT /media/{project_id}/video HTTP/1.1\r\nHost: localhost\r\nContent-Type: video/mp4\r\n"
    half = len(video) // 2
    parts = [f"{len(data):x}\r\n".encode() + data + b"\r\n" for data in (video[:half], video[half:])]
    with socket.create_connection(("127.0.0.1", world.app.port), timeout=SECONDS) as connection:
        connection.sendall(head.encode() + b"Transfer-Encoding: chunked\r\n\r\n" + parts[0])

        # When the client needs a while for the rest: nothing may be answered meanwhile
        connection.settimeout(4)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        connection.settimeout(SECONDS)
        connection.sendall(parts[1] + b"0\r\n\r\n")

        assert connection.recv(4096).startswith(b"HTTP/1.1 200 ")
    assert world.video(project_id) == video


class Stage:
    """What the page's server knows: what the page loads, what it said, and what to do when it says so."""

    def __init__(self, files: dict[str, tuple[str, bytes]], on_kill: Callable[[], None]) -> None:
        self.files = files
        self.on_kill = on_kill
        self.said: list[dict[str, Any]] = []

    def hear(self, body: bytes) -> None:
        """Note what the page says."""
        said = json.loads(body)
        if said["event"] == "kill":
            self.on_kill()
        self.said.append(said)

    def events(self, name: str) -> list[dict[str, Any]]:
        """Return all that the page said of this kind."""
        return [said for said in self.said if said["event"] == name]


@contextmanager
def served(stage: Stage, port: int) -> Iterator[None]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            kind, body = stage.files.get(self.path, ("text/plain", b""))
            self._answer(200 if body else 404, kind, body)

        def do_POST(self) -> None:
            stage.hear(self.rfile.read(int(self.headers["Content-Length"])))
            self._answer(200, "text/plain", b"heard")

        def _answer(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with suppress(OSError):
                self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def javascript_client(tmp_path: Path) -> bytes:
    """The client that most browsers' uploads use, as its makers build it for a page."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("no npm is installed")
    command = [npm, "pack", "--silent", JAVASCRIPT_CLIENT]
    packed = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=60, check=False)
    archives = list(tmp_path.glob("*.tgz"))
    if packed.returncode or not archives:
        pytest.skip(f"npm cannot fetch {JAVASCRIPT_CLIENT}")
    with tarfile.open(archives[0]) as archive:
        file = archive.extractfile("package/dist/tus.min.js")
        assert file is not None
        return file.read()


def test_a_page_in_a_browser_goes_on_after_every_interruption(
    world: UploadingWorld, page_port: int, tmp_path: Path, javascript_client: bytes
) -> None:
    # Given a page that reloads itself, gives up and starts anew, and asks twice for the server to be killed
    project_id, video = world.new_project(), padded_mp4_bytes(3_000_000)
    plan = {"endpoint": f"http://127.0.0.1:{world.app.port}/media/uploads", "project": project_id}
    files = {
        "/page": ("text/html", PAGE.read_text().replace("PLAN", json.dumps(plan)).encode()),
        "/tus.js": ("text/javascript", javascript_client),
        "/film": ("video/mp4", video),
    }
    stage = Stage(files, on_kill=lambda: kill_all_workers(world))

    # When it uploads
    with served(stage, page_port), browser(f"http://127.0.0.1:{page_port}/page", tmp_path):
        wait_for(lambda: stage.events("success") or stage.events("error"), SECONDS, f"the page to finish: {stage.said}")

    # Then it ends well, always went on with the same upload, and the video is the one that was sent
    assert stage.events("error") == []
    assert len(stage.events("kill")) == 2
    assert [start["resumes"] for start in stage.events("start")] == [0, 1, 1]
    urls = {said["url"] for said in stage.said if "url" in said}
    assert len(urls) == 1
    assert world.video(project_id) == video
