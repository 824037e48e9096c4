"""Put the OpenAPI document together: the routes, what their handlers say of themselves, and the tree of errors."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any

from apispec import APISpec
from flask import Flask
from werkzeug.routing import Rule

from projectapi.api.documentation.examples import Examples
from projectapi.api.documentation.failures import error_schemas, example_of
from projectapi.api.documentation.handlers import documentation_of
from projectapi.api.documentation.headers import ANSWER_HEADERS, SECURITY_SCHEMES
from projectapi.api.documentation.introduction import INTRODUCTION, TAGS
from projectapi.api.documentation.operations import Operation
from projectapi.api.documentation.shapes import json_schemas, marshmallow_plugin
from projectapi.errors import all_errors
from projectapi.project import JsonObject
from projectapi.schemas.transcriptions import SEGMENT_CHANGES, SEGMENTS

_WORDS = re.compile(r"\w+")
_PARTS = re.compile(r"{(\w+)}")
_PATCH_OPERATION: JsonObject = {
    "type": "object",
    "description": "One step of a JSON Patch (RFC 6902).",
    "properties": {
        "op": {"type": "string", "enum": ["add", "remove", "replace", "move", "copy", "test"]},
        "path": {"type": "string", "description": "A JSON Pointer (RFC 6901)."},
        "from": {"type": "string", "description": "A JSON Pointer: for `move` and `copy`."},
        "value": {"description": "For `add`, `replace` and `test`."},
    },
    "required": ["op", "path"],
}


def openapi_document(app: Flask, version: str) -> JsonObject:
    """Return the OpenAPI document of every address of `app` whose handler is documented."""
    spec = APISpec(
        title="projectapi",
        version=version,
        openapi_version="3.1.0",
        plugins=[marshmallow_plugin()],
        info={"description": INTRODUCTION, "license": {"name": "MIT", "identifier": "MIT"}},
        servers=[{"url": "/", "description": "This server."}],
        tags=[{"name": name, "description": text} for name, text in TAGS.items()],
    )
    _add_components(spec)
    paths: dict[str, str] = {}
    for rule, view in documented_rules(app):
        # Addresses that differ in the names of their parts only are one to OpenAPI.
        path = paths.setdefault(_PARTS.sub("{}", path_of(rule)), path_of(rule))
        spec.path(path=path, operations=dict(_operations(path, rule, view)))
    document: JsonObject = spec.to_dict()
    _add_examples(document)
    return document


def canonical_rules(app: Flask) -> list[Rule]:
    """Return the routes of `app`, of two that differ by a slash at the end only the one with it, which answers both."""
    rules = sorted(app.url_map.iter_rules(), key=lambda rule: rule.rule)
    collections = {rule.rule for rule in rules if rule.rule.endswith("/")}
    return [rule for rule in rules if f"{rule.rule}/" not in collections]


def documented_rules(app: Flask) -> Iterator[tuple[Rule, Callable[..., Any]]]:
    """Yield the routes of `app` whose handlers say what they are, with those."""
    for rule in canonical_rules(app):
        view = app.view_functions[rule.endpoint]
        if documentation_of(view) is not None:
            yield rule, view


def path_of(rule: Rule) -> str:
    """Return a route as OpenAPI writes it."""
    return re.sub(r"<(?:\w+(?:\([^)]*\))?:)?(\w+)>", r"{\1}", rule.rule)


def methods_of(rule: Rule) -> list[str]:
    """Return the methods that are worth a description: HEAD is GET's, OPTIONS is everywhere."""
    methods = (rule.methods or set()) - {"OPTIONS"}
    return sorted(methods - {"HEAD"} if "GET" in methods else methods)


def _operations(path: str, rule: Rule, view: Callable[..., Any]) -> Iterator[tuple[str, JsonObject]]:
    documentation = documentation_of(view)
    assert documentation is not None
    parts = dict(zip(_PARTS.findall(path), _PARTS.findall(path_of(rule)), strict=True))
    summary, _, description = inspect.cleandoc(view.__doc__ or "").partition("\n")
    for method in methods_of(rule):
        said = {
            "operationId": "_".join([method.lower(), *_WORDS.findall(path)]),
            "tags": [rule.endpoint.partition(".")[0]],
            "summary": summary.rstrip("."),
            **({"description": description.strip()} if description.strip() else {}),
        }
        yield method.lower(), {**said, **Operation(documentation, method, parts).described()}


def _add_components(spec: APISpec) -> None:
    plain = {"Segments": SEGMENTS, "SegmentChanges": SEGMENT_CHANGES, "PatchOperation": _PATCH_OPERATION}
    for name, schema in {**json_schemas(), **error_schemas(), **plain}.items():
        spec.components.schema(name, schema)
    for name, scheme in SECURITY_SCHEMES.items():
        spec.components.security_scheme(name, scheme)
    for name, header in ANSWER_HEADERS.items():
        spec.components.header(name, header)
    for kind in all_errors():
        spec.components.example(kind.code, {"summary": kind.code, "value": example_of(kind)})


def _add_examples(document: JsonObject) -> None:
    examples = Examples(document["components"]["schemas"])
    for operations in document["paths"].values():
        for operation in operations.values():
            bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
            for content in [content for body in bodies for content in body.get("content", {}).values()]:
                if content.get("schema") and not content.keys() & {"example", "examples"}:
                    content["example"] = examples.of(content["schema"])
