"""Logging: readable lines, each with the id of its request, and no connection string's secrets."""

from __future__ import annotations

import logging
import re
from logging.config import dictConfig

from flask import g, has_request_context

_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+@")


class RequestIdFilter(logging.Filter):
    """Adds the request's id to each record and masks user and password in any URL that a record mentions."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass, completed and cleaned."""
        record.request_id = g.get("request_id", "-") if has_request_context() else "-"
        text = record.getMessage()
        if "://" in text:
            record.msg, record.args = _CREDENTIALS.sub("***@", text), ()
        return True


def set_up_logging(level: str) -> None:
    """Send the log of this process to standard error, from `level` up."""
    dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "filters": {"request_id": {"()": RequestIdFilter}},
            "formatters": {"lines": {"format": "%(asctime)s %(levelname)s %(name)s [%(request_id)s] %(message)s"}},
            "handlers": {
                "stderr": {"class": "logging.StreamHandler", "formatter": "lines", "filters": ["request_id"]},
            },
            "loggers": {"projectapi": {"level": level, "handlers": ["stderr"], "propagate": False}},
        }
    )
