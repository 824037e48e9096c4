"""A plain page and an OpenAPI document about every address, read off the routes themselves."""

from __future__ import annotations

import re
from typing import Any

from flask import Blueprint, Response, current_app, jsonify, render_template_string

from projectapi.api.context import backend

blueprint = Blueprint("docs", __name__)

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>projectapi</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse;width:100%}td{padding:.3rem .6rem;border-top:1px solid #ddd;vertical-align:top}
code{white-space:nowrap}</style></head>
<body><h1>projectapi {{ version }}</h1>
<p>The same as <a href="/openapi.json">OpenAPI</a>. Every JSON answer is
<code>{"success", "data", "message", "error"}</code>; an error has <code>detail</code>, <code>code</code> and
<code>requestId</code> as well.</p>
<table>{% for path, operations in paths.items() %}{% for method, operation in operations.items() %}
<tr><td><code>{{ method | upper }}</code></td><td><code>{{ path }}</code></td><td>{{ operation.summary }}</td></tr>
{% endfor %}{% endfor %}</table></body></html>"""


@blueprint.get("/openapi.json")
def get_openapi() -> Response:
    """Return the OpenAPI document."""
    return jsonify(
        {
            "openapi": "3.1.0",
            "info": {"title": "projectapi", "version": backend().version},
            "paths": _paths(),
        }
    )


@blueprint.get("/docs")
@blueprint.get("/redoc")
def show_docs() -> str:
    """Show every address on one page."""
    return render_template_string(_PAGE, version=backend().version, paths=_paths())


def _paths() -> dict[str, dict[str, Any]]:
    paths: dict[str, dict[str, Any]] = {}
    collections = {rule.rule for rule in current_app.url_map.iter_rules() if rule.rule.endswith("/")}
    for rule in sorted(current_app.url_map.iter_rules(), key=lambda rule: rule.rule):
        if f"{rule.rule}/" in collections:
            continue
        view = current_app.view_functions[rule.endpoint]
        summary = (view.__doc__ or "").strip().splitlines()[0] if view.__doc__ else ""
        path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            operation: dict[str, Any] = {"summary": summary, "responses": {"default": {"description": summary}}}
            if rule.arguments:
                operation["parameters"] = [
                    {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
                    for name in sorted(rule.arguments)
                ]
            paths.setdefault(path, {})[method.lower()] = operation
    return paths
