"""The parent of all errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

JsonObject = dict[str, Any]


class ProjectApiError(Exception):
    """Something went wrong that nobody foresaw; the parent of every error that reaches a client.

    A subclass must bring its own ``code``; ``status`` and ``retry_after_seconds`` (the header Retry-After) are its
    parent's unless it says otherwise. ``detail`` may replace the sentence in the answer's ``detail`` by a list of field
    errors, and ``headers`` go out with the answer, as ``extra`` does in its body. ``source`` is where a read learned of it
    (see `protocols.Answer`).
    """

    code: ClassVar[str] = "internal_error"
    status: ClassVar[int] = 500
    sentence: ClassVar[str] = "Something went wrong on the server. Your last saved work is safe; please try again in a moment."
    retry_after_seconds: ClassVar[int | None] = None

    def __init_subclass__(cls, *, code: str, status: int | None = None) -> None:
        """Take what programs know a kind of trouble by; two kinds with one code could not be told apart by them."""
        cls.code = code
        cls.status = status or cls.status

    def __init__(
        self,
        sentence: str | None = None,
        *,
        detail: Sequence[JsonObject] | None = None,
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        self.text = sentence or self.sentence
        self.detail: str | list[JsonObject] = list(detail) if detail is not None else self.text
        self.headers = dict(headers or {})
        if self.retry_after_seconds is not None:
            self.headers.setdefault("Retry-After", str(self.retry_after_seconds))
        self.extra = dict(extra or {})
        self.source = "BYPASS"
        super().__init__(self.text)
