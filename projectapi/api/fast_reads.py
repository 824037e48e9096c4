"""The short way for reads: finished answers go out before Flask begins to route.

Most requests of an editor open something. What Flask does for such a request costs more than the answer itself, so the
addresses whose answers come finished are recognised here. Everything that is not plain (a query, a method other than GET, a
header that needs refusing, an error) goes the long way, which gives the same answer with the same headers.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING, Any

from flask import Flask, request

from projectapi.api import cors, tracing
from projectapi.api.conditional import tags_of
from projectapi.api.context import owner_of
from projectapi.api.reading import Wanted, represent
from projectapi.project import HISTORY_LIMIT_DEFAULT, ListQuery, ProjectKey
from projectapi.protocols import Answer, Backend

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

_PROJECT = re.compile(r"/(projects|timeline)/([0-9a-f]{24})(/history)?")
_FAILED = "projectapi.error"
_STATUS = {200: "200 OK", 304: "304 NOT MODIFIED"}


def init_app(app: Flask, backend: Backend, origins: Collection[str]) -> None:
    """Give `app` the short way."""

    def meet_error() -> None:
        if _FAILED in request.environ:
            raise request.environ[_FAILED]

    app.before_request(meet_error)
    app.wsgi_app = FastReads(app.wsgi_app, backend, origins)  # type: ignore[method-assign]


class FastReads:
    """WSGI middleware that answers plain reads itself and leaves everything else to `long_way`."""

    def __init__(self, long_way: WSGIApplication, backend: Backend, origins: Collection[str]) -> None:
        self._long_way = long_way
        self._backend = backend
        self._origins = frozenset(origins)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request (PEP 3333)."""
        if environ["REQUEST_METHOD"] != "GET" or environ.get("QUERY_STRING"):
            return self._long_way(environ, start_response)
        started = time.perf_counter()
        try:
            tags = tags_of(environ.get("HTTP_IF_NONE_MATCH"))
            answer = self._answer(environ, tags)
        except Exception as error:
            # Flask knows how to say and log it; asking the stores again would take as long again.
            environ[_FAILED] = error
            answer = None
        if answer is None or answer.next:
            return self._long_way(environ, start_response)
        wanted = Wanted(environ.get("HTTP_ACCEPT_ENCODING", ""), tags, started)
        status, headers, body = represent(answer, wanted)
        if status == 200:
            headers.append(("Content-Length", str(len(body))))
        headers += tracing.headers_for(tracing.request_id_of(environ.get("HTTP_X_REQUEST_ID", "")))
        headers += cors.headers_for(environ.get("HTTP_ORIGIN"), self._origins)
        start_response(_STATUS[status], headers)
        return [body]

    def _answer(self, environ: dict[str, Any], tags: Collection[str]) -> Answer | None:
        path: str = environ["PATH_INFO"]
        if path in ("/projects", "/projects/"):
            return self._backend.answers.projects(ListQuery(owner=owner_of(environ.get("HTTP_X_USER_ID", ""))))
        found = _PROJECT.fullmatch(path)
        if found is None:
            return None
        resource, project_id, history = found.groups()
        owner = owner_of(environ.get("HTTP_X_USER_ID", "")) if self._backend.ownership_enforced else None
        key = ProjectKey(project_id, owner)
        if history:
            return self._history(key) if resource == "timeline" else None
        read: Callable[[ProjectKey, Collection[str]], Answer]
        read = self._backend.answers.project if resource == "projects" else self._backend.answers.timeline
        return read(key, tags)

    def _history(self, key: ProjectKey) -> Answer:
        return self._backend.answers.history(key, limit=HISTORY_LIMIT_DEFAULT, skip=0, with_state=False)
