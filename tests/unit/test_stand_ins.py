"""The stand-ins' refusals, and the care they take with processes of others."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from projectapi import devstack
from projectapi.devstack.processes import end_orphan
from projectapi.devstack.servers import MONGODB, EmbeddedServer

DEADLINE_SECONDS = 15.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "instance"


def test_a_process_that_only_has_the_number_of_an_old_server_is_left_alone(folder: Path) -> None:
    script = "import sys; print('up', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as bystander:
        assert bystander.stdout is not None and bystander.stdout.readline() == "up\n"

        end_orphan(bystander.pid, "secantus", str(folder), grace_seconds=0.1)

        bystander.communicate(timeout=DEADLINE_SECONDS)
        assert bystander.returncode == 0, "it came to its natural end"


def test_a_stand_in_that_is_not_installed_is_named_with_both_ways_out(folder: Path) -> None:
    server = EmbeddedServer(replace(MONGODB, module="not_installed_here"), folder)

    with pytest.raises(devstack.DevstackError, match=r"set MONGODB_URI, or run pip install -r requirements-dev\.txt"):
        server.start()


def test_a_server_that_cannot_start_points_to_its_log(folder: Path) -> None:
    broken = replace(MONGODB, command=lambda port, data: [sys.executable, "-c", "raise SystemExit('no disk')"])
    server = EmbeddedServer(broken, folder)
    server.start()

    with pytest.raises(devstack.DevstackError, match=r"did not start: see its log, .*mongodb\.log"):
        server.wait_until_ready()
    assert "no disk" in (folder / "mongodb.log").read_text()


def test_production_never_gets_stand_ins(folder: Path) -> None:
    atlas = "mongodb+srv://user:secret@cluster.example.net"
    settings = SimpleNamespace(app_env="production", mongodb_uri=atlas, redis_url=None, instance_dir=folder)

    assert devstack.provide_for(settings) == devstack.Servers(atlas, None)
    settings.mongodb_uri = None
    with pytest.raises(devstack.DevstackError, match="MONGODB_URI is not set"):
        devstack.provide_for(settings)
    assert not folder.exists()
