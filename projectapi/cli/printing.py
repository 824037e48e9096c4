"""How commands talk to people: columns that line up, and trouble in one sentence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import cast

import click
from flask import current_app

from projectapi.errors import DatabaseUnavailable, OutcomeUnknown, ProjectApiError
from projectapi.protocols import Backend, ForeignDisk

_LOOK_FOR_IT = (
    "See that it runs, that MONGODB_URI names it, and that its network access list lets this machine in; then run this again."
)


def backend() -> Backend:
    """Return the parts that `create_app` put together."""
    return cast(Backend, current_app.extensions["projectapi"])


@contextmanager
def ending_with(sentence: str) -> Iterator[None]:
    """End the command with `sentence` and the reason when something of projectapi goes wrong inside the block."""
    try:
        yield
    except OutcomeUnknown as error:
        raise click.ClickException(f"{sentence} MongoDB went away in the middle of it. {_LOOK_FOR_IT}") from error
    except DatabaseUnavailable as error:
        raise click.ClickException(f"{sentence} MongoDB cannot be reached. {_LOOK_FOR_IT}") from error
    except ForeignDisk as error:
        raise click.ClickException(f"{sentence} {error}") from error
    except ProjectApiError as error:
        raise click.ClickException(f"{sentence} {error.__cause__ or error.text}") from error


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, which takes an s in the plural."""
    return f"{number} {noun}" + ("" if number == 1 else "s")


def print_columns(rows: Sequence[Sequence[object]]) -> None:
    """Print rows in columns as wide as their widest cell, numbers to the right."""
    widths = [max(len(str(cell)) for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        click.echo("  ".join(_padded(cell, width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _padded(cell: object, width: int) -> str:
    return str(cell).rjust(width) if isinstance(cell, int) else str(cell).ljust(width)
