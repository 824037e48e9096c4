"""Which recogniser a server has, and Whisper behind an interface like its own: no model can be had in a test."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from projectapi import errors, speech
from projectapi.protocols import Word
from projectapi.speech import open_recogniser, whisper_recogniser
from projectapi.speech.pocketsphinx_recogniser import PocketSphinx
from projectapi.speech.whisper_recogniser import Whisper
from tests.media_samples import make_video


@contextmanager
def no_folder(expected_bytes: int) -> Iterator[Path]:
    raise AssertionError("nothing was to be done")
    yield Path()


class FakeModel:
    """The part of faster_whisper.WhisperModel that is used."""

    made: list[tuple[str, bool]] = []
    asked: list[str | None] = []

    def __init__(self, path: str, *, local_files_only: bool) -> None:
        if not Path(path, "model.bin").exists():
            raise RuntimeError(f"Unable to open file 'model.bin' in model '{path}'")
        self.made.append((path, local_files_only))

    def transcribe(
        self, audio: str, *, language: str | None, word_timestamps: bool
    ) -> tuple[Iterator[SimpleNamespace], SimpleNamespace]:
        assert word_timestamps
        assert Path(audio).read_bytes().startswith(b"RIFF")
        self.asked.append(language)

        def word(text: str, start: float, end: float, probability: float) -> SimpleNamespace:
            return SimpleNamespace(word=text, start=start, end=end, probability=probability)

        segments = [
            SimpleNamespace(end=1.0, words=[word(" Äh,", 0.1, 0.4, 0.5), word(" guten", 0.5, 0.9, 0.9)]),
            SimpleNamespace(end=1.5, words=None),
            SimpleNamespace(end=2.0, words=[word(" Tag.", 1.6, 2.0, 1.1)]),
        ]
        return iter(segments), SimpleNamespace(language=language or "de", duration=2.0)


@pytest.fixture
def whisper(monkeypatch: pytest.MonkeyPatch) -> type[FakeModel]:
    module = ModuleType("faster_whisper")
    module.WhisperModel = FakeModel  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "faster_whisper", module)
    really_find = speech.find_spec
    monkeypatch.setattr(speech, "find_spec", lambda name: object() if name == "faster_whisper" else really_find(name))
    monkeypatch.setattr(FakeModel, "made", [])
    monkeypatch.setattr(FakeModel, "asked", [])
    return FakeModel


@pytest.fixture
def model_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "model.bin").touch()
    return folder


@pytest.fixture
def listener(tmp_path: Path, model_dir: Path) -> Whisper:
    @contextmanager
    def work_folder(expected_bytes: int) -> Iterator[Path]:
        (tmp_path / "scratch").mkdir()
        yield tmp_path / "scratch"

    return Whisper(model_dir, work_folder)


def missing(name: str) -> None:
    return None


def test_off_means_none(model_dir: Path, whisper: type[FakeModel]) -> None:
    assert open_recogniser("off", model_dir, no_folder) is None


def test_without_settings_pocketsphinx_listens() -> None:
    assert isinstance(open_recogniser("auto", None, no_folder), PocketSphinx)


def test_whisper_goes_first_where_it_and_its_model_are_there(model_dir: Path, whisper: type[FakeModel]) -> None:
    assert isinstance(open_recogniser("auto", model_dir, no_folder), Whisper)
    assert isinstance(open_recogniser("whisper", model_dir, no_folder), Whisper)
    assert isinstance(open_recogniser("pocketsphinx", model_dir, no_folder), PocketSphinx)


def test_without_either_there_is_none_and_the_log_says_why(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(speech, "find_spec", missing)

    assert open_recogniser("auto", None, no_folder) is None
    assert "pocketsphinx is not installed" in caplog.text


@pytest.mark.parametrize("lack", ["no setting", "no folder", "no package"])
def test_whisper_that_was_chosen_and_is_not_there_is_not_replaced_unasked(
    lack: str, model_dir: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(speech, "find_spec", missing)
    folder = {"no setting": None, "no folder": model_dir / "none", "no package": model_dir}[lack]

    with caplog.at_level(logging.ERROR):
        assert open_recogniser("whisper", folder, no_folder) is None
    assert "SPEECH is whisper" in caplog.text


def test_whispers_words_have_times_confidence_and_fillers(listener: Whisper, whisper: type[FakeModel], tmp_path: Path) -> None:
    done: list[float] = []

    film = make_video(tmp_path / "film.mp4", seconds=1)
    words = listener.transcribe(film, duration=1.0, language="de-AT", report=done.append)

    assert words == [Word("Äh,", 0.1, 0.4, 0.5, True), Word("guten", 0.5, 0.9, 0.9, False), Word("Tag.", 1.6, 2.0, 1.0, False)]
    assert whisper.asked == ["de"]
    assert (done == sorted(done), done[-1]) == (True, 1.0)
    assert {0.5, 0.75} <= set(done)


def test_whispers_model_is_loaded_once_and_never_fetched(
    listener: Whisper, whisper: type[FakeModel], tmp_path: Path, model_dir: Path
) -> None:
    film = make_video(tmp_path / "film.mp4", seconds=1)
    for _ in range(2):
        listener.transcribe(film, duration=1.0, language=None, report=lambda done: None)
        (tmp_path / "scratch" / "sound.wav").unlink()
        (tmp_path / "scratch").rmdir()

    assert whisper.made == [(str(model_dir), True)]


def test_a_model_that_cannot_be_loaded_is_said_in_plain_words(
    listener: Whisper, whisper: type[FakeModel], tmp_path: Path, model_dir: Path
) -> None:
    (model_dir / "model.bin").unlink()

    with pytest.raises(errors.SpeechUnavailable) as caught:
        listener.transcribe(make_video(tmp_path / "film.mp4", seconds=1), duration=1.0, language=None, report=lambda done: None)

    assert "model" not in str(caught.value)


def test_who_gives_up_is_obeyed_between_two_segments(listener: Whisper, whisper: type[FakeModel], tmp_path: Path) -> None:
    def stop(done: float) -> None:
        if done > 0:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        listener.transcribe(make_video(tmp_path / "film.mp4", seconds=1), duration=1.0, language=None, report=stop)


def test_what_takes_too_long_is_given_up_between_two_segments(
    listener: Whisper, whisper: type[FakeModel], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(whisper_recogniser, "listening_seconds", lambda duration: -duration)

    with pytest.raises(errors.SpeechUnavailable, match="takes longer than the server may work"):
        listener.transcribe(make_video(tmp_path / "film.mp4", seconds=1), duration=1.0, language=None, report=lambda done: None)


def test_a_failure_in_the_middle_is_said_in_plain_words(
    listener: Whisper, whisper: type[FakeModel], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: FakeModel, audio: str, **_: object) -> tuple[Iterator[SimpleNamespace], SimpleNamespace]:
        def segments() -> Iterator[SimpleNamespace]:
            yield SimpleNamespace(end=1.0, words=None)
            raise RuntimeError("CUDA failed with error out of memory")

        return segments(), SimpleNamespace(language="de", duration=2.0)

    monkeypatch.setattr(FakeModel, "transcribe", fail)

    with pytest.raises(errors.SpeechUnavailable):
        listener.transcribe(make_video(tmp_path / "film.mp4", seconds=1), duration=1.0, language=None, report=lambda done: None)


def test_listening_costs_a_server_nothing_before_it_is_asked_for() -> None:
    import subprocess

    code = "import sys, projectapi.speech; sys.exit(bool({'pocketsphinx', 'faster_whisper', 'sounddevice'} & set(sys.modules)))"

    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[3], check=False).returncode == 0
