"""A browser at work on one of the frontends: it asks before it calls, and hides what it is not allowed to read."""

from __future__ import annotations

from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

ORIGIN = "http://localhost:3000"
_SIMPLE_METHODS = ("GET", "HEAD", "POST")


class Browser:
    """Calls the API from another origin as the Fetch standard has it: preflight, no redirect of it, CORS on every answer."""

    def __init__(self, client: FlaskClient, *, origin: str = ORIGIN, authorization: str | None = None) -> None:
        self._client = client
        self._origin = origin
        self._headers = {"Authorization": authorization} if authorization else {}

    def call(self, method: str, path: str, *, headers: dict[str, str] | None = None, **options: Any) -> TestResponse:
        """Send what the page's script asks for; the answer must be one that the script may read."""
        sent = {**self._headers, **(headers or {})}
        asked = [name.lower() for name in sent] + (["content-type"] if "json" in options else [])
        if asked or method not in _SIMPLE_METHODS:
            self.preflight(method, path, ",".join(sorted(asked)))
        response = self._client.open(path, method=method, headers={**sent, "Origin": self._origin}, **options)
        assert_readable(response, self._origin)
        return response

    def preflight(self, method: str, path: str, asked: str) -> TestResponse:
        """Ask whether the call is allowed, as the browser does without the script's headers."""
        headers = {"Origin": self._origin, "Access-Control-Request-Method": method}
        if asked:
            headers["Access-Control-Request-Headers"] = asked
        response = self._client.options(path, headers=headers)
        assert response.status_code == 200, f"the preflight of {method} {path} answers {response.status_code}"
        assert_readable(response, self._origin)
        assert method in response.headers["Access-Control-Allow-Methods"]
        assert set(asked.split(",")) <= {*response.headers.get("Access-Control-Allow-Headers", "").split(","), ""}
        return response

    def show(self, path: str, **headers: str) -> TestResponse:
        """Load what an <img> or <video> element names: relative to the page, so through its proxy and without a token."""
        response = self._client.get(path, headers=headers)
        response.get_data()
        response.close()
        return response


def assert_readable(response: TestResponse, origin: str = ORIGIN) -> None:
    """Check that a browser lets a page of this origin read the answer."""
    assert response.headers.get_all("Access-Control-Allow-Origin") == [origin]
    assert response.headers["Access-Control-Allow-Credentials"] == "true"
    assert "Origin" in response.vary
