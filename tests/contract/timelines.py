"""Timelines as the frontends send them."""

from __future__ import annotations

from tests.contract.shapes import JsonObject


def make_clip(identity: str = "video-clip-1", **changes: object) -> JsonObject:
    """Return a clip of the newest frontend; whole numbers are integers, all others floats."""
    clip: JsonObject = {
        "id": identity,
        "type": "video",
        "start_time": 0,
        "end_time": 6,
        "duration": 3.04,
        "original_start_time": 0,
        "source_path": "http://localhost:8001/media/1/video",
        "content": "Holiday",
        "properties": {"volume": 1, "speed": 1, "opacity": 1, "easing": "linear"},
        "keyframes": [],
    }
    return {**clip, **changes}


def make_layer(*clips: JsonObject, **changes: object) -> JsonObject:
    """Return a main video layer of the newest frontend."""
    layer: JsonObject = {
        "id": "video-layer-1",
        "name": "Video",
        "type": "video",
        "order": 0,
        "is_visible": True,
        "is_locked": False,
        "is_muted": False,
        "is_main_video": True,
        "clips": list(clips),
    }
    return {**layer, **changes}


def make_state(*clips: JsonObject, **changes: object) -> JsonObject:
    """Return a timeline of the newest frontend with these clips, or one clip, on its main layer."""
    state: JsonObject = {
        "layers": [make_layer(*(clips or (make_clip(),)))],
        "playhead_time": 1.25,
        "zoom": 1,
        "duration": 6,
        "markers": [{"id": "m1", "time": 2, "label": "Here", "color": "#ff0000"}],
        "selected_clips": ["video-clip-1", "a clip that was deleted"],
        "is_playing": False,
        "is_snapping": True,
    }
    return {**state, **changes}
