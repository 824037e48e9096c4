"""`flask db`: looking after the database."""

from __future__ import annotations

import click
from flask.cli import AppGroup

from projectapi.cli.printing import backend, ending_with, print_columns
from projectapi.project import now
from projectapi.protocols import CollectionStatus, DatabaseStatus, HistoryReport

db = AppGroup("db", help="Look after the database.")

_dry_run = click.option("--dry-run", is_flag=True, help="Only say what would be done.")


@db.command("init")
def init() -> None:
    """Create collections, validators and indexes, or bring them up to date. Safe to run at any time."""
    with ending_with("The database was not set up:"):
        for line in backend().schema.set_up():
            click.echo(line)


@db.command("migrate")
@_dry_run
def migrate(dry_run: bool) -> None:
    """Bring old documents to the newest shape. Safe to run at any time, also while the API serves."""
    with ending_with("The migration stopped; what is done stays done, run it again to finish:"):
        reports = backend().schema.migrate(dry_run=dry_run)
    done = "would be upgraded" if dry_run else "upgraded"
    print_columns([(r.collection, r.documents, f"{done} to schema version {r.version}") for r in reports])


@db.command("status")
@click.pass_context
def status(context: click.Context) -> None:
    """Show the schema version of the code and of the database, and what is missing; exit code 1 if something is."""
    with ending_with("The database cannot be looked at:"):
        found = backend().schema.status()
    print_columns([("schema version of the code", found.code_version), ("of the database", found.database_version or "none")])
    click.echo()
    print_columns([_HEADER, *(_status_row(collection) for collection in found.collections)])
    click.echo()
    click.echo(_verdict(found))
    context.exit(0 if found.is_ready else 1)


@db.command("sweep")
@_dry_run
def sweep(dry_run: bool) -> None:
    """Thin out old unnamed versions, and delete what nothing points to: revisions, files. Safe to run at any time."""
    parts = backend()
    with ending_with("The sweep stopped; run it again to finish:"):
        report = parts.housekeeping.sweep_history(parts.retention, now(), dry_run=dry_run)
        files = parts.housekeeping.sweep_files(dry_run=dry_run)
    click.echo("What would be done:" if dry_run else "Done:")
    print_columns(_sweep_rows(report, len(files)))


_HEADER = ("collection", "documents", "oldest shape", "newest shape", "to migrate", "validator", "indexes")


def _status_row(found: CollectionStatus) -> tuple[object, ...]:
    indexes = "missing: " + ", ".join(found.missing_indexes) if found.missing_indexes else "in place"
    validator = "in place" if found.has_validator else "missing or another"
    lowest, highest = found.lowest_version or "-", found.highest_version or "-"
    return found.name, found.documents, lowest, highest, found.to_migrate, validator, indexes


def _verdict(found: DatabaseStatus) -> str:
    if found.is_too_new:
        return "The database is newer than this version of projectapi, which refuses to work on it: run the newer version."
    if found.restoring:
        return f"The restoring of {found.restoring} is under way or was cut off: run `flask backup restore` again to finish it."
    if found.is_ready:
        return "Everything is in place."
    if any(collection.to_migrate for collection in found.collections):
        return "Run `flask db init`, then `flask db migrate`."
    return "Run `flask db init`."


def _sweep_rows(report: HistoryReport, files: int) -> list[tuple[str, int]]:
    return [
        ("projects looked at", report.projects),
        ("versions taken from history", report.forgotten),
        ("revisions deleted that nothing points to", report.deleted),
        ("revisions deleted that have no project", report.orphans),
        ("revisions marked that have no project, to go in an hour", report.new_orphans),
        ("files deleted that no project names", files),
    ]
