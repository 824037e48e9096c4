"""The documentation: the OpenAPI document, and a page that shows it without needing the internet."""

from __future__ import annotations

from pathlib import Path

import flask_swagger_ui
import orjson
from flask import Blueprint, Response, current_app, render_template_string, request, send_from_directory

from projectapi.api.context import backend
from projectapi.api.documentation import documented, file_of, plain
from projectapi.api.documentation.document import openapi_document
from projectapi.api.security import CLOSED
from projectapi.errors import NotFound

blueprint = Blueprint("docs", __name__)

_ASSETS = Path(flask_swagger_ui.__file__).parent / "dist"
_SHOWN = frozenset({"swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png", "LICENSE"})
_DAY_SECONDS = 86_400
_DOCUMENT = "projectapi.openapi"

# Swagger UI writes styles into its elements, and draws arrows from data: addresses; `connect-src` is for trying things out.
_POLICY = f"{CLOSED}; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'"

# Scripts lie in files of their own: a content security policy need not allow any in the page.
_START = """SwaggerUIBundle({
  url: "/openapi.json", dom_id: "#docs", deepLinking: true, docExpansion: "list", defaultModelsExpandDepth: 0,
  tryItOutEnabled: true, displayRequestDuration: true, validatorUrl: null,
});"""

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>projectapi {{ version }}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="/docs/swagger-ui.css"><link rel="icon" href="/docs/favicon-32x32.png"></head>
<body><div id="docs"></div>
<noscript><h1>projectapi {{ version }}</h1><p>The same as <a href="/openapi.json">OpenAPI</a>.</p><table>
{% for path, operations in paths.items() %}{% for method, operation in operations.items() %}
<tr><td><code>{{ method | upper }} {{ path }}</code></td><td>{{ operation.summary }}</td></tr>
{% endfor %}{% endfor %}</table></noscript>
<script src="/docs/swagger-ui-bundle.js"></script><script src="/docs/start.js"></script></body></html>"""


@blueprint.get("/openapi.json")
@documented(answer=plain({"type": "object", "description": "An OpenAPI 3.1 document."}), stores=False)
def get_openapi() -> Response:
    """Return this document."""
    response = Response(_encoded_document(), mimetype="application/json")
    response.add_etag()
    response.headers["Cache-Control"] = "no-cache"
    response.make_conditional(request)
    return response


@blueprint.get("/docs")
@blueprint.get("/redoc")
@documented(answer=file_of("text/html"), stores=False)
def show_docs() -> Response:
    """Show every address on one page."""
    paths = orjson.loads(_encoded_document())["paths"]
    response = Response(render_template_string(_PAGE, version=backend().version, paths=paths), mimetype="text/html")
    response.headers["Content-Security-Policy"] = _POLICY
    return response


@blueprint.get("/docs/<name>")
@documented(
    answer=file_of("text/css", "text/javascript", "image/png", "application/octet-stream"), errors=(NotFound,), stores=False
)
def get_docs_asset(name: str) -> Response:
    """Return a file that the page needs."""
    if name == "start.js":
        return Response(_START, mimetype="text/javascript")
    if name not in _SHOWN:
        raise NotFound
    return send_from_directory(_ASSETS, name, max_age=_DAY_SECONDS)


def _encoded_document() -> bytes:
    encoded: bytes | None = current_app.extensions.get(_DOCUMENT)
    if encoded is None:
        encoded = orjson.dumps(openapi_document(current_app, backend().version))
        current_app.extensions[_DOCUMENT] = encoded
    return encoded
