"""The id of the request at hand, for whoever writes a line in the log on its behalf."""

from __future__ import annotations

from contextvars import ContextVar

NO_REQUEST = "-"
"""What stands in the place of the id where no request is being answered."""

request_id: ContextVar[str] = ContextVar("request_id", default=NO_REQUEST)
