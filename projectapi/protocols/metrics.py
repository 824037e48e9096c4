"""What is counted of the running application."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from projectapi.protocols.files import Arriving


class Metrics(Protocol):
    """Counts what happens, at a few microseconds each; no method raises."""

    def count_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count an answered request; `route` is the template of its address, never the address itself."""

    def count_error(self, status: int, code: str) -> None:
        """Count an answer that was an error, by the error's code (`ProjectApiError.code`)."""

    def receiving(self, file: Arriving) -> AbstractContextManager[None]:
        """Surround the arrival of an upload: an error that leaves the block counts it as refused."""

    def page(self) -> tuple[bytes, str]:
        """Return the numbers of all worker processes of this server as a monitoring system reads them, and their media type."""
