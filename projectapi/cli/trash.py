"""`flask trash`: the projects that were deleted."""

from __future__ import annotations

import re
from datetime import timedelta

import click
from flask.cli import AppGroup

from projectapi.cli.printing import backend, counted, ending_with, print_columns
from projectapi.project import ProjectKey, now

trash = AppGroup("trash", help="Look into the trash, bring projects back, empty it.")


def parse_age(_context: click.Context, _option: click.Parameter, value: str) -> timedelta:
    """Return the length of time that a text such as 30d or 12h means. Raises BadParameter."""
    found = re.fullmatch(r"([0-9]{1,5})([dh])", value)
    if found is None:
        raise click.BadParameter(f"{value!r} is no length of time: days as in 30d or hours as in 12h are allowed.")
    number = int(found[1])
    return timedelta(days=number) if found[2] == "d" else timedelta(hours=number)


@trash.command("list")
@click.option("--owner", help="Only the projects of this owner.")
def list_trash(owner: str | None) -> None:
    """List the projects in the trash, those deleted longest ago first."""
    with ending_with("The trash cannot be listed:"):
        rows = [
            (entry.id, f"{entry.deleted_at:%Y-%m-%d %H:%M}", _megabytes(entry.video_bytes), entry.owner, entry.name)
            for entry in backend().housekeeping.list_trash(owner)
        ]
    if rows:
        print_columns([("id", "deleted (UTC)", "video", "owner", "name"), *rows])
    click.echo(counted(len(rows), "project") + " in the trash.")


@trash.command("restore")
@click.argument("project_id")
def restore(project_id: str) -> None:
    """Bring a project back, with its timeline, history and video."""
    with ending_with(f"{project_id} was not restored; is it in `flask trash list`?"):
        backend().projects.restore_project(ProjectKey(project_id))
    click.echo(f"{project_id} is back.")


@trash.command("purge")
@click.option("--older-than", callback=parse_age, required=True, help="How long ago they were deleted at least: 30d or 12h.")
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
def purge(older_than: timedelta, dry_run: bool) -> None:
    """Remove projects from the trash for ever: history, files, documents. Safe to run again after it was interrupted."""
    with ending_with("The purge stopped; run it again to finish:"):
        report = backend().housekeeping.purge(now() - older_than, dry_run=dry_run)
    removed = [counted(report.projects, "project"), counted(report.revisions, "revision"), counted(report.videos, "video")]
    click.echo(("Would be removed: " if dry_run else "Removed for ever: ") + ", ".join(removed) + ".")
    if report.failed:
        raise click.ClickException(
            "The files of these projects could not be deleted, see the log; they stay invisible, and the next purge tries "
            "again: " + ", ".join(report.failed)
        )


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size else "none"
