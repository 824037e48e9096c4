"""Logging: one line per event, readable or JSON, each with the id of its request, and without secrets."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from projectapi.infra.redaction import mask, without_quotations
from projectapi.request_id import request_id

_LINE = "%(asctime)s %(levelname)s %(name)s [%(request_id)s] %(message)s"


class RequestIdFilter(logging.Filter):
    """Adds the request's id to each record."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass, completed."""
        record.request_id = request_id.get()
        return True


class MaskingFormatter(logging.Formatter):
    """Formats as another formatter does and masks secrets in the outcome, tracebacks included."""

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self._inner = inner

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as text that is fit to be kept."""
        return mask(without_quotations(self._inner.format(record), record.exc_info[1] if record.exc_info else None))


class JsonFormatter(MaskingFormatter):
    """Formats a record as one JSON object, secrets masked, with what the caller passed as ``extra={"fields": {...}}``."""

    def __init__(self) -> None:
        super().__init__(logging.Formatter())

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line of JSON."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "requestId": request_id.get(),
            "process": record.process,
            "message": mask(record.getMessage()),
        }
        fields: Mapping[str, Any] = getattr(record, "fields", {})
        line.update({name: mask(value) if isinstance(value, str) else value for name, value in fields.items()})
        if record.exc_info:
            line["exception"] = mask(without_quotations(self.formatException(record.exc_info), record.exc_info[1]))
        try:
            return orjson.dumps(line, default=str).decode()
        except orjson.JSONEncodeError:
            # Lone surrogates, large integers: a line must not be lost for what it quotes.
            return json.dumps(line, default=str)


def set_up_logging(level: str, log_format: str = "text") -> None:
    """Send the log of this process to standard error: ours from `level` up, other libraries' from WARNING up.

    `log_format` is ``text`` or ``json``.
    """
    handler = logging.StreamHandler()
    handler.addFilter(RequestIdFilter())
    handler.setFormatter(JsonFormatter() if log_format == "json" else MaskingFormatter(logging.Formatter(_LINE)))
    ours, root = logging.getLogger("projectapi"), logging.getLogger()
    ours.setLevel(level)
    # In place of what an earlier application of this process put there; handlers of others stay.
    ours.handlers[:] = [*(other for other in ours.handlers if not isinstance(other.formatter, MaskingFormatter)), handler]
    ours.propagate = False
    # Who set the root logger up before us keeps it; otherwise Python itself would write there, with secrets.
    if not root.handlers:
        root.addHandler(handler)
        root.setLevel(logging.WARNING)
    # The driver's own log quotes whole documents from DEBUG up, whoever asked for DEBUG.
    logging.getLogger("pymongo").setLevel(logging.WARNING)
    mask_log_of_gunicorn(log_format)


def mask_log_of_gunicorn(log_format: str) -> None:
    """Let gunicorn's own lines keep secrets too: in their form with ``text``, and like all others with ``json``."""
    for theirs in logging.getLogger("gunicorn.error").handlers:
        if log_format == "json":
            theirs.setFormatter(JsonFormatter())
        elif not isinstance(theirs.formatter, MaskingFormatter):
            theirs.setFormatter(MaskingFormatter(theirs.formatter or logging.Formatter()))
