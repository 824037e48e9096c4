"""The table of settings in the documentation is the code's own."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

from config import Config

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"
ENV_EXAMPLE = Path(__file__).parents[2] / ".env.example"


def settings_table() -> str:
    """Return the table as the code would write it."""
    rows = ["| variable | default | meaning |", "| --- | --- | --- |"]
    for field in dataclasses.fields(Config):
        default = field.default
        if isinstance(default, tuple):
            default = ",".join(default) or None
        if isinstance(default, bool):
            default = int(default)
        if isinstance(default, float) and default.is_integer():
            default = int(default)
        if isinstance(default, Path):
            default = os.path.relpath(default)
        shown = "none" if default is None else f"`{default}`"
        alias = f" (or `{field.metadata['alias']}`)" if "alias" in field.metadata else ""
        rows.append(f"| `{field.metadata['variable']}`{alias} | {shown} | {field.metadata['meaning']} |")
    return "\n".join(rows)


def test_the_page_has_every_setting_with_its_default_and_meaning() -> None:
    between = PAGE.read_text().partition("<!-- settings -->\n")[2].partition("\n<!-- /settings -->")[0]

    assert between == settings_table()


def test_the_example_file_names_every_setting_but_those_that_hosts_set_themselves() -> None:
    known = {field.metadata["variable"] for field in dataclasses.fields(Config)}

    lines = [line.lstrip("# ").partition("=")[0] for line in ENV_EXAMPLE.read_text().splitlines() if "=" in line]

    assert sorted(lines) == sorted(known - {"DYNO", "RENDER"})
