"""Rendering timelines of real videos: every clip where the timeline has it, black and silence between them."""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from pathlib import Path
from statistics import fmean

import av
import pytest

from projectapi import errors
from projectapi.media import MediaRoom
from projectapi.project import Video
from projectapi.timeline.cut import Edit, Shot
from tests.media_samples import decoded_duration, decoded_sound, frame_numbers, make_numbered_video, make_video

BLACK = 0
AAC_PADDING = 2 * 1024 / 48_000


@pytest.fixture(scope="module")
def numbered(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Four seconds in which frame n can be told from all others, and none is black."""
    return make_numbered_video(tmp_path_factory.mktemp("rendering") / "numbered.mp4").read_bytes()


def shown(path: Path) -> list[int]:
    """Return which frames of the numbered video a result shows; black ones, as dark as frame 0, are 0."""
    return frame_numbers(path)


def loudness(path: Path, start: float, end: float) -> float:
    """Return how loud the sound is between two moments: a sine of full scale has about 0.7."""
    with av.open(str(path)) as container:
        samples = [sample for frame in container.decode(audio=0) for sample in frame.to_ndarray()[0].tolist()]
    return sqrt(fmean(sample**2 for sample in samples[round(start * 48_000) : round(end * 48_000)]))


def test_clips_are_where_the_timeline_has_them_with_black_between(
    room: MediaRoom, upload: Callable[..., Video], numbered: bytes
) -> None:
    edit = Edit((Shot(0.2, 1.0, 0.2), Shot(0.4, 3.0, 0.12), Shot(0.8, 0.4, 0.2)))

    result = room.render(upload(numbered), edit)

    path = room.static_path(result.path)
    black = [BLACK] * 5
    assert shown(path) == [*black, *range(25, 30), *range(75, 78), *[BLACK] * 7, *range(10, 15)]
    assert result.duration == pytest.approx(1.0)
    assert decoded_duration(path) == pytest.approx(1.0, abs=1e-4)
    assert decoded_sound(path) == pytest.approx(1.0, abs=AAC_PADDING)


def test_where_the_picture_is_black_there_is_silence(
    room: MediaRoom, upload: Callable[..., Video], numbered: bytes
) -> None:
    result = room.render(upload(numbered), Edit((Shot(0.6, 1.0, 0.6), Shot(2.0, 3.0, 0.6))))

    path = room.static_path(result.path)
    # A little away from the borders, which the sound's encoder blurs.
    for start, end in ((0.05, 0.5), (1.3, 1.9)):
        assert loudness(path, start, end) < 0.001
    for start, end in ((0.7, 1.1), (2.1, 2.5)):
        assert loudness(path, start, end) > 0.02


def test_many_clips_with_gaps_do_not_drift(room: MediaRoom, upload: Callable[..., Video], numbered: bytes) -> None:
    # More than one run of ffmpeg can take. 0.0512 s is no whole number of frames: errors would add up.
    shots = tuple(Shot(number * 0.1024, 0.4 + number * 0.04, 0.0512) for number in range(40))

    result = room.render(upload(numbered), Edit(shots))

    frames = shown(room.static_path(result.path))
    assert result.duration == pytest.approx(39 * 0.1024 + 0.0512, abs=0.02)
    for number, shot in enumerate(shots):
        assert frames[round(shot.at * 25)] == 10 + number
    assert frames.count(BLACK) == pytest.approx(len(frames) / 2, abs=3)


def test_a_video_without_sound_is_rendered_with_black_too(
    room: MediaRoom, upload: Callable[..., Video], tmp_path: Path
) -> None:
    silent = make_video(tmp_path / "silent.mp4", audio=False).read_bytes()

    result = room.render(upload(silent), Edit((Shot(0.4, 0, 0.4), Shot(1.2, 1, 0.4))))

    assert decoded_duration(room.static_path(result.path)) == pytest.approx(1.6, abs=1e-4)


def test_where_clips_overlap_the_earlier_one_is_shown(
    room: MediaRoom, upload: Callable[..., Video], numbered: bytes
) -> None:
    result = room.render(upload(numbered), Edit((Shot(0, 1.0, 0.2), Shot(0.12, 3.0, 0.2))))

    assert shown(room.static_path(result.path)) == [*range(25, 30), *range(77, 80)]


def test_what_a_clip_shows_of_no_video_is_black(room: MediaRoom, upload: Callable[..., Video], numbered: bytes) -> None:
    edit = Edit((Shot(0, -0.2, 0.4), Shot(0.4, 3.8, 0.4), Shot(1.0, 9.0, 0.2), Shot(1.2, 0.4, 0.04)))

    result = room.render(upload(numbered), edit)

    first = [*[BLACK] * 5, *range(5)]
    assert shown(room.static_path(result.path)) == [*first, *range(95, 100), *[BLACK] * 15, 10]


def test_a_preview_is_small_and_keeps_its_shape(room: MediaRoom, upload: Callable[..., Video], tmp_path: Path) -> None:
    large = upload(make_video(tmp_path / "large.mp4", seconds=1.0, size="1280x720").read_bytes())

    result = room.render(large, Edit((Shot(0.2, 0, 0.4),), height=360))

    with av.open(str(room.static_path(result.path))) as container:
        assert (container.streams.video[0].width, container.streams.video[0].height) == (640, 360)


def test_a_preview_does_not_blow_a_small_picture_up(room: MediaRoom, upload: Callable[..., Video], numbered: bytes) -> None:
    result = room.render(upload(numbered), Edit((Shot(0, 0, 0.4),), height=360))

    with av.open(str(room.static_path(result.path))) as container:
        assert container.streams.video[0].height == 64


@pytest.mark.parametrize("shots", [(), (Shot(0, 9.0, 1.0),), (Shot(0, 1.0, 0.001),)])
def test_nothing_but_black_is_not_rendered(
    room: MediaRoom, upload: Callable[..., Video], numbered: bytes, shots: tuple[Shot, ...]
) -> None:
    with pytest.raises(errors.ValidationFailed, match="nothing to render"):
        room.render(upload(numbered), Edit(shots))


def test_a_timeline_without_end_is_refused(room: MediaRoom, upload: Callable[..., Video], numbered: bytes) -> None:
    with pytest.raises(errors.ValidationFailed, match="more than 6 hours"):
        room.find_rendered(upload(numbered), Edit((Shot(1e9, 0, 1.0),)))


def test_the_same_edit_is_found_and_another_is_not(room: MediaRoom, upload: Callable[..., Video], numbered: bytes) -> None:
    video, edit = upload(numbered), Edit((Shot(0.2, 0, 0.4),))
    made = room.render(video, edit)

    assert room.find_rendered(video, edit) == made
    assert room.find_rendered(video, Edit(edit.shots, height=32)) is None
    assert room.find_rendered(video, Edit((Shot(0.4, 0, 0.4),))) is None
