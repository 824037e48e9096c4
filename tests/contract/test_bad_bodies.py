"""A body that cannot be read is refused before anything is looked at, and changes nothing."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from tests.conftest import AppMaker
from tests.contract.conftest import Guarded
from tests.contract.shapes import assert_success
from tests.errors_shape import assert_error

JSON = "application/json"

MALFORMED: dict[str, bytes] = {
    "cut off": b'{"name": "x"',
    "no JSON at all": b"name=x",
    "a lone brace": b"}",
    "two values": b'{"name": "x"} {"name": "y"}',
    "single quotes": b"{'name': 'x'}",
    "a trailing comma": b'{"name": "x",}',
    "a comment": b'{"name": "x"} // x',
    "not a number": b'{"name": "x", "duration": NaN}',
    "infinity": b'{"name": "x", "duration": Infinity}',
    "minus infinity": b'{"name": "x", "duration": -Infinity}',
    "a number without end": b'{"name": "x", "duration": 1e999}',
    "a key given twice": b'{"name": "x", "name": "y"}',
    "half a letter": b'{"name": "\\ud800"}',
    "not UTF-8": b'{"name": "\xff"}',
    "UTF-16": '{"name": "x"}'.encode("utf-16"),
    "a byte order mark": b'\xef\xbb\xbf{"name": "x"}',
    "a bare control character": b'{"name": "a\nb"}',
    "a depth bomb": b'{"name": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "65 levels": b'{"name": ' + b"[" * 65 + b"]" * 65 + b"}",
    "nothing": b"",
    "a space": b" ",
}


@pytest.mark.parametrize("name", MALFORMED)
@pytest.mark.parametrize(("method", "path"), [("POST", "/projects"), ("PUT", "/projects/{id}"), ("POST", "/timeline/")])
def test_malformed_json_is_refused(client: FlaskClient, guarded: Guarded, method: str, path: str, name: str) -> None:
    response = client.open(
        path.format(id=guarded.id),
        method=method,
        data=MALFORMED[name],
        content_type=JSON,
        headers=guarded.owner,
    )

    assert_error(response, 400, "malformed_json")


@pytest.mark.parametrize("path", ["/projects", "/timeline/", "/timeline/save", "/media/trim-video", "/media/remove-fillers"])
@pytest.mark.parametrize("body", [b"[]", b"[{}]", b'"x"', b"7", b"null", b"true"])
def test_json_that_is_no_object_is_refused(client: FlaskClient, path: str, body: bytes) -> None:
    assert_error(client.post(path, data=body, content_type=JSON), 422, "validation_failed")


@pytest.mark.parametrize("path", ["/projects", "/timeline/", "/timeline/save", "/media/trim-video", "/media/remove-fillers"])
@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "", "text/json"])
def test_a_body_that_does_not_say_it_is_json_is_refused(client: FlaskClient, path: str, kind: str) -> None:
    response = client.post(path, data=b'{"name": "x"}', headers={"Content-Type": kind} if kind else {})

    assert_error(response, 422, "validation_failed")


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "APPLICATION/JSON", "application/vnd.api+json"])
def test_json_may_be_said_in_other_words(client: FlaskClient, kind: str) -> None:
    assert_success(client.post("/projects", data=b'{"name": "x"}', content_type=kind))


def test_a_body_over_the_limit_is_refused(make_app: AppMaker) -> None:
    client = make_app(max_body_bytes=1024).test_client()
    fits = b'{"name": "x"}'.ljust(1024)

    assert_success(client.post("/projects", data=fits, content_type=JSON))
    assert_error(client.post("/projects", data=fits + b" ", content_type=JSON), 413, "body_too_large")
    assert len(assert_success(client.get("/projects"))) == 1
