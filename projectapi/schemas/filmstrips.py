"""The index of a filmstrip on the wire: a JSON document, and a WebVTT track."""

from __future__ import annotations

from dataclasses import asdict

from projectapi.project import JsonObject
from projectapi.protocols import Filmstrip


def filmstrip_document(strip: Filmstrip, sheet: str) -> JsonObject:
    """Return the index with the address of the sheet as ``image``."""
    return {"image": sheet, **asdict(strip)}


def filmstrip_track(strip: Filmstrip, sheet: str) -> str:
    """Return a WebVTT track whose cues name the tile of their time, by a media fragment (``#xywh=``) of the sheet."""
    cues = ["WEBVTT"]
    for tile in range(strip.count):
        start = tile * strip.interval
        end = strip.duration if tile == strip.count - 1 else start + strip.interval
        row, column = divmod(tile, strip.columns)
        area = (column * strip.tile_width, row * strip.tile_height, strip.tile_width, strip.tile_height)
        cues.append(f"{_time(start)} --> {_time(end)}\n{sheet}#xywh={','.join(map(str, area))}")
    return "\n\n".join(cues) + "\n"


def _time(seconds: float) -> str:
    minutes, milliseconds = divmod(round(seconds * 1000), 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{milliseconds / 1000:06.3f}"
