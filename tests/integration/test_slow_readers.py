"""Clients that take their answers slowly, or not at all, on a real server: they hold no threads, and get every byte."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.harness.caller import Caller
from tests.harness.killable import GunicornApp
from tests.harness.raw_http import RawClient, get
from tests.harness.whole_app import wait_for
from tests.integration.conftest import Served
from tests.media_samples import padded_mp4_bytes

MEBIBYTE = 2**20
VIDEO = 12 * MEBIBYTE
NOTES = "all work and no play " * 250_000


@contextmanager
def not_reading(port: int, *paths: str) -> Iterator[list[RawClient]]:
    """Have clients that ask for these and do not read."""
    clients = []
    try:
        for path in paths:
            client = RawClient(port)
            clients.append(client)
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
            client.send(get(path))
        yield clients
    finally:
        for client in clients:
            client.socket.close()


def filmed_project(app: GunicornApp) -> tuple[str, bytes]:
    """Return a project with a large video and a large timeline, and the video."""
    video = padded_mp4_bytes(VIDEO)
    with Caller([app.port], "anonymous") as caller:
        project_id = caller.call("POST", "/projects", {"name": "Film"}).data["_id"]
        assert caller.call("PUT", f"/media/{project_id}/video", video).status == 200
        saved = caller.call("POST", "/timeline", {"project_id": project_id, "timeline_state": {"layers": [], "notes": NOTES}})
        assert saved.status == 200, saved.body
    return project_id, video


def test_clients_that_do_not_read_keep_nobody_from_being_served_and_get_every_byte_in_the_end(serve: Served) -> None:
    app = serve(workers=1, WEB_THREADS="2")
    project_id, video = filmed_project(app)
    paths = [f"/media/{project_id}/video", f"/timeline/{project_id}"] * 3

    with not_reading(app.port, *paths) as slow, Caller([app.port], "anonymous") as other:
        # When more clients do not read than there are threads, then others are answered
        assert [other.call("GET", path).status for path in ("/health", "/projects", f"/projects/{project_id}")] == [200] * 3

        # And when they read at last, then nothing is missing, and the connection is as good as any
        for path, client in zip(paths, slow, strict=True):
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, MEBIBYTE)
            answer = client.answer()
            assert answer.status == 200
            if path.endswith("video"):
                assert answer.body == video
            else:
                assert answer.data["timeline_state"]["notes"] == NOTES
            assert client.send(get("/health")).answer().status == 200


def open_files(worker: int) -> int:
    return len(list(Path(f"/proc/{worker}/fd").iterdir()))


@pytest.mark.skipif(not Path("/proc").exists(), reason="only Linux shows the open files of a process")
def test_clients_that_leave_before_they_have_read_leave_nothing_behind(serve: Served) -> None:
    app = serve(workers=1, WEB_THREADS="2")
    project_id, _ = filmed_project(app)
    (worker,) = app.workers()
    before = open_files(worker)

    with not_reading(app.port, *[f"/media/{project_id}/video", f"/timeline/{project_id}"] * 5):
        # A connection each, and five files; one or two that were open before are closed meanwhile
        wait_for(lambda: open_files(worker) >= before + 12, 30, "all answers to be left to the main loop")

    wait_for(lambda: open_files(worker) <= before, 10, "the connections and files to be closed")
    assert app.workers() == [worker]
    assert "Traceback" not in app.log.read_text()
