"""The pages for people lead somewhere: links, files and commands that they name exist."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import click
import pytest
from flask import Flask
from flask.cli import FlaskGroup

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
ROOTS_OF_NAMES = (ROOT, ROOT / "projectapi")


def page_id(path: Path) -> str:
    return str(path.relative_to(ROOT))


def without_code(text: str) -> str:
    return re.sub(r"```.*?```", "", text, flags=re.DOTALL)


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page, as GitHub makes them of its headings."""
    headings = re.findall(r"^#+ (.*)$", without_code(page.read_text()), re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings]
    return {heading.strip().replace(" ", "-") for heading in plain}


def links(page: Path) -> list[str]:
    targets = re.findall(r"\]\(([^)\s]+)\)", without_code(page.read_text()))
    return [target for target in targets if not target.startswith(("http://", "https://"))]


def commands(word: str) -> Iterator[tuple[str, str]]:
    """Yield what follows `word` wherever a page shows it as a command, with the page's name."""
    for page in PAGES:
        text = page.read_text()
        code = [*re.findall(r"```\w*[^\n]*\n(.*?)```", text, re.DOTALL), *re.findall(r"`([^`\n]+)`", without_code(text))]
        for piece in code:
            for line in piece.splitlines():
                if found := re.match(rf"(?:\$ |heroku run )?{word} (.+)", line.strip()):
                    yield page_id(page), re.split(r"#|&&", found[1])[0].strip()


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_every_link_leads_to_a_file_and_a_heading_that_exist(page: Path) -> None:
    broken = []
    for link in links(page):
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)

    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_every_file_of_ours_that_is_named_exists(page: Path) -> None:
    named = re.findall(r"`((?:[\w.-]+/)+[\w.-]*)`", page.read_text())
    # Data, which is made when it is needed.
    folders = {path.name for root in ROOTS_OF_NAMES for path in root.iterdir()} - {"instance"}
    ours = [name for name in named if name.partition("/")[0] in folders]

    assert [name for name in ours if not any((root / name).exists() for root in ROOTS_OF_NAMES)] == []


def test_every_page_can_be_reached_from_the_readme() -> None:
    seen: set[Path] = set()
    coming = [ROOT / "README.md"]
    while coming:
        page = coming.pop()
        if page not in seen and page.suffix == ".md" and page.exists():
            seen.add(page)
            coming += [(page.parent / link.partition("#")[0]).resolve() for link in links(page) if link.partition("#")[0]]

    assert set((ROOT / "docs").rglob("*.md")) <= seen


def test_every_make_target_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = list(commands("make"))

    assert len(named) > 5
    assert [(page, rest) for page, rest in named if rest.split()[0] not in targets] == []


def test_every_flask_command_that_is_named_exists(light_app: Flask) -> None:
    named = list(commands("flask"))

    assert len(named) > 10
    assert [(page, rest) for page, rest in named if not is_command(light_app, rest)] == []


def is_command(app: Flask, words: str) -> bool:
    """Tell whether the words name a command of ours or Flask's, with options that it has."""
    name, *rest = words.split()
    command = app.cli.commands.get(name) or FlaskGroup().commands.get(name)
    if isinstance(command, click.Group):
        if not rest:
            return True
        # A list of alternatives such as create|list names each of them.
        names = rest[0].split("|")
        if len(names) > 1:
            return set(names) <= set(command.commands)
        command, rest = command.commands.get(names[0]), rest[1:]
    if command is None:
        return False
    options = {option for parameter in command.params for option in parameter.opts}
    return {word.strip("[]").partition("=")[0] for word in rest if word.startswith(("--", "[--"))} <= options


def test_the_picture_of_the_house_shows_its_rooms() -> None:
    texts = [element.text or "" for element in ElementTree.parse(ROOT / "docs" / "architecture.svg").iter()]
    shown = {room.strip() for text in texts for room in text.split(",")}
    rooms = {path.stem for path in (ROOT / "projectapi").iterdir() if path.is_dir() and not path.name.startswith("__")}

    # The stand-ins are no part of what serves.
    assert rooms - {"devstack"} - shown == set()
