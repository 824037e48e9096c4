"""Which words count as fillers."""

from __future__ import annotations

import pytest

from projectapi.speech.fillers import is_filler


@pytest.mark.parametrize("word", ["um", "Um,", " UHM...", "uh", "er", "hmm", "Ah!"])
def test_sounds_of_people_who_think_are_fillers(word: str) -> None:
    assert is_filler(word, "en")
    assert is_filler(word, None)


@pytest.mark.parametrize("word", ["like", "so", "error", "umbrella", "the", "", "...", "42"])
def test_words_with_a_meaning_are_none(word: str) -> None:
    assert not is_filler(word, "en")


@pytest.mark.parametrize(
    ("word", "language", "expected"),
    [
        ("Äh,", "de", True),
        ("er", "de", False),
        ("Euh", "fr-CA", True),
        ("um", "pt", False),
        ("Um", "DE", False),
        ("hmm", "xx", True),
        ("er", "xx", False),
    ],
)
def test_every_language_has_its_own(word: str, language: str, expected: bool) -> None:
    assert is_filler(word, language) is expected
