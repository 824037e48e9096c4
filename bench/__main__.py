"""``python -m bench``: measure, print, and write the tables to docs/performance.md (the footprint: docs/deployment.md)."""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from bench import report
from bench.candidates import FLASK_CONSTANT, PROJECTAPI, WSGI_CONSTANT, Servers, servers
from bench.far_away import measure_gains
from bench.footprint import measure_footprint
from bench.measure import Batches
from bench.processes import ROOT
from bench.speed import Extent, measure_speed
from bench.storage import SIZES, measure_lists, measure_long_history, measure_saves
from bench.uploads import measure_uploads

PAGE = ROOT / "docs" / "performance.md"
OTHER_PAGES = {"footprint": ROOT / "docs" / "deployment.md"}
Section = Callable[[Servers, bool], str]


def _speed(servers: Servers, quick: bool) -> str:
    if quick:
        few = (PROJECTAPI, FLASK_CONSTANT, WSGI_CONSTANT)
        rows, absent = measure_speed(servers, Batches(1, 20, 0.5), Extent({20: 4}, 3), candidates=few, say=_say)
    else:
        rows, absent = measure_speed(servers, Batches(), Extent(), say=_say)
    return "\n\n".join([report.speed_tables(rows), *absent])


def _cache(servers: Servers, quick: bool) -> str:
    gains = measure_gains(servers, Batches(1, 10, 0.5), (20,)) if quick else measure_gains(servers, Batches(3, 100, 2.0))
    return report.gain_table(gains)


def _saves(servers: Servers, quick: bool) -> str:
    saves = measure_saves(servers, {20: 3, 200: 3} if quick else SIZES)
    history = measure_long_history(servers, 5 if quick else 1_000, clips=20 if quick else 2_000)
    return report.save_table(saves) + "\n\n" + report.history_sentence(history)


def _lists(servers: Servers, quick: bool) -> str:
    if quick:
        return report.list_table(measure_lists(servers, Batches(1, 10, 0.1), (100, 200)))
    return report.list_table(measure_lists(servers, Batches(3, 100, 2.0)))


def _uploads(servers: Servers, quick: bool) -> str:
    return report.upload_table(measure_uploads(servers, 1, 4 * 2**20) if quick else measure_uploads(servers))


def _footprint(servers: Servers, quick: bool) -> str:
    if quick:
        return report.footprint_tables(measure_footprint(servers, reads=1, saves=2, clips=20, pause_seconds=0.0))
    return report.footprint_tables(measure_footprint(servers, reads=5, saves=32, clips=200))


SECTIONS: dict[str, Section] = {
    "speed": _speed,
    "cache": _cache,
    "saves": _saves,
    "lists": _lists,
    "uploads": _uploads,
    "footprint": _footprint,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the sections that were asked for; a full run writes each to its place in the page when it is done."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("sections", nargs="*", metavar="section", help=f"{', '.join(SECTIONS)}; default: all")
    parser.add_argument("--quick", action="store_true", help="only show that the benchmark works (under a minute)")
    options = parser.parse_args(arguments)
    unknown = set(options.sections) - set(SECTIONS)
    if unknown:
        parser.error(f"there is no section {', '.join(sorted(unknown))}")
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="projectapi-bench-") as folder, servers(Path(folder)) as both:
        for name in options.sections or SECTIONS:
            _run(name, both, options.quick)
    _say(f"done in {time.monotonic() - started:.0f} s")


def _run(name: str, servers: Servers, quick: bool) -> None:
    _say(name)
    load_before = os.getloadavg()[0]
    tables = SECTIONS[name](servers, quick)
    text = f"{tables}\n\n{report.machine(load_before)}"
    print(f"\n{text}\n", flush=True)
    if not quick:
        report.keep(name, text, OTHER_PAGES.get(name, PAGE))


def _say(text: str) -> None:
    print(f"… {text}", flush=True)


if __name__ == "__main__":
    main()
