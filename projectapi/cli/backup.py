"""`flask backup`: everything in one archive, and back."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from flask.cli import AppGroup

from projectapi.cli.printing import backend, counted, ending_with, print_columns
from projectapi.protocols import BackupProblem, BackupSummary, Progress

backup = AppGroup("backup", help="Make, check and restore backups of everything.")

_INCOMPLETE = 3
"""Exit status when an archive was made, but not everything was there to be put into it; click takes 2 for itself."""

_FOLDER = click.Path(file_okay=False, path_type=Path)


@backup.command("create")
@click.argument("folder", required=False, type=_FOLDER)
@click.option("--videos", is_flag=True, help="The video files, too.")
@click.option("--keep", type=click.IntRange(min=1), metavar="N", help="Delete all but the newest N archives afterwards.")
@click.pass_context
def create(context: click.Context, folder: Path | None, videos: bool, keep: int | None) -> None:
    """Write an archive of the whole database into FOLDER (default: BACKUP_DIR). Safe while everybody works.

    Exit status 3: it was made, but something that it should have was not there; the newest archive that is whole is kept then.
    """
    with _explained("The backup was not made:"), _progress_bar("Projects") as progress:
        summary = backend().backups.create(folder, with_videos=videos, keep=keep, progress=progress)
    click.echo(f"{summary.path}: {_contents(summary)}.")
    _warn(summary)
    context.exit(0 if summary.is_whole else _INCOMPLETE)


@backup.command("list")
@click.argument("folder", required=False, type=_FOLDER)
def list_archives(folder: Path | None) -> None:
    """List the archives in FOLDER (default: BACKUP_DIR), the newest first."""
    found = backend().backups.list(folder)
    if found:
        print_columns([("archive", "made (UTC)", "MB", "projects", "versions", "files", ""), *map(_row, found)])
    click.echo(counted(len(found), "archive") + ".")


@backup.command("verify")
@click.argument("archive")
def verify(archive: str) -> None:
    """Check every byte and every reference of ARCHIVE, a path or a name in BACKUP_DIR. Needs no database."""
    with _explained("Do not rely on it:"), _progress_bar("Bytes") as progress:
        summary = backend().backups.verify(backend().backups.find(archive), progress)
    click.echo(f"{summary.path.name} is whole: {_contents(summary)}.")
    _warn(summary)


@backup.command("restore")
@click.argument("archive")
@click.option("--database", metavar="NAME", help="Into this database in the place of MONGODB_DATABASE.")
@click.option("--force", is_flag=True, help="Replace everything that is in the database.")
@click.option("--accept-disk", is_flag=True, help="Let the disk under MEDIA_DIR belong to this database alone from now on.")
def restore(archive: str, database: str | None, force: bool, accept_disk: bool) -> None:
    """Bring ARCHIVE back, after checking it. Killed on the way, run it again: it begins anew."""
    with _explained("The restore did not come to its end:"), _progress_bar("Bytes") as progress:
        backups = backend().backups
        lines = backups.restore(
            backups.find(archive), database, force=force, accept_disk=accept_disk, progress=progress
        )
    for line in lines:
        click.echo(line)


@contextmanager
def _explained(sentence: str) -> Iterator[None]:
    try:
        with ending_with(sentence):
            yield
    except BackupProblem as problem:
        raise click.ClickException(f"{sentence} {problem}") from problem


@contextmanager
def _progress_bar(label: str) -> Iterator[Progress]:
    """Show a bar on a terminal, and nothing in a log."""
    if not sys.stdout.isatty():
        yield lambda _done, _total: None
        return
    with click.progressbar(length=1, label=label) as bar:

        def show(done: int, total: int) -> None:
            bar.length = max(total, 1)
            bar.update(done - bar.pos)

        yield show


def _row(summary: BackupSummary) -> tuple[object, ...]:
    made = f"{summary.created_at:%Y-%m-%d %H:%M}" if summary.created_at else "-"
    counts = (summary.projects, summary.revisions, summary.files)
    return summary.path.name, made, summary.bytes // 1_000_000, *counts, summary.problem or ""


def _contents(summary: BackupSummary) -> str:
    numbers = {"project": summary.projects, "version": summary.revisions, "file": summary.files}
    return ", ".join([*(counted(number, noun) for noun, number in numbers.items()), f"{summary.bytes / 1e6:.1f} MB"])


def _warn(summary: BackupSummary) -> None:
    if summary.damaged:
        click.echo("WARNING: parts of the history of these projects are missing: " + ", ".join(summary.damaged))
    if summary.lost_files:
        click.echo("WARNING: these media files are missing or not as they were stored: " + ", ".join(summary.lost_files))
