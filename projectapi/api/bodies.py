"""Reading what the client sent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import request
from marshmallow import Schema
from werkzeug.exceptions import HTTPException

from projectapi.errors import BadRequest, BodyTooLarge, ProjectApiError, ValidationFailed
from projectapi.project import JsonObject
from projectapi.schemas.json_body import parse_json
from projectapi.schemas.loading import load


def read_body(*, cache: bool = False) -> bytes:
    """Return the request's whole body. Raises BodyTooLarge, and BadRequest for one that ends before the announced length.

    Werkzeug cuts a body without a length off at the limit, and takes one that ended early for whole where the server says
    that it finds the end by itself.
    """
    with well_formed():
        body = request.get_data(cache=cache)
    announced = request.content_length
    if announced is None and request.environ.get("wsgi.input_terminated") and request.environ["wsgi.input"].read(1):
        raise BodyTooLarge
    if announced is not None and len(body) < announced:
        raise BadRequest("The request's body ended before the length that its header announced.")
    return body


@contextmanager
def well_formed() -> Iterator[None]:
    """Raise BadRequest for what a server says, in errors of its own, of a body whose chunks are not well formed."""
    try:
        yield
    except (HTTPException, ProjectApiError, OSError):
        raise
    except Exception as error:
        raise BadRequest("The request's body is not well formed: its chunks do not follow HTTP.") from error


def json_value() -> Any:
    """Return the request's JSON body. Raises MalformedJson, and ValidationFailed for a body that does not say it is JSON."""
    if not request.is_json:
        message = "A JSON body is expected, with the header Content-Type: application/json."
        raise ValidationFailed(message, detail=[{"type": "json_type", "loc": ["body"], "msg": message}])
    return parse_json(read_body())


def json_body(schema: Schema) -> JsonObject:
    """Return the request's JSON object as `schema` makes it. Raises MalformedJson, ValidationFailed."""
    return load(schema, json_value())


def form(schema: Schema) -> JsonObject:
    """Return the request's form fields as `schema` makes them. Raises ValidationFailed."""
    with well_formed():
        fields = request.form.to_dict()
    return load(schema, fields)


def query(schema: Schema) -> JsonObject:
    """Return the request's query as `schema` makes it. Raises ValidationFailed."""
    return load(schema, request.args.to_dict(), where="query")
