"""The page that Prometheus reads: what all workers counted, and what can be looked up on the spot."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from projectapi.infra import metrics

_DATABASE_SIZE_SECONDS = 600.0

LOOKED_UP = {
    "projectapi_media_free_bytes": "Free space where the videos lie.",
    "projectapi_media_total_bytes": "Size of the disk where the videos lie.",
    "projectapi_database_bytes": "Data and indexes in MongoDB, uncompressed; looked up every ten minutes.",
    "projectapi_database_limit_bytes": "How large the database may grow (DATABASE_LIMIT_BYTES).",
}
"""Gauges that nobody counts: they are looked up when the page is asked for."""


class Arriving(Protocol):
    """A file on its way in."""

    @property
    def bytes(self) -> int:
        """How many bytes came in so far."""


class PrometheusMetrics(Collector):
    """Counts for Prometheus (see `protocols.Metrics`) and writes its page.

    `database_bytes` looks up the size of the database; None when it cannot be had.
    """

    def __init__(
        self,
        *,
        media_dir: Path,
        database_bytes: Callable[[], int | None],
        database_limit_bytes: int,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._media_dir = media_dir
        self._database_bytes = database_bytes
        self._database_limit_bytes = database_limit_bytes
        self._monotonic = monotonic
        self._size: int | None = None
        self._size_due_at = -1.0

    def count_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """See `Metrics.count_request`."""
        metrics.count_request(method, route, status, seconds)

    def count_error(self, status: int, code: str) -> None:
        """See `Metrics.count_error`."""
        metrics.count_error(status, code)

    @contextmanager
    def receiving(self, file: Arriving) -> Iterator[None]:
        """See `Metrics.receiving`."""
        metrics.UPLOADS_ACTIVE.inc()
        outcome = "refused"
        try:
            yield
            outcome = "stored"
        finally:
            metrics.UPLOADS_ACTIVE.dec()
            metrics.UPLOADS.labels(outcome).inc()
            metrics.UPLOADED_BYTES.inc(file.bytes)

    def count_job(self, kind: str, state: str, seconds: float) -> None:
        """See `Metrics.count_job`."""
        metrics.JOB_SECONDS.labels(kind, state).observe(seconds)

    def page(self) -> tuple[bytes, str]:
        """See `Metrics.page`."""
        return generate_latest(self), CONTENT_TYPE_LATEST

    def collect(self) -> Iterable[Metric]:
        """Return everything that is counted or looked up."""
        counted: Collector = MultiProcessCollector(CollectorRegistry()) if metrics.SHARED else REGISTRY  # type: ignore[no-untyped-call]
        yield from counted.collect()
        for name, value in self._looked_up().items():
            yield GaugeMetricFamily(name, LOOKED_UP[name], value=value)

    def _looked_up(self) -> dict[str, float]:
        found: dict[str, float] = {"projectapi_database_limit_bytes": self._database_limit_bytes}
        # Not there before the first upload.
        folder = next((path for path in (self._media_dir, *self._media_dir.parents) if path.is_dir()), Path("/"))
        disk = shutil.disk_usage(folder)
        found |= {"projectapi_media_free_bytes": disk.free, "projectapi_media_total_bytes": disk.total}
        size = self._size_of_database()
        return found if size is None else found | {"projectapi_database_bytes": size}

    def _size_of_database(self) -> int | None:
        if self._monotonic() >= self._size_due_at:
            # Set first: while the database hangs, one page waits for it and no other.
            self._size_due_at = self._monotonic() + _DATABASE_SIZE_SECONDS
            size = self._database_bytes()
            # What was known last is better than a gap in the graph.
            self._size = self._size if size is None else size
        return self._size
