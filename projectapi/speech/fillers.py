"""Which words are only fillers: sounds that a speaker makes while thinking, in the languages that we know them of."""

from __future__ import annotations

import re

_FILLERS = {
    "en": "um umm uhm uh uhh er err erm ah hmm hm mm mhm",
    "de": "äh ähm öh öhm hm hmm mhm",
    "fr": "euh heu hum hem",
    "es": "eh em ehm mmm",
    "it": "eh ehm mmm uhm",
    "nl": "eh ehm uh uhm",
    "pt": "hum hm ahn ã",
}
_BY_LANGUAGE = {language: frozenset(words.split()) for language, words in _FILLERS.items()}
_EVERYWHERE = frozenset.intersection(_BY_LANGUAGE["en"], _BY_LANGUAGE["de"])
_NOT_A_LETTER = re.compile(r"[\W\d_]+")


def is_filler(text: str, language: str | None) -> bool:
    """Tell whether a word is a filler in this language (an ISO code such as ``en`` or ``en-GB``; None stands for English).

    Words with a meaning of their own, such as "like" or "so", never are: nobody can tell without the sentence.
    """
    code = (language or "en").partition("-")[0].lower()
    return _NOT_A_LETTER.sub("", text.casefold()) in _BY_LANGUAGE.get(code, _EVERYWHERE)
