"""Which content codings a client accepts (RFC 9110, section 12.5.3)."""

from __future__ import annotations

from functools import lru_cache

from projectapi.protocols import CODINGS


@lru_cache(maxsize=512)
def preferred_codings(accept_encoding: str) -> tuple[str, ...]:
    """Return those of `CODINGS` that an Accept-Encoding header allows (RFC 9110, section 12.5.3), the best one first."""
    weights: dict[str, float] = {}
    for item in accept_encoding.lower().split(","):
        name, _, parameters = item.partition(";")
        weights[name.strip()] = _weight(parameters)
    anything = weights.get("*", 0.0)
    usable = [coding for coding in CODINGS if weights.get(coding, anything) > 0]
    return tuple(sorted(usable, key=lambda coding: -weights.get(coding, anything)))


def _weight(parameters: str) -> float:
    name, _, value = parameters.partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0
