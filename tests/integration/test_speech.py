"""PocketSphinx listens to real sound, out of the box and without a network."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections import namedtuple
from itertools import pairwise
from pathlib import Path

import pytest

from projectapi import errors
from projectapi.media.storage import MediaFolder
from projectapi.protocols import Word
from projectapi.speech.pocketsphinx_recogniser import PocketSphinx
from tests.media_samples import ffmpeg, make_video

Usage = namedtuple("Usage", "total used free")
SPEECH = Path(__file__).parents[1] / "samples" / "speech.ogg"


@pytest.fixture
def folder(tmp_path: Path) -> MediaFolder:
    return MediaFolder(tmp_path / "media", 2**30)


@pytest.fixture
def recogniser(folder: MediaFolder) -> PocketSphinx:
    return PocketSphinx(folder.work_folder)


def film_of(tmp_path: Path, *, delay: float = 0.0) -> Path:
    """Make a video in which the sample is spoken, `delay` seconds after it begins."""
    path = tmp_path / "speech.mkv"
    picture = ("-f", "lavfi", "-i", "color=size=64x64:rate=25:duration=7")
    ffmpeg(*picture, "-itsoffset", str(delay), "-i", str(SPEECH), "-c:v", "libx264", "-c:a", "libopus", str(path))
    return path


def unheard(done: float) -> None: ...


def texts(words: list[Word]) -> list[str]:
    return [word.text for word in words]


def test_speech_becomes_words_with_times_confidence_and_fillers(
    tmp_path: Path, folder: MediaFolder, recogniser: PocketSphinx
) -> None:
    done: list[float] = []

    words = recogniser.transcribe(film_of(tmp_path, delay=0.5), duration=7.0, language=None, report=done.append)

    assert {"please", "window", "and", "we", "forward", "meters"} <= set(texts(words))
    assert all(earlier.end <= later.start + 0.011 for earlier, later in pairwise(words))
    assert all(0 <= word.start < word.end <= 8 and 0 <= word.confidence <= 1 for word in words)
    # Spoken half a second into the video.
    assert words[texts(words).index("please")].start == pytest.approx(0.7, abs=0.25)
    fillers = {word.text for word in words if word.is_filler}
    assert "uh" in fillers
    assert not fillers & {"please", "window", "we", "and"}
    assert not {text for text in texts(words) if text != text.strip("+()<>")}
    assert (done == sorted(done), done[-1]) == (True, 1.0)
    assert list((folder.root / "work").iterdir()) == []


def test_a_recording_whose_sound_has_no_room_on_the_disk_is_not_listened_to(
    tmp_path: Path, folder: MediaFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    film = film_of(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**9, 0, 200_000))

    with pytest.raises(errors.DiskFull):
        PocketSphinx(folder.work_folder).transcribe(film, duration=7.0, language="en", report=unheard)

    assert not (folder.root / "work").exists()


def test_a_video_without_sound_has_no_words(tmp_path: Path, recogniser: PocketSphinx) -> None:
    silent = make_video(tmp_path / "silent.mp4", seconds=1, audio=False)

    assert recogniser.transcribe(silent, duration=7.0, language="en", report=unheard) == []


def test_a_video_in_which_nobody_speaks_has_no_words_of_meaning(tmp_path: Path, recogniser: PocketSphinx) -> None:
    ffmpeg(
        *("-f", "lavfi", "-i", "color=size=64x64:rate=25:duration=2", "-f", "lavfi", "-i", "anullsrc=r=16000:d=2"),
        *("-shortest", "-c:a", "aac", str(tmp_path / "still.mp4")),
    )

    assert recogniser.transcribe(tmp_path / "still.mp4", duration=7.0, language="en", report=unheard) == []


@pytest.mark.parametrize("language", ["de", "fr-FR"])
def test_another_language_is_refused_in_plain_words(tmp_path: Path, recogniser: PocketSphinx, language: str) -> None:
    with pytest.raises(errors.SpeechUnavailable, match="English only"):
        recogniser.transcribe(tmp_path / "none.mp4", duration=7.0, language=language, report=unheard)


def test_a_playlist_is_not_listened_to(tmp_path: Path, recogniser: PocketSphinx) -> None:
    film_of(tmp_path)
    (tmp_path / "list.mkv").write_text("ffconcat version 1.0\nfile speech.mkv\n")

    with pytest.raises(errors.ProjectApiError, match="cannot be read"):
        recogniser.transcribe(tmp_path / "list.mkv", duration=7.0, language="en", report=unheard)


def children() -> set[str]:
    me = str(os.getpid())
    found = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if fields[1] == me and fields[0] not in "ZX":
            found.add(path.parent.name)
    return found


def test_who_gives_up_is_obeyed_at_once_and_nothing_is_left(
    tmp_path: Path, folder: MediaFolder, recogniser: PocketSphinx
) -> None:
    film, before = film_of(tmp_path), children()
    given_up = threading.Event()

    def stop(done: float) -> None:
        # After the sound was decoded, while the recogniser starts.
        if done > 0:
            given_up.set()
            raise InterruptedError

    began = time.monotonic()
    with pytest.raises(InterruptedError):
        recogniser.transcribe(film, duration=7.0, language="en", report=stop)

    assert given_up.is_set()
    assert time.monotonic() - began < 20
    assert children() <= before
    assert list((folder.root / "work").iterdir()) == []


def test_a_recogniser_that_breaks_is_said_in_plain_words(
    tmp_path: Path, recogniser: PocketSphinx, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken.py").write_text("raise SystemExit('a secret path')")
    monkeypatch.setattr("projectapi.speech.pocketsphinx_recogniser._CHILD", str(tmp_path / "broken.py"))

    with pytest.raises(errors.SpeechUnavailable) as caught:
        recogniser.transcribe(film_of(tmp_path), duration=7.0, language="en", report=unheard)

    assert "secret" not in str(caught.value)

