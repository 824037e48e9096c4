"""`flask media`: whether the videos are where the records say."""

from __future__ import annotations

import click
from flask.cli import AppGroup

from projectapi.cli.printing import backend, ending_with, print_columns
from projectapi.protocols import DamagedVideo, DiskState

media = AppGroup("media", help="Look after the disk with the videos.")

_STATES = {
    DiskState.NEW: "The database knows no disk yet; the server marks it when it starts.",
    DiskState.KNOWN: "The disk is the one that the database knows.",
    DiskState.WIPED: "The disk bears no mark: it was wiped, or another one is mounted.",
    DiskState.ANOTHER: "The disk belongs to another database, or is another than the one that the database knows.",
}
_WRONG = (DiskState.WIPED, DiskState.ANOTHER)


@media.command("check")
@click.option("--hashes", is_flag=True, help="Read every file and compare its SHA-256 with the record; takes its time.")
@click.pass_context
def check(context: click.Context, hashes: bool) -> None:
    """Look for every recorded video, and for files that no record names; exit code 1 if something is wrong."""
    parts = backend()
    with ending_with("The check stopped:"):
        state = parts.media_disk.state()
        damaged = list(parts.media_audit.damaged(hashes=hashes))
        leftovers = [] if state is DiskState.ANOTHER else parts.housekeeping.sweep_files(dry_run=True)
    click.echo(_STATES[state])
    if damaged:
        print_columns([_HEADER, *(_row(video) for video in damaged)])
    click.echo(f"Videos that must be uploaded again: {len(damaged)}. The same file is attached to its project as it was.")
    click.echo(f"Files, older than a day, that no record names: {len(leftovers)}. `flask media sweep` lists them.")
    context.exit(1 if damaged or state in _WRONG else 0)


@media.command("sweep")
@click.option("--delete", is_flag=True, help="Really delete them.")
@click.option("--accept-disk", is_flag=True, help="Let this disk be the database's, and no other's, from now on.")
def sweep(delete: bool, accept_disk: bool) -> None:
    """List the files, older than a day, that no record names; with --delete they go. Records are never touched."""
    parts = backend()
    with ending_with("The sweep stopped; run it again to finish:"):
        if accept_disk:
            parts.media_disk.accept()
        state = parts.media_disk.state()
        names = parts.housekeeping.sweep_files(dry_run=not delete)
    if state in _WRONG:
        raise click.ClickException(f"{_STATES[state]} Nothing is deleted on it unless you say --accept-disk as well.")
    for name in names:
        click.echo(name)
    click.echo(f"Deleted: {len(names)}." if delete else f"Would be deleted: {len(names)}. Run it again with --delete to do it.")


_HEADER = ("project", "name", "file", "what is wrong", "")


def _row(video: DamagedVideo) -> tuple[object, ...]:
    return video.project_id, video.name, video.path, str(video.trouble), "in the trash" if video.in_trash else ""
