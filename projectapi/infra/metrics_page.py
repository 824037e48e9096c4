"""The page that Prometheus reads: what all workers counted, and what can be looked up on the spot."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Generic, NamedTuple, Protocol, TypeVar

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from projectapi.infra import metrics

_SIZES_SECONDS = 600.0
_JOBS_SECONDS = 3.0

T = TypeVar("T")


class LookedUp(NamedTuple):
    """A gauge that nobody counts."""

    help: str
    labels: tuple[str, ...] = ()


LOOKED_UP = {
    "projectapi_media_free_bytes": LookedUp("Free space where the videos lie."),
    "projectapi_media_total_bytes": LookedUp("Size of the disk where the videos lie."),
    "projectapi_database_bytes": LookedUp("Data and indexes in MongoDB, uncompressed; looked up every ten minutes."),
    "projectapi_database_limit_bytes": LookedUp("How large the database may grow (DATABASE_LIMIT_BYTES)."),
    "projectapi_history_bytes": LookedUp("Of these, the saved versions of timelines and their indexes."),
    "projectapi_history_versions": LookedUp("Saved versions of timelines; looked up every ten minutes."),
    "projectapi_jobs": LookedUp("Jobs of the last day, by how they stand, whichever process does them.", ("kind", "state")),
    "projectapi_jobs_work_seconds": LookedUp("How long those of them took that are over.", ("kind", "state")),
}
"""Gauges that are looked up when the page is asked for. Several servers with one database and disk all show the same."""


class Arriving(Protocol):
    """A file on its way in."""

    @property
    def bytes(self) -> int:
        """How many bytes came in so far."""


class Sizes(Protocol):
    """How large things are in the database; bytes are uncompressed, with indexes."""

    @property
    def database_bytes(self) -> int:
        """All of it."""

    @property
    def history_bytes(self) -> int:
        """The saved versions of timelines."""

    @property
    def history_versions(self) -> int:
        """How many there are of these."""


class Tally(Protocol):
    """The jobs of one kind in one state."""

    @property
    def number(self) -> int:
        """How many they are."""

    @property
    def seconds(self) -> float:
        """How long those took, all together, that are over."""


class _Remembered(Generic[T]):
    """What is looked up again when it is older than `seconds`; when it cannot be had, what was known last stays."""

    def __init__(self, look_up: Callable[[], T | None], seconds: float, monotonic: Callable[[], float]) -> None:
        self._look_up = look_up
        self._seconds = seconds
        self._monotonic = monotonic
        self._known: T | None = None
        self._due_at = -1.0

    def get(self) -> T | None:
        if self._monotonic() >= self._due_at:
            # Set first: while the database hangs, one page waits for it and no other.
            self._due_at = self._monotonic() + self._seconds
            found = self._look_up()
            # What was known last is better than a gap in the graph.
            self._known = self._known if found is None else found
        return self._known


class PrometheusMetrics(Collector):
    """Counts for Prometheus (see `protocols.Metrics`) and writes its page.

    `sizes` and `jobs` (by kind and state) look into the database; None when they cannot be had.
    """

    def __init__(
        self,
        *,
        media_dir: Path,
        sizes: Callable[[], Sizes | None],
        jobs: Callable[[], Mapping[tuple[str, str], Tally] | None],
        database_limit_bytes: int,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._media_dir = media_dir
        self._database_limit_bytes = database_limit_bytes
        self._sizes = _Remembered(sizes, _SIZES_SECONDS, monotonic)
        self._jobs = _Remembered(jobs, _JOBS_SECONDS, monotonic)

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

    def page(self) -> tuple[bytes, str]:
        """See `Metrics.page`."""
        return generate_latest(self), CONTENT_TYPE_LATEST

    def collect(self) -> Iterable[Metric]:
        """Return everything that is counted or looked up."""
        counted: Collector = MultiProcessCollector(CollectorRegistry()) if metrics.SHARED else REGISTRY  # type: ignore[no-untyped-call]
        yield from counted.collect()
        for name, samples in self._looked_up().items():
            gauge = GaugeMetricFamily(name, LOOKED_UP[name].help, labels=LOOKED_UP[name].labels)
            for labels, value in samples.items():
                gauge.add_metric(labels, value)
            yield gauge

    def _looked_up(self) -> dict[str, dict[tuple[str, ...], float]]:
        # Not there before the first upload.
        folder = next((path for path in (self._media_dir, *self._media_dir.parents) if path.is_dir()), Path("/"))
        disk = shutil.disk_usage(folder)
        found: dict[str, float] = {
            "projectapi_media_free_bytes": disk.free,
            "projectapi_media_total_bytes": disk.total,
            "projectapi_database_limit_bytes": self._database_limit_bytes,
        }
        if sizes := self._sizes.get():
            found["projectapi_database_bytes"] = sizes.database_bytes
            found["projectapi_history_bytes"] = sizes.history_bytes
            found["projectapi_history_versions"] = sizes.history_versions
        jobs = self._jobs.get() or {}
        return {
            **{name: {(): value} for name, value in found.items()},
            "projectapi_jobs": {labels: tally.number for labels, tally in jobs.items()},
            "projectapi_jobs_work_seconds": {labels: tally.seconds for labels, tally in jobs.items()},
        }
