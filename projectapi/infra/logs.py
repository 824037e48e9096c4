"""Logging: readable lines, each with the id of its request, and no connection string's secrets."""

from __future__ import annotations

import logging
import re

from flask import g, has_request_context

_CREDENTIALS = re.compile(r"((?:mongodb(?:\+srv)?|rediss?)://)\S*@|(?<=://)[^/?#\s]*@")
"""User and password in a URL. In a connection string they reach to the last @, whatever somebody forgot to encode."""

_PASSWORD = re.compile(r"((?:password|pwd)=)[^&;\s]+", re.IGNORECASE)

_LINE = "%(asctime)s %(levelname)s %(name)s [%(request_id)s] %(message)s"


def mask(text: str) -> str:
    """Return `text` without the users and passwords in its URLs, and without the values of ``password=`` and ``pwd=``."""
    return _PASSWORD.sub(r"\1***", _CREDENTIALS.sub(r"\1***@", text))


class RequestIdFilter(logging.Filter):
    """Adds the request's id to each record."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass, completed."""
        record.request_id = g.get("request_id", "-") if has_request_context() else "-"
        return True


class MaskingFormatter(logging.Formatter):
    """Formats as another formatter does and masks secrets in the outcome, tracebacks included."""

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self._inner = inner

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as text that is fit to be kept."""
        return mask(self._inner.format(record))


def set_up_logging(level: str) -> None:
    """Send the log of this process to standard error: ours from `level` up, other libraries' from WARNING up."""
    handler = logging.StreamHandler()
    handler.addFilter(RequestIdFilter())
    handler.setFormatter(MaskingFormatter(logging.Formatter(_LINE)))
    ours, root = logging.getLogger("projectapi"), logging.getLogger()
    ours.setLevel(level)
    # In place of what an earlier application of this process put there; handlers of others stay.
    ours.handlers[:] = [*(other for other in ours.handlers if not isinstance(other.formatter, MaskingFormatter)), handler]
    ours.propagate = False
    # Who set the root logger up before us keeps it; otherwise Python itself would write there, with secrets.
    if not root.handlers:
        root.addHandler(handler)
        root.setLevel(logging.WARNING)
    for theirs in logging.getLogger("gunicorn.error").handlers:
        if not isinstance(theirs.formatter, MaskingFormatter):
            theirs.setFormatter(MaskingFormatter(theirs.formatter or logging.Formatter()))
