"""What must not leave this process, be it in a log or in a report: passwords, and what people made."""

from __future__ import annotations

import re

_CREDENTIALS = re.compile(r"((?:mongodb(?:\+srv)?|rediss?)://)\S*@|(?<=://)[^/?#\s]*@")
"""User and password in a URL. In a connection string they reach to the last @, whatever somebody forgot to encode."""

_PASSWORD = re.compile(r"((?:password|pwd)=)[^&;\s]+", re.IGNORECASE)

_QUOTING = frozenset({"pymongo", "bson", "redis"})
"""Libraries whose errors may quote what was to be stored."""


def mask(text: str) -> str:
    """Return `text` without the users and passwords in its URLs, and without the values of ``password=`` and ``pwd=``."""
    # The searches cost more than most lines take to write.
    if "://" in text:
        text = _CREDENTIALS.sub(r"\1***@", text)
    return _PASSWORD.sub(r"\1***", text) if "=" in text else text


def may_quote(module: str) -> bool:
    """Tell whether the errors that are defined in this module may quote documents."""
    return module.partition(".")[0] in _QUOTING


def without_quotations(traceback: str, error: BaseException | None) -> str:
    """Return the traceback of `error` without the texts of drivers' errors, be it one itself or be they among its causes."""
    seen: set[int] = set()
    pending = [error]
    while pending:
        error = pending.pop()
        if error is None or id(error) in seen:
            continue
        seen.add(id(error))
        pending += [error.__cause__, error.__context__]
        if may_quote(type(error).__module__) and (text := str(error)):
            traceback = traceback.replace(text, _left_out(error))
    return traceback


def _left_out(error: BaseException) -> str:
    code = getattr(error, "code", None)
    return "(left out)" if code is None else f"(left out, code {code})"
