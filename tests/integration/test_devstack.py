"""The stand-ins with real processes: they come up, answer, and end with their owner, however that ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from pymongo import MongoClient

from projectapi.devstack.processes import end_orphan, wait_until

ROOT = Path(__file__).parents[2]
DEADLINE_SECONDS = 15.0
IN_USE = "The data folder {folder} is in use by process {pid}: stop that process first, or set INSTANCE_DIR to another folder."

# A process that runs the stand-ins, prints what it got, and stays until its input ends.
SCRIPT = """
import json, os, sys, threading
from dataclasses import asdict
from pathlib import Path
from projectapi import devstack

options = json.loads(sys.argv[2])
in_thread = options.pop("in_thread", False)
found = []

def provide():
    try:
        found.append(devstack.provide(Path(sys.argv[1]), **options))
    except devstack.DevstackError as error:
        print(error.format_message(), file=sys.stderr)

if in_thread:
    thread = threading.Thread(target=provide)
    thread.start()
    thread.join()
else:
    provide()
if not found:
    sys.exit(1)
environment = {name: os.environ.get(name) for name in ("MONGODB_URI", "REDIS_URL")}
print(json.dumps({**asdict(found[0]), "environment": environment}, default=str), flush=True)
sys.stdin.read()
"""

Started = tuple[subprocess.Popen[str], dict[str, Any]]
Start = Callable[..., Started]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "instance"


@pytest.fixture
def start(folder: Path) -> Iterator[Start]:
    """Start a process that calls `provide` on `folder`; after the test none of them is left, nor their servers."""
    started: list[subprocess.Popen[str]] = []

    def start_process(**options: Any) -> Started:
        environ = {name: value for name, value in os.environ.items() if name not in ("MONGODB_URI", "REDIS_URL")}
        process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(folder), json.dumps(options)],
            cwd=ROOT,
            env=environ,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        started.append(process)
        assert process.stdout is not None
        line = process.stdout.readline()
        return process, json.loads(line) if line else {}

    yield start_process
    servers = server_pids(folder)
    for process in started:
        process.kill()
        process.communicate()
    for pid in servers:
        end_orphan(pid, str(folder))


def server_pids(folder: Path) -> list[int]:
    state = folder / "devstack.json"
    return [server["pid"] for server in json.loads(state.read_text())["servers"]] if state.exists() else []


def is_alive(pid: int) -> bool:
    """Tell whether `pid` runs; a zombie, which waits for somebody to notice its end, does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def all_gone(pids: list[int]) -> bool:
    return wait_until(lambda: not any(is_alive(pid) for pid in pids), DEADLINE_SECONDS)


def end(process: subprocess.Popen[str]) -> int:
    """Let a started process come to its natural end."""
    process.communicate(timeout=DEADLINE_SECONDS)
    return process.returncode


def test_both_stand_ins_answer_where_the_environment_says(start: Start) -> None:
    _, found = start()

    assert found["environment"] == {"MONGODB_URI": found["mongodb_uri"], "REDIS_URL": found["redis_url"]}
    with MongoClient[dict[str, Any]](found["mongodb_uri"]) as mongodb, redis.Redis.from_url(found["redis_url"]) as cache:
        assert mongodb.admin.command("hello")["isWritablePrimary"]
        assert cache.set("clip", "1")
        assert cache.config_get("save", "appendonly") == {"save": "", "appendonly": "no"}


def test_with_a_redis_of_ones_own_only_mongodb_is_started(start: Start, folder: Path) -> None:
    _, found = start(redis=False)

    assert found["mongodb_uri"] is not None
    assert found["redis_url"] is found["environment"]["REDIS_URL"] is None
    assert len(server_pids(folder)) == 1


def test_both_stand_ins_die_with_an_owner_that_is_killed(start: Start, folder: Path) -> None:
    owner, _ = start()
    servers = server_pids(folder)
    assert len(servers) == 2 and all(is_alive(pid) for pid in servers)

    owner.kill()

    assert all_gone(servers)


@pytest.mark.parametrize("signal_number", [None, signal.SIGTERM, signal.SIGHUP])
def test_an_owner_that_ends_takes_the_stand_ins_with_it_and_frees_the_folder(
    start: Start, folder: Path, signal_number: signal.Signals | None
) -> None:
    owner, _ = start()
    servers = server_pids(folder)

    if signal_number:
        owner.send_signal(signal_number)
    exit_code = end(owner)

    assert exit_code == (128 + signal_number if signal_number else 0)
    assert not any(is_alive(pid) for pid in servers), "a clean end waits for its servers"
    assert not (folder / "devstack.json").exists()


def test_a_second_owner_is_refused_in_a_sentence_that_names_the_first(start: Start, folder: Path) -> None:
    owner, _ = start()
    servers = server_pids(folder)

    second, found = start()

    _, complaint = second.communicate(timeout=DEADLINE_SECONDS)
    assert (second.returncode, found) == (1, {})
    assert complaint.strip() == IN_USE.format(folder=folder, pid=owner.pid)
    assert all(is_alive(pid) for pid in servers)


def test_a_command_joins_the_running_stand_ins_and_leaves_them_running(start: Start, folder: Path) -> None:
    owner, theirs = start()
    servers = server_pids(folder)

    command, found = start(join=True)

    assert found["joined"] and found["owner_pid"] == owner.pid
    assert [found[key] for key in ("mongodb_uri", "redis_url")] == [theirs[key] for key in ("mongodb_uri", "redis_url")]
    assert end(command) == 0
    assert all(is_alive(pid) for pid in servers)
    assert owner.poll() is None


def test_a_command_alone_starts_its_own_stand_ins(start: Start) -> None:
    _, found = start(join=True)

    assert not found["joined"] and found["mongodb_uri"] and found["redis_url"]


def test_a_command_with_other_settings_than_the_owner_is_refused(start: Start) -> None:
    start(redis=False)

    command, found = start(join=True)

    _, complaint = command.communicate(timeout=DEADLINE_SECONDS)
    assert found == {} and "other settings of MONGODB_URI or REDIS_URL" in complaint


def test_acknowledged_writes_survive_a_kill_of_everything_twice_in_a_row(start: Start, folder: Path) -> None:
    expected, uris = [], set()
    for round_number in range(2):
        owner, found = start()
        uris.add(found["mongodb_uri"])
        with MongoClient[dict[str, Any]](found["mongodb_uri"], w="majority", journal=True) as client:
            cuts = client.projectapi.cuts
            expected += [round_number * 100 + number for number in range(100)]
            for number in expected[-100:]:
                cuts.insert_one({"_id": number})
            for pid in [*server_pids(folder), owner.pid]:
                os.kill(pid, signal.SIGKILL)

    _, found = start()

    with MongoClient[dict[str, Any]](found["mongodb_uri"]) as client:
        assert [cut["_id"] for cut in client.projectapi.cuts.find().sort("_id")] == expected
    assert uris == {found["mongodb_uri"]}, "the address stays the same from start to start"


def test_servers_that_outlived_their_owner_are_ended_before_the_next_start(start: Start, folder: Path) -> None:
    # Given servers that nobody ended with their owner, as on systems that cannot watch a parent
    owner, _ = start(in_thread=True)
    orphans = server_pids(folder)
    owner.kill()
    owner.wait()
    assert len(orphans) == 2 and all(is_alive(pid) for pid in orphans)

    _, found = start()

    assert not any(is_alive(pid) for pid in orphans)
    with MongoClient[dict[str, Any]](found["mongodb_uri"]) as client:
        assert client.admin.command("ping")["ok"] == 1
