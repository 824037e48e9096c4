"""The benchmark is a program too: it must go on working while the application changes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SECONDS = 240.0


def test_a_quick_benchmark_measures_prints_and_leaves_the_page_alone() -> None:
    # given
    page = ROOT / "docs" / "performance.md"
    before = page.read_bytes()
    # when
    output = _run_benchmark("--quick", "saves", "lists", "footprint")
    # then
    first_cells = [line.split("|")[1].strip() for line in output.splitlines() if line.startswith("| ")]
    expected = {"patch of one clip, 200 clips", "200", "save the timeline"}
    assert expected <= set(first_cells), output
    assert page.read_bytes() == before


def test_the_benchmark_knows_only_its_own_sections() -> None:
    # when
    finished = subprocess.run(
        [sys.executable, "-m", "bench", "weather"], cwd=ROOT, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    # then
    assert finished.returncode == 2
    assert "there is no section weather" in finished.stderr


def _run_benchmark(*arguments: str) -> str:
    command = [sys.executable, "-m", "bench", *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            output, _ = process.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            # So that it can still end the servers that it started.
            os.kill(process.pid, signal.SIGINT)
            raise
    assert process.returncode == 0, output
    return output
