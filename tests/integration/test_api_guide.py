"""The page about the API is true: its table is the tree of errors, and its commands give what it says."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import pytest
from flask import Flask

from projectapi.api.documentation.failures import error_table
from tests.harness.documented_commands import pattern_of, serving

GUIDE = Path(__file__).parents[2] / "docs" / "api.md"
WAIT_SECONDS = 60


@pytest.fixture
def address(app: Flask) -> Iterator[str]:
    """Where the application answers over TCP."""
    with serving(app) as address:
        yield address


def commands() -> list[tuple[str, str]]:
    """Return the commands of the page, each with the answer that stands below it, if one does."""
    blocks = re.findall(r"```sh\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    found: list[tuple[str, str]] = []
    for is_answer, group in groupby(lines, key=lambda line: line.startswith("# ")):
        if is_answer:
            found[-1] = (found[-1][0], next(iter(group)).removeprefix("# "))
        else:
            found += [(line, "") for line in group]
    return found


def test_the_table_of_errors_is_the_tree_of_errors() -> None:
    table = re.search(r"<!-- errors -->\n(.*?)\n?<!-- /errors -->", GUIDE.read_text(), re.DOTALL)

    assert table is not None
    assert table[1].splitlines() == list(error_table())


def test_every_command_of_the_page_answers_what_stands_below_it(address: str) -> None:
    script = ["set -e"]
    for command, _ in commands():
        script += [command.replace("localhost:8001", address), "echo; echo ---"]

    done = subprocess.run(["sh", "-c", "\n".join(script)], capture_output=True, text=True, timeout=WAIT_SECONDS, check=False)

    assert done.returncode == 0, done.stderr
    answers = done.stdout.split("\n---\n")
    assert len(commands()) > 10
    for (command, expected), answer in zip(commands(), answers, strict=False):
        assert re.search(pattern_of(expected), answer), f"{command}\n{answer}"
