"""A timeline as OpenTimelineIO, the exchange format that other editors open.

Written after the serialised schemas of OpenTimelineIO 0.17 (Timeline.1, Stack.1, Track.1, Clip.2, Gap.1, Marker.2,
ExternalReference.1, MissingReference.1, TimeRange.1, RationalTime.1), see https://opentimelineio.readthedocs.io. A track holds
its items end to end: gaps stand where a layer shows nothing, and clips of one layer that overlap are spread over as many tracks
as that takes. Times are exact, so their values are not always whole frames.
"""

from __future__ import annotations

import heapq
import sys
from collections.abc import Iterable
from dataclasses import dataclass

from projectapi.project import JsonObject

RATE = 25.0
"""Frames per second where the video's own rate is not known."""

_TOLERANCE_SECONDS = 1e-6
_WITH_MEDIA = ("video", "audio")


@dataclass(frozen=True, slots=True)
class Media:
    """The video that clips are pieces of: its address, relative to the OTIO file, its length in seconds, its frame rate."""

    url: str
    duration: float
    frame_rate: float | None


@dataclass(frozen=True, slots=True)
class _Placed:
    """A clip on its layer, in seconds; what lies before the timeline's beginning is cut off."""

    clip: JsonObject
    start: float
    duration: float
    source_start: float

    @property
    def end(self) -> float:
        return self.start + self.duration


def timeline_to_otio(name: str, state: JsonObject, media: Media | None) -> JsonObject:
    """Return the JSON of an OTIO file for a timeline's state; clips of video and sound refer to `media` if there is one.

    A clip's source range begins at its `original_start_time`, else where it starts on the timeline, and lasts its `duration`.
    """
    writer = _Writer(media)
    tracks = [track for layer in state.get("layers") or [] for track in writer.tracks(layer)]
    markers = [writer.marker(marker) for marker in state.get("markers") or [] if marker.get("time") is not None]
    stack = {**_named("Stack.1", "tracks"), "children": tracks, "markers": markers, "source_range": None, "effects": []}
    return {**_named("Timeline.1", name), "global_start_time": None, "tracks": stack}


class _Writer:
    def __init__(self, media: Media | None) -> None:
        self._rate = (media.frame_rate if media else None) or RATE
        # One for all clips: a timeline may have a hundred thousand.
        self._missing = {**_named("MissingReference.1", ""), "available_range": None, "available_image_bounds": None}
        self._video = _file(media.url, self._range(0.0, media.duration)) if media else None

    def tracks(self, layer: JsonObject) -> list[JsonObject]:
        """Return a layer as one track or, when clips overlap, several."""
        lanes = _lanes(sorted(map(_placed, layer.get("clips") or []), key=lambda placed: placed.start))
        return [self._track(layer, number, lane) for number, lane in enumerate(lanes or [[]], 1)]

    def marker(self, marker: JsonObject) -> JsonObject:
        """Return a marker as one of the whole timeline."""
        metadata = {"projectapi": {"id": marker.get("id"), "color": marker.get("color")}}
        rest = {"color": "RED", "comment": "", "marked_range": self._range(marker["time"], 0.0)}
        return {**_named("Marker.2", marker.get("label") or "", metadata), **rest}

    def _track(self, layer: JsonObject, number: int, lane: Iterable[_Placed]) -> JsonObject:
        name = layer["name"] if number == 1 else f"{layer['name']} ({number})"
        is_audio = layer["type"] == "audio"
        children: list[JsonObject] = []
        position = 0.0
        for placed in lane:
            if placed.start - position > _TOLERANCE_SECONDS:
                children.append(self._gap(placed.start - position))
            children.append(self._clip(placed))
            position = placed.end
        return {
            **_named("Track.1", name, {"projectapi": {"id": layer["id"], "type": layer["type"]}}),
            "kind": "Audio" if is_audio else "Video",
            "enabled": layer.get("is_visible") is not False and not (is_audio and layer.get("is_muted")),
            "source_range": None,
            "effects": [],
            "markers": [],
            "children": children,
        }

    def _gap(self, duration: float) -> JsonObject:
        rest = {"source_range": self._range(0.0, duration), "effects": [], "markers": [], "enabled": True}
        return {**_named("Gap.1", ""), **rest}

    def _clip(self, placed: _Placed) -> JsonObject:
        clip = placed.clip
        return {
            **_named("Clip.2", clip.get("content") or clip["id"], {"projectapi": {"id": clip["id"], "type": clip["type"]}}),
            "source_range": self._range(placed.source_start, placed.duration),
            "effects": [],
            "markers": [],
            "enabled": True,
            "media_references": {"DEFAULT_MEDIA": self._reference(clip)},
            "active_media_reference_key": "DEFAULT_MEDIA",
        }

    def _reference(self, clip: JsonObject) -> JsonObject:
        if clip["type"] not in _WITH_MEDIA:
            return self._missing
        if self._video is not None:
            return self._video
        return _file(clip["source_path"], None) if clip.get("source_path") else self._missing

    def _range(self, start: float, duration: float) -> JsonObject:
        return {"OTIO_SCHEMA": "TimeRange.1", "start_time": self._time(start), "duration": self._time(duration)}

    def _time(self, seconds: float) -> JsonObject:
        # JSON has no infinity, and a reader does not take null for one.
        value = min(max(float(seconds * self._rate), -sys.float_info.max), sys.float_info.max)
        return {"OTIO_SCHEMA": "RationalTime.1", "rate": float(self._rate), "value": value}


def _placed(clip: JsonObject) -> _Placed:
    start, duration = float(clip["start_time"]), max(0.0, float(clip["duration"]))
    source = clip.get("original_start_time")
    hidden = min(max(0.0, -start), duration)
    source_start = (max(0.0, start) if source is None else float(source) + hidden)
    return _Placed(clip, max(0.0, start), duration - hidden, source_start)


def _lanes(clips: Iterable[_Placed]) -> list[list[_Placed]]:
    """Spread clips, in the order of their starts, over as few lanes as it takes for none to overlap: each to the first free."""
    lanes: list[list[_Placed]] = []
    # Two heaps, because a hundred thousand clips may all lie at one place: to look through all lanes for each would take hours.
    free: list[int] = []
    occupied: list[tuple[float, int]] = []
    for clip in clips:
        while occupied and clip.start >= occupied[0][0] - _TOLERANCE_SECONDS:
            heapq.heappush(free, heapq.heappop(occupied)[1])
        if free:
            lane = heapq.heappop(free)
            lanes[lane].append(clip)
        else:
            lane = len(lanes)
            lanes.append([clip])
        heapq.heappush(occupied, (clip.end, lane))
    return lanes


def _named(schema: str, name: str, metadata: JsonObject | None = None) -> JsonObject:
    return {"OTIO_SCHEMA": schema, "name": name, "metadata": metadata or {}}


def _file(url: str, available: JsonObject | None) -> JsonObject:
    return {
        **_named("ExternalReference.1", ""),
        "target_url": url,
        "available_range": available,
        "available_image_bounds": None,
    }
