"""The OpenAPI document is of the code: it has every route, nothing else, and says of each handler what the handler does."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import mongomock
import openapi_spec_validator
import pytest
from flask import Flask
from marshmallow import Schema

from config import Config
from projectapi import api, create_app
from projectapi.api import docs
from projectapi.api.documentation import Documented
from projectapi.api.documentation.document import canonical_rules, documented_rules, methods_of, path_of
from projectapi.api.documentation.handlers import documentation_of
from projectapi.errors import all_errors
from tests.conftest import AppMaker
from tests.harness.documentation import OpenApi, openapi_of

JsonObject = dict[str, Any]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """The application, of which only the routes matter here."""
    config = Config(app_env="testing", mongodb_uri="mongodb://unused/", media_dir=tmp_path_factory.mktemp("media"))
    yield create_app(config, mongo_client=mongomock.MongoClient(tz_aware=True))


@pytest.fixture(scope="module")
def openapi(app: Flask) -> OpenApi:
    return openapi_of(app)


def operations(document: JsonObject) -> Iterator[tuple[str, JsonObject]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def nameless(address: str) -> str:
    """Return an address without the names of its parts: two addresses that differ in these only are one to OpenAPI."""
    return re.sub(r"{\w+}", "{}", address)


def test_every_route_is_documented_and_every_document_has_a_route(app: Flask, openapi: OpenApi) -> None:
    routes = {nameless(f"{method} {path_of(rule)}") for rule in canonical_rules(app) for method in methods_of(rule)}

    documents = {nameless(name) for name, _ in operations(openapi.document)}

    assert routes - documents == set(), "put @documented(...) above these handlers: see projectapi.api.documentation"
    assert documents - routes == set()


def test_the_document_is_valid_openapi(openapi: OpenApi) -> None:
    assert openapi.document["openapi"] == "3.1.0"
    # The validator follows what contains itself for ever.
    components = openapi.document["components"]
    schemas = {name: {} if name in ("StorableJson", "AnyJson") else schema for name, schema in components["schemas"].items()}
    openapi_spec_validator.validate({**openapi.document, "components": {**components, "schemas": schemas}})
    assert len({nameless(path) for path in openapi.document["paths"]}) == len(openapi.document["paths"])


def test_every_operation_says_what_it_does_and_where_it_belongs(openapi: OpenApi) -> None:
    known = {tag["name"] for tag in openapi.document["tags"]}

    for name, operation in operations(openapi.document):
        assert operation["summary"], name
        assert set(operation["tags"]) <= known, f"{name}: give the tag a sentence in introduction.TAGS"


def test_every_error_is_documented_where_it_can_happen(openapi: OpenApi) -> None:
    documented = {
        code
        for _, operation in operations(openapi.document)
        for response in operation["responses"].values()
        for content in response.get("content", {}).values()
        for code in content.get("examples", {})
    }

    # The first two are answers to what is no operation.
    everywhere = {"method_not_allowed", "bad_request"}
    assert {kind.code for kind in all_errors()} - documented - everywhere == set()
    assert set(openapi.document["components"]["schemas"]["ErrorCode"]["enum"]) == {kind.code for kind in all_errors()}


def test_errors_stand_under_their_statuses(openapi: OpenApi) -> None:
    statuses = {kind.code: str(kind.status) for kind in all_errors()}

    for name, operation in operations(openapi.document):
        for status, response in operation["responses"].items():
            for content in response.get("content", {}).values():
                assert {statuses[code] for code in content.get("examples", {})} <= {status}, name


def test_an_answer_that_says_when_to_try_again_is_documented_with_it(openapi: OpenApi) -> None:
    told = {kind.code for kind in all_errors() if "Retry-After" in kind().headers}

    for name, operation in operations(openapi.document):
        for status, response in operation["responses"].items():
            codes = {code for content in response.get("content", {}).values() for code in content.get("examples", {})}
            assert not codes & told or "Retry-After" in response["headers"], f"{name}: {status}"


def test_whoever_may_be_refused_for_want_of_a_token_is_told_how_to_send_it(openapi: OpenApi) -> None:
    schemes = openapi.document["components"]["securitySchemes"]
    asking = {name: said for name, said in operations(openapi.document) if "401" in said["responses"]}

    assert asking
    assert schemes["metricsToken"]["scheme"] == "bearer"
    for name, said in asking.items():
        assert {scheme for way in said["security"] for scheme in way} <= set(schemes), name
        assert any(said["security"]), name
        assert "WWW-Authenticate" in said["responses"]["401"]["headers"], name


def fields_of(schema: JsonObject) -> Iterator[tuple[str, JsonObject]]:
    yield from schema.get("properties", {}).items()


def test_every_field_of_a_request_and_an_answer_is_explained(openapi: OpenApi) -> None:
    # The names of these say it: they are the frontends' own.
    ours = {name: schema for name, schema in openapi.document["components"]["schemas"].items() if name not in FOREIGN}

    silent = [
        f"{name}.{field}"
        for name, schema in ours.items()
        for field, said in fields_of(schema)
        if not said.keys() & {"description", "$ref", "const", "anyOf"} and field not in ("success", "data", "type", "msg")
    ]

    assert silent == []


FOREIGN = {"TimelineState", "TimelineStateFields", "StorableJson", "AnyJson", "Segments", "SegmentChanges", "PatchOperation"}


def bodies(document: JsonObject) -> Iterator[tuple[str, JsonObject, Any]]:
    """Yield the name, the schema and the example of every body."""
    shared = document["components"]["examples"]
    for name, operation in operations(document):
        parts = {"request": operation.get("requestBody", {}), **operation["responses"]}
        for part, said in parts.items():
            for media_type, content in said.get("content", {}).items():
                where = f"{name} {part} {media_type}"
                if "schema" not in content:
                    continue
                found = [content["example"]] if "example" in content else []
                found += [shared[code]["value"] for code in content.get("examples", {})]
                assert found, f"{where} has no example"
                for example in found:
                    yield where, content["schema"], example


def test_every_example_fits_its_schema(openapi: OpenApi) -> None:
    whole = {"components": openapi.document["components"]}

    for where, schema, example in bodies(openapi.document):
        validator = jsonschema_rs.Draft202012Validator({**schema, **whole}, validate_formats=True)
        problems = [f"{error.instance_path}: {error.message}" for error in validator.iter_errors(example)]
        assert problems == [], where


def code_of(view: Callable[..., Any]) -> ast.AST:
    return ast.parse(textwrap.dedent(inspect.getsource(view)))


def calls_of(view: Callable[..., Any]) -> Iterator[tuple[str, list[Any]]]:
    """Yield what a handler calls, itself or through functions of its module, by name, with the module's objects passed on."""
    names = vars(inspect.getmodule(view))
    for node in ast.walk(code_of(view)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        yield node.func.id, [names.get(argument.id) for argument in node.args if isinstance(argument, ast.Name)]
        called = names.get(node.func.id)
        if inspect.isfunction(called) and called.__module__ == view.__module__:
            yield from calls_of(called)


def read_by(view: Callable[..., Any], reader: str) -> set[type]:
    """Return the schemas through which a handler reads a part of its request."""
    return {type(value) for name, values in calls_of(view) if name == reader for value in values if isinstance(value, Schema)}


@pytest.fixture(scope="module")
def handlers(app: Flask) -> list[tuple[Callable[..., Any], Documented]]:
    views = {view.__name__: view for _, view in documented_rules(app)}
    return [(view, said) for view in views.values() if (said := documentation_of(view))]


def test_a_handler_reads_the_query_and_the_body_that_it_documents(
    handlers: list[tuple[Callable[..., Any], Documented]],
) -> None:
    for view, said in handlers:
        documented_schemas = {shape for shape in said.body.values() if isinstance(shape, type)}
        documented_schemas |= {part for shape in said.body.values() for part in parts_of(shape)}
        assert read_by(view, "query") == ({said.query} if said.query else set()), view.__name__
        if "patch_of_request" not in {name for name, _ in calls_of(view)}:
            assert read_by(view, "json_body") | read_by(view, "form") == documented_schemas, view.__name__


def parts_of(shape: Any) -> list[type]:
    return [part for part in shape.get("allOf", []) if isinstance(part, type)] if isinstance(shape, dict) else []


@pytest.mark.parametrize(
    ("call", "header"), [("expected_tag", "If-Match"), ("known_tags", "If-None-Match"), ("file_with_ranges", "Range")]
)
def test_a_handler_documents_the_conditions_that_it_minds(
    handlers: list[tuple[Callable[..., Any], Documented]], call: str, header: str
) -> None:
    mind = {view.__name__ for view, _ in handlers if call in {name for name, _ in calls_of(view)}}

    documented = {view.__name__ for view, said in handlers if header in said.headers}

    # What `success` and `finished` answer to a GET can be 304, too.
    assert mind - documented == set()
    if header == "If-Match":
        assert documented == mind


def test_a_handler_documents_the_errors_that_it_raises_itself(handlers: list[tuple[Callable[..., Any], Documented]]) -> None:
    kinds = {kind.__name__: kind for kind in all_errors()}

    for view, said in handlers:
        raised = {node.exc for node in ast.walk(code_of(view)) if isinstance(node, ast.Raise) and node.exc}
        names = {name.id for node in raised for name in ast.walk(node) if isinstance(name, ast.Name)} & kinds.keys()
        assert {kinds[name] for name in names} <= set(said.errors), view.__name__


def test_every_blueprint_is_looked_at(app: Flask) -> None:
    modules = {path.stem for path in Path(inspect.getfile(api)).parent.glob("*.py") if "@blueprint." in path.read_text()}

    documented = {view.__module__.rpartition(".")[2] for _, view in documented_rules(app)}

    assert modules - documented - {"errors"} == set()


def test_the_document_is_made_once(make_app: AppMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    client = make_app().test_client()
    first = client.get("/openapi.json")
    monkeypatch.setattr(docs, "openapi_document", lambda *_: pytest.fail("made again"))

    again = client.get("/openapi.json")

    assert again.get_data() == first.get_data()
    assert client.get("/openapi.json", headers={"If-None-Match": first.headers["ETag"]}).status_code == 304
