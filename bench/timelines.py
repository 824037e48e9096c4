"""Timelines as an editor saves them: about 230 bytes of JSON per clip."""

from __future__ import annotations

import json
from typing import Any

CLIPS = (20, 200, 2_000)

MARKER = b"100000000.25"
"""Where the playhead stands in a body; a load generator writes another number there, so that no save equals the one before."""


def timeline(clips: int) -> dict[str, Any]:
    """Return a timeline with so many clips on four layers: 5 KB of JSON for 20, 46 KB for 200, 460 KB for 2,000."""
    layers = [
        {
            "id": f"layer-{number}",
            "name": f"Layer {number}",
            "type": "video",
            "order": number,
            "clips": [_clip(clip) for clip in range(number, clips, 4)],
        }
        for number in range(4)
    ]
    return {"layers": layers, "playhead_time": float(MARKER), "zoom": 1, "duration": clips * 3.0, "markers": []}


def compact(value: Any) -> bytes:
    """Return JSON as browsers send it."""
    return json.dumps(value, separators=(",", ":")).encode()


def _clip(number: int) -> dict[str, Any]:
    start = number * 3.0
    return {
        "id": f"clip-{number * 2_654_435_761 % 2**32:08x}",
        "type": "video",
        "start_time": start,
        "end_time": start + 2.48,
        "duration": 2.48,
        "source_path": "/media/4f1c9a/video",
        "content": f"Take {number}",
        "properties": {"volume": 1, "speed": 1, "opacity": 0.85, "easing": "linear"},
        "keyframes": [],
    }
