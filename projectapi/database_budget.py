"""How long one request may wait for the database, all its operations together.

Only the time inside database operations counts: a request that uploads a video takes minutes, and that is not the database's
doing. What no request asks for (commands, jobs and whatever else runs in threads of its own) has no budget, and so has what a
response sends after it began.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(slots=True)
class _Budget:
    seconds: float
    spent: float = 0.0


_budget: ContextVar[_Budget | None] = ContextVar("database_budget", default=None)


@contextmanager
def database_budget(seconds: float | None) -> Iterator[None]:
    """Give the database operations of the block `seconds` all together; None: no limit but each one's own deadline."""
    outer = _budget.set(None if seconds is None else _Budget(seconds))
    try:
        yield
    finally:
        _budget.reset(outer)


@contextmanager
def spending() -> Iterator[float]:
    """Surround one database operation, whose time counts; yield the seconds that are left for it, infinity without a budget."""
    budget = _budget.get()
    if budget is None:
        yield math.inf
        return
    before, started = budget.spent, time.monotonic()
    try:
        yield max(0.0, budget.seconds - before)
    finally:
        # Not added to: what an operation inside this one took is part of it.
        budget.spent = before + time.monotonic() - started


@contextmanager
def at_least(seconds: float) -> Iterator[None]:
    """Let the operations of the block have `seconds` all together even if less is left."""
    budget = _budget.get()
    if budget is None:
        yield
        return
    usual = budget.seconds
    budget.seconds = max(usual, budget.spent + seconds)
    try:
        yield
    finally:
        budget.seconds = usual
