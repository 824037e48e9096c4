"""Timelines as OpenTimelineIO: the library of the format loads them, and finds the same clips at the same times."""

from __future__ import annotations

import json
import random
import sys
import time
from typing import Any

import opentimelineio as otio
import pytest

from projectapi.timeline.otio import RATE, Media, timeline_to_otio

MEDIA = Media("video/holiday%20one.mp4", 12.5, 30_000 / 1001)


def clip(identity: str, start: float, duration: float, **more: Any) -> dict[str, Any]:
    return {"id": identity, "type": "video", "start_time": start, "end_time": 0, "duration": duration, **more}


def layer(*clips: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": "layer-1", "name": "Main", "type": "video", "clips": list(clips), **more}


def loaded(state: dict[str, Any], media: Media | None = MEDIA) -> Any:
    """Return the timeline as the library of the format reads it."""
    return otio.adapters.read_from_string(json.dumps(timeline_to_otio("Film", state, media)), "otio_json")


def seconds(time: Any) -> float:
    return float(time.value / time.rate)


def shown(track: Any) -> list[tuple[str, float, float, float]]:
    """Return name, time on the timeline, time in the source and length of each clip, in seconds."""
    found = []
    for item in track.find_clips():
        place = track.range_of_child(item)
        found.append((item.name, *map(seconds, (place.start_time, item.source_range.start_time, place.duration))))
    return found


def close(expected: list[tuple[str, float, float, float]]) -> list[Any]:
    return [(name, *(pytest.approx(value, abs=1e-9) for value in values)) for name, *values in expected]


def test_clips_keep_their_times_and_gaps_stand_between_them() -> None:
    first = clip("a", 1.5, 2.04, original_start_time=7.1)
    second = clip("b", 3.54, 1.0, original_start_time=0)
    third = clip("c", 6.0, 0.5)

    [track] = loaded({"layers": [layer(third, first, second)]}).tracks

    assert shown(track) == close([("a", 1.5, 7.1, 2.04), ("b", 3.54, 0.0, 1.0), ("c", 6.0, 6.0, 0.5)])
    assert [type(item).__name__ for item in track] == ["Gap", "Clip", "Clip", "Gap", "Clip"]


def test_every_layer_is_a_track_of_its_kind() -> None:
    state = {
        "layers": [
            layer(clip("a", 0, 1)),
            layer(clip("t", 0, 1, type="text", content="Hello"), id="l2", name="Titles", type="text", is_visible=False),
            layer(clip("s", 0, 1, type="audio"), id="l3", name="Sound", type="audio", is_muted=True),
            layer(id="l4", name="Nothing yet"),
        ]
    }

    tracks = list(loaded(state).tracks)

    assert [(track.name, track.kind, track.enabled, len(track)) for track in tracks] == [
        ("Main", "Video", True, 1),
        ("Titles", "Video", False, 1),
        ("Sound", "Audio", False, 1),
        ("Nothing yet", "Video", True, 0),
    ]


def test_clips_that_overlap_are_spread_over_tracks() -> None:
    state = {"layers": [layer(clip("a", 0, 3), clip("b", 1, 1), clip("c", 3, 1), clip("d", 2.5, 1))]}

    first, second = loaded(state).tracks

    assert (first.name, second.name) == ("Main", "Main (2)")
    assert [name for name, *_ in shown(first)] == ["a", "c"]
    assert shown(second) == close([("b", 1, 1, 1), ("d", 2.5, 2.5, 1)])


def test_clips_go_to_the_first_track_that_is_free() -> None:
    chance = random.Random(5)
    clips = [clip(str(n), chance.randint(0, 40), chance.choice([0, 1, 3, 30])) for n in range(200)]
    expected: list[list[tuple[str, float]]] = []
    for one in sorted(clips, key=lambda one: one["start_time"]):
        place = one["id"], one["start_time"] + one["duration"]
        free = next((track for track in expected if track[-1][1] <= one["start_time"]), None)
        expected.append([place]) if free is None else free.append(place)

    tracks = loaded({"layers": [layer(*clips)]}).tracks

    assert [[name for name, *_ in shown(track)] for track in tracks] == [[name for name, _ in track] for track in expected]


def test_very_many_clips_at_one_place_take_no_more_time_than_others() -> None:
    def cpu_seconds(*clips: dict[str, Any]) -> float:
        started = time.process_time()
        timeline_to_otio("Film", {"layers": [layer(*clips)]}, MEDIA)
        return time.process_time() - started

    beside = cpu_seconds(*(clip(str(n), n, 1) for n in range(10_000)))
    at_one_place = cpu_seconds(*(clip(str(n), 0, 1) for n in range(10_000)))

    # Looking through all tracks for each clip took some fifteen times as long.
    assert at_one_place < 5 * beside + 0.5


def test_times_beyond_all_numbers_still_are_numbers() -> None:
    endless = clip("a", 1e308, 1e308, original_start_time=-1e308)

    [track] = loaded({"layers": [layer(endless)]}).tracks

    [item] = track.find_clips()
    assert item.source_range.duration.value == -item.source_range.start_time.value == sys.float_info.max


def test_clips_refer_to_the_video_beside_the_file() -> None:
    text = clip("t", 1, 1, type="text", content="Hello")

    [track] = loaded({"layers": [layer(clip("a", 0, 1), text)]}).tracks

    film, title = track.find_clips()
    assert film.media_reference.target_url == "video/holiday%20one.mp4"
    assert seconds(film.media_reference.available_range.duration) == pytest.approx(12.5)
    assert film.source_range.duration.rate == 30_000 / 1001
    assert (title.name, title.media_reference.is_missing_reference) == ("Hello", True)


def test_without_a_video_clips_refer_to_what_the_frontend_said() -> None:
    known, unknown = clip("a", 0, 1, source_path="https://example.org/a.mp4"), clip("b", 1, 1)

    [track] = loaded({"layers": [layer(known, unknown)]}, None).tracks

    first, second = track.find_clips()
    assert first.media_reference.target_url == "https://example.org/a.mp4"
    assert (second.media_reference.is_missing_reference, first.source_range.duration.rate) == (True, RATE)


def test_markers_are_the_timelines() -> None:
    markers = [{"id": "m1", "time": 2.5, "label": "Here", "color": "#ff0000"}, {"id": "m2", "time": None}, {"time": 0}]

    found = loaded({"layers": [], "markers": markers}).tracks.markers

    assert [(marker.name, seconds(marker.marked_range.start_time)) for marker in found] == [("Here", 2.5), ("", 0.0)]
    assert found[0].metadata["projectapi"]["color"] == "#ff0000"


def test_what_lies_before_the_beginning_is_cut_off() -> None:
    [track] = loaded({"layers": [layer(clip("a", -1, 3, original_start_time=5), clip("b", 4, -2))]}).tracks

    assert shown(track) == close([("a", 0, 6, 2), ("b", 4, 4, 0)])


@pytest.mark.parametrize("state", [{}, {"layers": None}, {"layers": [], "markers": None}])
def test_a_timeline_without_anything_is_one(state: dict[str, Any]) -> None:
    assert list(loaded(state).tracks) == []


def test_the_library_writes_what_it_read_without_a_change_of_times() -> None:
    written = timeline_to_otio("Film", {"layers": [layer(clip("a", 0.1 + 0.2, 1 / 3))]}, MEDIA)

    read = otio.adapters.read_from_string(json.dumps(written), "otio_json")
    again = json.loads(otio.adapters.write_to_string(read, "otio_json"))

    original = written["tracks"]["children"][0]["children"][1]["source_range"]
    assert again["tracks"]["children"][0]["children"][1]["source_range"] == original
