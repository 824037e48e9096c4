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


AWKWARD_STATES: dict[str, JsonObject] = {
    "as the newest frontend sends it": make_state(),
    "nothing at all": {},
    "only unknown keys": {"theme": "dark", "nested": {"deep": [1, 2.0, {"x": None}]}},
    "whole numbers and fractions": make_state(make_clip(start_time=0, end_time=6.0, duration=3, original_start_time=0.0)),
    "numbers at the edge": make_state(make_clip(properties={"a": 2**63 - 1, "b": -(2**63), "c": 2**53 + 1, "d": 1e300})),
    "small fractions": make_state(make_clip(start_time=0.1 + 0.2, duration=5e-324, properties={"z": -0.0, "y": 1e-7})),
    "an end that nobody moved": make_state(make_clip(start_time=0, duration=3.04, end_time=6)),
    "an end before the start": make_state(make_clip(start_time=5, duration=1, end_time=2)),
    "keys in an order of their own": {"zoom": 2, "layers": [], "aaa": 1, "duration": 3, "AAA": {"z": 1, "a": 2, "m": 3}},
    "keys like numbers": make_state(**{"10": 1, "9": 2, "properties": {"2": "b", "1": "a"}}),
    "dots in keys": make_state(make_clip(properties={"a.b": 1, ".": 2, "..": 3, "a.": 4}), **{"view.left": 0}),
    "an empty key": make_state(make_clip(properties={"": "empty"})),
    "references in properties": make_state(make_clip(properties={"link": {"$ref": "clips", "$id": 7, "$db": "x"}})),
    "operators in properties": make_state(make_clip(properties={"$set": {"$gt": 1}, "list": [{"$inc": 1}], "$": 0})),
    "extended JSON in properties": make_state(make_clip(properties={"$oid": "0123456789abcdef01234567", "$date": 0})),
    "NUL in properties": make_state(make_clip(properties={"a\x00b": "c\x00d"})),
    "letters of all kinds": make_state(make_clip(content="Grüße 🎬 \u2028 名前 \x7f", properties={"🎬": "é", "e\u0301": 1})),
    "more keys on clip and layer": make_state(make_clip(split_from="x", trim={"in": 0}), view={"collapsed": True}),
    "keyframes": make_state(
        make_clip(keyframes=[{"id": "k", "time": 0, "property": "opacity", "value": 1, "easing": "linear", "x": [1]}])
    ),
    "empty lists and objects": make_state(make_clip(properties={}, keyframes=[]), markers=[], selected_clips=[]),
    "nulls": make_state(make_clip(original_start_time=None, source_path=None, content=None, properties=None)),
    "no optional keys": {
        "layers": [
            {
                "id": "l",
                "name": "n",
                "type": "audio",
                "clips": [{"id": "c", "type": "audio", "start_time": 0, "end_time": 1, "duration": 1}],
            }
        ]
    },
    "every type of layer": {
        "layers": [{"id": kind, "name": kind, "type": kind} for kind in ("video", "audio", "text", "effect", "overlay")]
    },
    "two layers with one id": {"layers": [make_layer(), make_layer(is_main_video=False)]},
    "escaped-looking keys": make_state(make_clip(properties={"\\u0024a": 1, "%24": 2, "\uff04": 3, "\ue000$": 4})),
}
