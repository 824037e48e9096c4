"""What the pages for people show as commands can be run as it stands there."""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import ClassVar

import pytest
from flask import Flask

from tests.contract.calls import create_project
from tests.harness.documented_commands import pattern_of, serving
from tests.media_samples import small_mp4_bytes

ROOT = Path(__file__).parents[2]
SECONDS = 120
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
RUNNABLE = [
    pytest.param(block, id=f"{page.name}-{number}")
    for page in PAGES
    for number, block in enumerate(re.findall(r"```sh runnable\n(.*?)```", page.read_text(), re.DOTALL))
]


def run(script: str, **environment: str) -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", "-ec", script],
        cwd=ROOT,
        env={"PATH": path, "FLASK_APP": "wsgi", "APP_ENV": "testing", **environment},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_something_is_marked_as_runnable() -> None:
    assert len(RUNNABLE) >= 2


@pytest.mark.parametrize("block", RUNNABLE)
def test_a_block_that_is_marked_as_runnable_runs(block: str, mongodb_uri: str, redis_url: str, tmp_path: Path) -> None:
    database = f"test_{secrets.token_hex(6)}"

    settings = {"MONGODB_URI": mongodb_uri, "REDIS_URL": redis_url, "MONGODB_DATABASE": database, "MEDIA_DIR": str(tmp_path)}

    run(f"flask db init\n{block}", **settings)


class Bucket(BaseHTTPRequestHandler):
    """An object store that takes what is put into it, signed."""

    kept: ClassVar[dict[str, bytes]] = {}

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        is_signed = "x-amz-content-sha256" in self.headers.get("Authorization", "")
        if is_signed:
            self.kept[self.path] = body
        self.send_response(200 if is_signed else 403)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


def test_the_scheduled_backup_puts_each_archive_into_the_bucket_under_its_own_name(mongodb_uri: str, tmp_path: Path) -> None:
    # given
    page = (ROOT / "docs" / "operations.md").read_text()
    [script] = [block for block in re.findall(r"```sh\n(.*?)```", page, re.DOTALL) if "--aws-sigv4" in block]
    with ThreadingHTTPServer(("127.0.0.1", 0), Bucket) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        settings = {
            "MONGODB_URI": mongodb_uri,
            "MONGODB_DATABASE": f"test_{secrets.token_hex(6)}",
            "TMPDIR": str(tmp_path),
            "BACKUP_BUCKET_URL": f"http://127.0.0.1:{server.server_port}/bucket",
            **dict.fromkeys(("BACKUP_REGION", "BACKUP_KEY_ID", "BACKUP_KEY"), "eu-central-1"),
        }
        # when
        run(script, **settings)
        server.shutdown()
    # then
    [(path, archive)] = Bucket.kept.items()
    assert re.fullmatch(r"/bucket/test_\w+-\d{8}T\d{6}Z\.zip", path)
    assert archive.startswith(b"PK")


def test_the_first_request_of_the_readme_is_answered_as_it_says_there(app: Flask) -> None:
    # given
    shown = re.search(r"```console\n\$ (.*?)\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert shown is not None
    command, answer = shown[1], shown[2].replace("\n", "")
    # when
    with serving(app) as address:
        said = run(command.replace("localhost:8001", address))
    # then
    expected = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "...", answer)
    assert re.fullmatch(pattern_of(expected), said), said


def test_the_upload_of_the_readme_puts_a_video_into_the_project(app: Flask, tmp_path: Path) -> None:
    # given
    [command] = re.findall(r"```sh\n(curl -T .*?)\n```", (ROOT / "README.md").read_text())
    (tmp_path / "holiday.mp4").write_bytes(small_mp4_bytes())
    project_id = create_project(app.test_client(), "Holiday")
    # when
    with serving(app) as address:
        said = run(f"cd '{tmp_path}'; {command.replace('localhost:8001', address)}", ID=project_id)
    # then
    assert json.loads(said)["success"] is True
    with app.test_client().get(f"/media/{project_id}/video") as response:
        assert response.data == small_mp4_bytes()
