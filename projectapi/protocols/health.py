"""How well the parts of a running installation are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol


class State(StrEnum):
    """How a part is; with an unhealthy one no work can be accepted, with a degraded one not all of it, or not as fast."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found. `facts` are shown to everybody who asks: no hosts, paths, secrets or texts of exceptions.

    `advice` says in a sentence what whoever runs projectapi can do, empty when there is nothing to be done.
    """

    state: State
    facts: Mapping[str, str | int | float | bool | None] = field(default_factory=dict)
    advice: str = ""


class Check(Protocol):
    """Looks at one part."""

    @property
    def name(self) -> str:
        """Return the name of the part, as the answer of `/health/ready` has it."""

    @property
    def when_silent(self) -> Finding:
        """Return what to say when `look` takes too long or fails."""

    def look(self) -> Finding:
        """Return how the part is, within a second if it can."""
