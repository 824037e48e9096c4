"""The places for work on one machine, and the name of its disk."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from projectapi.jobs.folder import JobsFolder
from tests.harness.whole_app import ROOT, wait_for

HOLDS_A_PLACE = (
    "import sys, time; from pathlib import Path; from projectapi.jobs.folder import JobsFolder\n"
    "with JobsFolder(Path(sys.argv[1]), at_once=1).place():\n"
    "    Path(sys.argv[1], 'holding').touch(); time.sleep(60)"
)


@pytest.mark.parametrize("at_once", [1, 3])
def test_no_more_work_at_once_than_there_are_places(tmp_path: Path, at_once: int) -> None:
    working, most, lock = 0, 0, threading.Lock()
    full = threading.Barrier(at_once)

    def work(_: int) -> None:
        nonlocal working, most
        # Each with a folder object of its own, as processes have.
        with JobsFolder(tmp_path, at_once=at_once).place():
            with lock:
                working += 1
                most = max(most, working)
            full.wait(30)
            with lock:
                working -= 1

    with ThreadPoolExecutor(2 * at_once) as crowd:
        list(crowd.map(work, range(2 * at_once)))

    assert most == at_once


def test_the_place_of_a_process_that_is_killed_is_free_at_once(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", HOLDS_A_PLACE, str(tmp_path)], cwd=ROOT)
    taken = threading.Event()

    def take() -> None:
        with JobsFolder(tmp_path, at_once=1).place():
            taken.set()

    try:
        wait_for((tmp_path / "holding").exists, 30, "the other process to hold the place")
        taker = threading.Thread(target=take)
        taker.start()
        assert not taken.wait(0.5)
    finally:
        process.kill()
        process.wait()

    assert taken.wait(10)
    taker.join()


def test_all_processes_read_the_same_name_however_many_draw_it_at_once(tmp_path: Path) -> None:
    together = threading.Barrier(8)

    def draw(_: int) -> str:
        together.wait(10)
        return JobsFolder(tmp_path / "jobs", at_once=1).name()

    with ThreadPoolExecutor(8) as crowd:
        names = set(crowd.map(draw, range(8)))

    assert len(names) == 1 and names.pop()
    assert [path.name for path in (tmp_path / "jobs").iterdir()] == ["name"]


def test_another_disk_has_another_name(tmp_path: Path) -> None:
    assert JobsFolder(tmp_path / "one", at_once=1).name() != JobsFolder(tmp_path / "other", at_once=1).name()
