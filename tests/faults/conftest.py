"""Prints what the scenarios counted, as one table at the end of the run."""

from __future__ import annotations

import pytest
from _pytest.terminal import TerminalReporter


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """Collect the `counts` that tests recorded as properties; they travel in the reports, also between processes."""
    reports = [report for group in terminalreporter.stats.values() for report in group if isinstance(report, pytest.TestReport)]
    rows = [value for report in reports if report.when == "call" for name, value in report.user_properties if name == "counts"]
    if not rows:
        return
    terminalreporter.section("what the scenarios counted")
    widths = [max(len(row[column]) for row in [*rows, {name: name for name in rows[0]}]) for column in rows[0]]
    for cells in (list(rows[0]), *(list(row.values()) for row in rows)):
        terminalreporter.write_line("  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip())
