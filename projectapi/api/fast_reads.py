"""The short way for reads: finished answers go out before Flask begins to route.

Most requests of an editor open something. What Flask does for such a request costs more than the answer itself, so the
addresses whose answers come finished are recognised here. Everything that is not plain (a query, a method other than GET, a
header that needs refusing, an error) goes the long way, which gives the same answer with the same headers.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from flask import Flask, request

from projectapi.api import cors, security, tracing
from projectapi.api.conditional import tags_of
from projectapi.api.context import owner_of
from projectapi.api.reading import JSON, Representation, Wanted, next_link, represent
from projectapi.project import HISTORY_LIMIT_DEFAULT, ListQuery, ProjectKey
from projectapi.protocols import Answer, Backend
from projectapi.request_id import request_id

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

_Reading = Callable[[Mapping[str, str]], Answer]

_PROJECT = re.compile(r"/(projects|timeline)/([0-9a-f]{24})(/history)?")
_FAILED = "projectapi.error"
_STATUS = {200: "200 OK", 304: "304 NOT MODIFIED"}


def init_app(app: Flask, backend: Backend, origins: Collection[str], *, strict_transport: bool) -> None:
    """Give `app` the short way."""

    def meet_error() -> None:
        if _FAILED in request.environ:
            raise request.environ[_FAILED]

    app.before_request(meet_error)
    app.wsgi_app = FastReads(app.wsgi_app, backend, origins, strict_transport)  # type: ignore[method-assign]


class FastReads:
    """WSGI middleware that answers plain reads itself and leaves everything else to `long_way`."""

    def __init__(
        self, long_way: WSGIApplication, backend: Backend, origins: Collection[str], strict_transport: bool
    ) -> None:
        self._long_way = long_way
        self._backend = backend
        self._origins = frozenset(origins)
        self._strict_transport = strict_transport

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request (PEP 3333)."""
        if environ["REQUEST_METHOD"] != "GET" or environ.get("QUERY_STRING"):
            return self._long_way(environ, start_response)
        started = time.perf_counter()
        try:
            reading = self._reading(environ)
            found = self._represented(environ, reading, started) if reading is not None else None
        except Exception as error:
            # Flask knows how to say and log it; asking the stores again would take as long again.
            environ[_FAILED] = error
            found = None
        if found is None:
            return self._long_way(environ, start_response)
        status, headers, body = found
        start_response(_STATUS[status], headers)
        return [body]

    def _represented(self, environ: WSGIEnvironment, reading: _Reading, started: float) -> Representation:
        tags = tags_of(environ.get("HTTP_IF_NONE_MATCH"))
        answer = reading(tags)
        status, headers, body = represent(answer, Wanted(environ.get("HTTP_ACCEPT_ENCODING", ""), tags, started))
        if answer.next:
            headers.append(next_link(environ["PATH_INFO"], {}, answer.next))
        if status == 200:
            headers.append(("Content-Length", str(len(body))))
        headers += tracing.headers_for(request_id.get())
        secure = self._strict_transport and environ["wsgi.url_scheme"] == "https"
        headers += security.headers_for(JSON if status == 200 else "", secure)
        headers += cors.headers_for(environ.get("HTTP_ORIGIN"), self._origins)
        return Representation(status, headers, body)

    def _reading(self, environ: WSGIEnvironment) -> _Reading | None:
        """Return how to read what the address names, None when it is not one of the short way's."""
        path: str = environ["PATH_INFO"]
        answers = self._backend.answers
        if path in ("/projects", "/projects/"):
            environ[tracing.ROUTE] = "/projects/"
            query = ListQuery(owner=owner_of(environ.get("HTTP_X_USER_ID", "")))
            return lambda tags: answers.projects(query, tags)
        found = _PROJECT.fullmatch(path)
        if found is None:
            return None
        resource, project_id, history = found.groups()
        owner = owner_of(environ.get("HTTP_X_USER_ID", "")) if self._backend.ownership_enforced else None
        key = ProjectKey(project_id, owner)
        if history:
            if resource != "timeline":
                return None
            environ[tracing.ROUTE] = "/timeline/<project_id>/history"
            return lambda tags: answers.history(key, limit=HISTORY_LIMIT_DEFAULT, skip=0, with_state=False, etags=tags)
        environ[tracing.ROUTE] = f"/{resource}/<project_id>"
        return partial(answers.project if resource == "projects" else answers.timeline, key)
