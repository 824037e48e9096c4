"""Holds answers to the OpenAPI document that the application gives of itself."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import jsonschema_rs
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

JsonObject = dict[str, Any]

_SCHEMAS = "#/components/schemas/"
# The state beside the fields of the one may have any keys, and so may the other.
_OPEN = {"CurrentTimeline", "Change"}
# Preflights, redirects, and refusals of what no operation is.
_OF_NO_OPERATION = {200, 308, 400, 404, 405, 413, 422}


class OpenApi:
    """The document of one application, with which answers are compared."""

    def __init__(self, document: JsonObject) -> None:
        self.document = document
        self._components = {name: _strict(schema, name) for name, schema in document["components"]["schemas"].items()}
        self._paths = sorted(document["paths"], key=lambda path: path.count("{"))
        self.validator = cache(self._validator)

    def operation_at(self, method: str, address: str) -> tuple[str, JsonObject] | None:
        """Return the path and the operation that a request is one of, the address in either spelling of its end."""
        keys = ["head", "get"] if method == "HEAD" else [method.lower()]
        for path in self._paths:
            pattern = re.sub(r"{(\w+)}", lambda part: ".+" if part[1] == "path" else "[^/]+", path.rstrip("/"))
            key = next((key for key in keys if key in self.document["paths"][path]), None)
            if key and re.fullmatch(pattern + "/?", address):
                return path, self.document["paths"][path][key]
        return None

    def assert_conforms(self, method: str, address: str, response: TestResponse) -> None:
        """Check that an answer has a documented status, media type, headers and shape."""
        found = self.operation_at(method, address)
        if found is None or response.status_code == 405:
            assert response.status_code in _OF_NO_OPERATION, (method, address, response.status_code)
            return
        path, operation = found
        where = f"{method} {path} answered {response.status_code}"
        said = operation["responses"].get(str(response.status_code))
        assert said is not None, f"{where}, which is not documented"
        for name in said.get("headers", {}):
            required = self.document["components"]["headers"][name]["required"]
            assert not required or name in response.headers, f"{where} without {name}"
        content = said.get("content", {})
        if response.status_code == 304 or not content or method == "HEAD":
            return
        assert _documented(response.mimetype, content), f"{where} with {response.mimetype}, which is not documented"
        if response.mimetype == "application/json" and not response.headers.get("Content-Encoding"):
            self._assert_fits(where, content["application/json"]["schema"], response.get_json())

    def _assert_fits(self, where: str, schema: JsonObject, body: Any) -> None:
        error = next(iter(self.validator(_Key(schema)).iter_errors(body)), None)
        assert error is None, f"{where} with {error.instance_path}: {error.message}"

    def _validator(self, key: _Key) -> jsonschema_rs.Draft202012Validator:
        whole = {**_strict(key.schema, "envelope"), "components": {"schemas": self._components}}
        return jsonschema_rs.Draft202012Validator(whole, validate_formats=True)


class _Key:
    """A schema as a key of a cache: the one object in the document."""

    def __init__(self, schema: JsonObject) -> None:
        self.schema = schema

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and other.schema is self.schema

    def __hash__(self) -> int:
        return id(self.schema)


_of_all: list[OpenApi] = []


def openapi_of(app: Flask) -> OpenApi:
    """Return the document that `app` gives of itself, which is the same for all applications: it is read once."""
    if not _of_all:
        _of_all.append(OpenApi(FlaskClient(app).get("/openapi.json").get_json()))
    return _of_all[0]


class DocumentedClient(FlaskClient):
    """A client that holds every answer to the application's own documentation."""

    def open(self, *args: Any, **options: Any) -> TestResponse:
        """Send a request and return its answer, once it is known to conform."""
        response = super().open(*args, **options)
        request = response.request
        openapi_of(self.application).assert_conforms(request.method, request.path, response)
        return response


def _documented(media_type: str, content: JsonObject) -> bool:
    kinds = {media_type, f"{media_type.partition('/')[0]}/*", "*/*"}
    return not kinds.isdisjoint(content)


def _strict(schema: Any, name: str = "") -> Any:
    """Return a schema that takes no keys besides its own where it requires some; requests and free objects stay as they are."""
    if isinstance(schema, list):
        return [_strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    strict = {key: value if key in ("examples", "example") else _strict(value) for key, value in schema.items()}
    closed = isinstance(strict.get("properties"), dict) and "required" in strict and "additionalProperties" not in strict
    return {**strict, "additionalProperties": False} if closed and name not in _OPEN else strict
