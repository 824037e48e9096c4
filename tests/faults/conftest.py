"""One installation for all faults, and the table of verdicts at the end of the run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from _pytest.terminal import TerminalReporter

from bench.report import keep, table
from tests.harness.fault_world import World
from tests.harness.scenarios import SCENARIOS
from tests.harness.verdicts import machine
from tests.harness.whole_app import ROOT

SECONDS = float(os.environ.get("FAULT_SECONDS", "2"))
PAGE = ROOT / "docs" / "guarantees.md"


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Both servers, and applications on demand; each fault leaves them as they were."""
    folder: Path = tmp_path_factory.mktemp("world")
    with World(folder) as world:
        yield world


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """Print the verdicts that tests recorded as properties; keep those of a whole run in the documentation if asked to."""
    reports = [report for group in terminalreporter.stats.values() for report in group if isinstance(report, pytest.TestReport)]
    rows: list[dict[str, str]] = [
        value for report in reports if report.when == "call" for name, value in report.user_properties if name == "verdict"
    ]
    if not rows:
        return
    # The reports come by outcome; the list of scenarios has the order to read them in.
    names = [scenario.name for scenario in SCENARIOS]
    rows.sort(key=lambda row: names.index(row["what happens"]))
    text = f"{table([*rows[0]], [[*row.values()] for row in rows])}\n\n{machine(SECONDS)}"
    terminalreporter.section("verdicts")
    terminalreporter.write_line(text)
    if os.environ.get("FAULT_TABLE") and len(rows) == sum(not scenario.lacking for scenario in SCENARIOS):
        keep("faults", text, PAGE)
