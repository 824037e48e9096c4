"""What those who look after the cache may do with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class CacheStatus(Protocol):
    """How the cache of this worker stands; `counts` goes by kind of answer and outcome."""

    @property
    def mode(self) -> str: ...
    @property
    def epoch(self) -> int | None: ...
    @property
    def server(self) -> str | None: ...
    @property
    def circuit_open(self) -> bool: ...
    @property
    def counts(self) -> Mapping[tuple[str, str], int]: ...


class Cache(Protocol):
    """What those who look after the cache may do with it."""

    def prepare(self) -> None:
        """Learn what MongoDB says about the cache, so that the first writes need not wait. Does not raise."""

    def purge(self) -> None:
        """Forget every answer, in all workers, before returning. Raises DatabaseUnavailable."""

    def reaches_server(self) -> bool:
        """Tell whether Redis answers now; False while it failed lately and is being spared."""

    def status(self) -> CacheStatus:
        """Return how the cache of this worker stands."""
