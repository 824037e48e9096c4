"""What the pages for people show as commands can be run as it stands there."""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import sys
from pathlib import Path

import pytest
from flask import Flask

from tests.harness.documented_commands import pattern_of, serving

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
