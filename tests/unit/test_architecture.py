"""The house has rooms, and a test holds who may import whom."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "projectapi"

DOMAIN = {"errors", "request_id", "database_budget", "project", "transcript", "timeline", "protocols"}
ALLOWED = {
    "errors": set(),
    "request_id": set(),
    "database_budget": set(),
    "transcript": {"errors"},
    "project": {"errors", "transcript"},
    "timeline": {"errors", "project"},
    "protocols": {"errors", "project", "timeline", "transcript"},
    "schemas": DOMAIN,
    "bundle": DOMAIN | {"schemas"},
    "api": DOMAIN | {"schemas", "bundle"},
    "infra": {"errors", "request_id", "database_budget"},
    "serving": {"api", "errors", "request_id"},
    "stores": DOMAIN | {"infra"},
    "media": DOMAIN,
    "jobs": DOMAIN | {"infra"},
    "speech": DOMAIN | {"media"},
    "devstack": {"errors"},
    "backup": DOMAIN,
    "cli": DOMAIN | {"devstack"},
}
# Where parts meet, everybody is known, and so are the settings.
ALLOWED["wiring"] = set(ALLOWED)

MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def room_of(path: Path) -> str:
    """Return the top-level module or package below projectapi/ that a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_names(path: Path) -> set[str]:
    """Return the absolute names of all modules that a file imports, wherever in it."""
    package = ".".join(path.relative_to(ROOT).with_suffix("").parts[:-1])
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*parents, base] if base else parents)
            names |= {base} | {f"{base}.{alias.name}" for alias in node.names}
    return names


def rooms_imported_by(path: Path) -> set[str]:
    """Return the rooms of projectapi that a file imports from."""
    parts = [name.split(".") for name in imported_names(path)]
    return {name[1] for name in parts if name[0] == "projectapi" and len(name) > 1}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_room_imports_only_the_rooms_below_it(path: Path) -> None:
    room = room_of(path)

    assert rooms_imported_by(path) <= ALLOWED[room] | {room}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_room_reads_the_settings_by_itself(path: Path) -> None:
    names = imported_names(path)

    assert room_of(path) == "wiring" or not {name for name in names if name.split(".")[0] == "config"}


def test_handlers_know_neither_the_driver_nor_the_cache() -> None:
    forbidden = {"pymongo", "bson", "redis", "flask_caching", "flask_pymongo"}

    culprits = [path for path in (PACKAGE / "api").rglob("*.py") if {n.split(".")[0] for n in imported_names(path)} & forbidden]

    assert culprits == []


def test_the_environment_is_read_in_one_place() -> None:
    # The stand-ins of development hand their addresses to child processes through the environment.
    culprits = [p for p in MODULES if "os.environ" in p.read_text() and room_of(p) not in {"devstack", "media"}]

    assert culprits == []


def functions_of(path: Path) -> list[ast.FunctionDef]:
    return [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)]


def test_functions_and_files_stay_small() -> None:
    long_functions = [
        f"{path.name}:{function.name}"
        for path in [*MODULES, PACKAGE / "__init__.py"]
        for function in functions_of(path)
        if (function.end_lineno or 0) - function.lineno >= 45
    ]
    long_files = [path.name for path in MODULES if len(path.read_text().splitlines()) > 270]

    assert (long_functions, long_files) == ([], [])


def test_there_is_no_drawer_for_everything() -> None:
    names = {path.stem for path in MODULES}

    assert not {name for name in names if name in {"utils", "helpers", "common", "misc"} or "manager" in name}
