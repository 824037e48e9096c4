"""Timelines as the newest frontend sends them, and JSON values of every kind."""

from __future__ import annotations

import copy
import random
from typing import Any

import orjson
from hypothesis import strategies as st

JsonObject = dict[str, Any]


def make_timeline(clips: int, *, layers: int = 4, seed: int = 1) -> JsonObject:
    """Return a state with ids and times that do not compress, whole numbers as integers and all else as floats."""
    chance = random.Random(seed)
    project = f"{chance.getrandbits(96):024x}"
    kinds = ["video", "audio", "text", "overlay"]
    return {
        "layers": [
            {
                "id": f"{kinds[number % 4]}-layer-{project}-{number}",
                "name": f"Layer {number}",
                "type": kinds[number % 4],
                "is_visible": True,
                "is_locked": False,
                "is_muted": False,
                "order": number,
                "is_main_video": number == 0,
                "clips": _clips(chance, project, clips // layers),
            }
            for number in range(layers)
        ],
        "playhead_time": 12.5,
        "zoom": 1,
        "duration": 6,
        "markers": [
            {"id": f"m{i}", "time": chance.uniform(0, 100), "label": f"Scene {i}", "color": "#ff0000"} for i in range(5)
        ],
        "selected_clips": [],
        "is_playing": False,
        "is_snapping": True,
    }


def _clips(chance: random.Random, project: str, count: int) -> list[JsonObject]:
    clips = []
    start = 0.0
    for _ in range(count):
        duration = chance.uniform(0.4, 9)
        clips.append(
            {
                "id": f"video-clip-{chance.getrandbits(96):024x}_split_{1763828400000 + chance.getrandbits(32)}",
                "type": "video",
                "start_time": start,
                "end_time": start + duration,
                "duration": duration,
                "original_start_time": chance.uniform(0, 3600),
                "source_path": f"http://localhost:8001/media/{project}/video",
                "content": "Holiday in Rome",
                "properties": {"volume": 1, "speed": 1, "opacity": 1, "easing": "linear"},
                "keyframes": [],
            }
        )
        start += duration
    return clips


def all_clips(state: JsonObject) -> list[JsonObject]:
    """Return the clips of all layers."""
    return [clip for layer in state["layers"] for clip in layer["clips"]]


def with_moved_clips(state: JsonObject, count: int, *, seed: int = 7) -> JsonObject:
    """Return a copy in which some clips start elsewhere."""
    chance = random.Random(seed)
    moved = copy.deepcopy(state)
    for clip in chance.sample(all_clips(moved), count):
        clip["start_time"] = chance.uniform(0, 1000)
        clip["end_time"] = clip["start_time"] + clip["duration"]
    return moved


def canonical(value: Any) -> bytes:
    """Return what is the same for the same JSON, whatever the order of keys; 1, 1.0 and true differ."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


KEYS = st.one_of(st.sampled_from(["a", "b", "id", "$a", "", "x.y", "~", "/", "0", "\uff04", "\0", "%"]), st.text(max_size=3))
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.sampled_from([0, 1, -1, 2**53, 1.0, 0.0, -0.0, 1e300]),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=4),
)


def json_values(keys: st.SearchStrategy[str] = KEYS, *, leaves: int = 12) -> st.SearchStrategy[Any]:
    """Return a strategy for JSON values, with small arrays and objects in one another."""
    return st.recursive(
        SCALARS,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
        max_leaves=leaves,
    )


@st.composite
def small_states(draw: st.DrawFn) -> JsonObject:
    """Draw a state of few ids and few values, so that two of them have much in common."""
    ids = st.sampled_from("abcdef")
    times = st.sampled_from([0, 0.0, 1, 1.0, 2.5, 3])
    clip = st.fixed_dictionaries(
        {"id": ids, "type": st.just("video"), "start_time": times, "end_time": times, "duration": times},
        optional={"properties": st.dictionaries(st.sampled_from("xy"), times), "original_start_time": times},
    )
    layer = st.fixed_dictionaries(
        {"id": ids, "name": st.sampled_from(["A", "B"]), "type": st.just("video"), "clips": st.lists(clip, max_size=6)},
        optional={"is_muted": st.booleans(), "order": st.integers(0, 3)},
    )
    marker = st.fixed_dictionaries({"time": times}, optional={"id": ids, "label": st.text(max_size=2)})
    unique = {"unique_by": lambda item: item["id"]} if draw(st.booleans()) else {}
    state = st.fixed_dictionaries(
        {"layers": st.lists(layer, max_size=5, **unique), "markers": st.lists(marker, max_size=4)},
        optional={"zoom": times, "selected_clips": st.lists(ids, max_size=4), "extra": json_values(leaves=4)},
    )
    drawn: JsonObject = draw(state)
    return drawn
