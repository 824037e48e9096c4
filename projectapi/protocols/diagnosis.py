"""What `flask doctor` asks the parts of an installation, and what they answer."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Verdict(StrEnum):
    """OK: nothing to be done. WARN: it works, but not as well or as safely as it could. FAIL: something does not work."""

    OK = "OK"
    WARN = "WARN"
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What an examination found, in words for a terminal and a chat: no secrets, hosts or texts of exceptions.

    `advice` says in a sentence what to do, empty when there is nothing to be done.
    """

    verdict: Verdict
    found: str
    advice: str = ""


class Examination(Protocol):
    """Looks at one thing, more closely than a `Check` may: it is run by people, seldom."""

    @property
    def name(self) -> str:
        """Return what is looked at, in a word or two."""

    @property
    def needs(self) -> str:
        """Return the name of the examination without whose success this one is of no use, empty when there is none."""

    def examine(self) -> Diagnosis:
        """Return what was found; whoever calls this waits 4 seconds at the most."""


def ok(found: str) -> Diagnosis:
    """Return that all is well."""
    return Diagnosis(Verdict.OK, found)


def warn(found: str, advice: str) -> Diagnosis:
    """Return that something could be better."""
    return Diagnosis(Verdict.WARN, found, advice)


def fail(found: str, advice: str) -> Diagnosis:
    """Return that something does not work."""
    return Diagnosis(Verdict.FAIL, found, advice)
