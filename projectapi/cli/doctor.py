"""`flask doctor`: what is wrong with an installation, and what to do about it."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence

import click
from flask import current_app
from flask.cli import with_appcontext

from projectapi.cli.settings_examination import SettingsExamination
from projectapi.protocols import Diagnosis, Examination, Verdict, fail, warn

EXAMINATIONS = "projectapi.examinations"
"""Where an application keeps what there is to be examined."""

_SECONDS_EACH = 4.0
_SECONDS_ALL = 10.0
_COLOURS = {Verdict.OK: "green", Verdict.WARN: "yellow", Verdict.FAIL: "red"}


@click.command("doctor")
@click.pass_context
@with_appcontext
def doctor(context: click.Context) -> None:
    """Look at everything projectapi needs, a line for each, with what to do; exit code 1 if something does not work."""
    # What is wrong stands in the lines below; the log would say it once more between them, with the names of hosts.
    logging.getLogger("projectapi").setLevel(logging.CRITICAL)
    settings = SettingsExamination(current_app.config["PROJECTAPI"])
    counts: Counter[Verdict] = Counter()
    for name, diagnosis in diagnoses([settings, *current_app.extensions[EXAMINATIONS]]):
        counts[diagnosis.verdict] += 1
        click.echo(_line(name, diagnosis))
    click.echo(f"{counts[Verdict.FAIL]} failed, {counts[Verdict.WARN]} to be looked at, {counts[Verdict.OK]} in order.")
    context.exit(1 if counts[Verdict.FAIL] else 0)


def diagnoses(
    examinations: Sequence[Examination], *, seconds_each: float = _SECONDS_EACH, seconds_all: float = _SECONDS_ALL
) -> Iterator[tuple[str, Diagnosis]]:
    """Yield the name of each examination and what it found, one after the other so that none slows another down.

    What hangs is left behind; what needs something that failed is not tried.
    """
    give_up_at = time.monotonic() + seconds_all
    failed: set[str] = set()
    for one in examinations:
        if one.needs in failed:
            diagnosis = warn(f"not looked at, as {one.needs} failed", f"See to {one.needs} first.")
        else:
            diagnosis = _examined(one, min(seconds_each, give_up_at - time.monotonic()))
        if diagnosis.verdict is Verdict.FAIL:
            failed.add(one.name)
        yield one.name, diagnosis


def _examined(examination: Examination, seconds: float) -> Diagnosis:
    found: list[Diagnosis] = []

    def examine() -> None:
        try:
            found.append(examination.examine())
        except Exception as error:
            # A doctor that falls ill has to say so; what an exception says may quote a connection string.
            found.append(fail(f"the examination failed ({type(error).__name__})", "Report this as a defect of projectapi."))

    thread = threading.Thread(target=examine, name=f"examine-{examination.name}", daemon=True)
    thread.start()
    thread.join(max(0.0, seconds))
    return found[0] if found else fail("no answer in time", "See whether this machine or the server behind it is overloaded.")


def _line(name: str, diagnosis: Diagnosis) -> str:
    verdict = click.style(f"{diagnosis.verdict.value:<4}", fg=_COLOURS[diagnosis.verdict])
    advice = f". {diagnosis.advice}" if diagnosis.advice else ""
    return f"{verdict}  {name:<14}  {diagnosis.found}{advice}"
