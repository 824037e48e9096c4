"""One line per request, whichever way it takes, and one id in everything that is said about it."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.conftest import AppMaker


@pytest.fixture
def light_client(make_app: AppMaker) -> FlaskClient:
    """A client of an application that has a line for each request."""
    return make_app(access_log=True).test_client()


@pytest.fixture
def lines(light_client: FlaskClient, caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """What is logged from INFO up, after the application has set its log up."""
    logging.getLogger("projectapi").propagate = True
    caplog.set_level(logging.INFO, "projectapi")
    caplog.clear()
    return caplog


def access(lines: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [record.fields for record in lines.records if record.name == "projectapi.access"]  # type: ignore[attr-defined]


def test_a_request_has_one_line_with_what_came_of_it(light_client: FlaskClient, lines: pytest.LogCaptureFixture) -> None:
    answer = light_client.post("/projects?token=s3cret", json={"name": "Holiday"})

    (line,) = access(lines)
    assert line.pop("milliseconds") > 0
    assert line == {
        "event": "request",
        "method": "POST",
        "path": "/projects",
        "status": 200,
        "bytes": len(answer.data),
        "cache": None,
    }
    assert "s3cret" not in lines.text
    assert "Holiday" not in lines.text


def test_a_finished_answer_has_its_line_too(light_client: FlaskClient, lines: pytest.LogCaptureFixture) -> None:
    light_client.get("/projects")

    (line,) = access(lines)
    assert (line["path"], line["status"], line["cache"]) == ("/projects", 200, "BYPASS")


def test_a_path_cannot_begin_a_line_of_its_own(light_client: FlaskClient, lines: pytest.LogCaptureFixture) -> None:
    light_client.get("/nothing%0A2026-11-22 ERROR projectapi forged")

    (line,) = access(lines)
    assert (line["path"], line["status"]) == ("/nothing%0A2026-11-22%20ERROR%20projectapi%20forged", 404)
    assert "\n" not in lines.messages[-1]


def test_the_line_can_be_left_out(make_app: AppMaker, caplog: pytest.LogCaptureFixture) -> None:
    client = make_app(access_log=False).test_client()
    logging.getLogger("projectapi").propagate = True
    caplog.set_level(logging.INFO, "projectapi")

    assert client.get("/health").headers["X-Request-Id"]

    assert access(caplog) == []


@pytest.mark.parametrize("path", ["/projects", "/health", "/nothing", f"/projects/{'0' * 24}"])
def test_the_client_s_id_is_the_request_s(light_client: FlaskClient, path: str) -> None:
    answer = light_client.get(path, headers={"X-Request-Id": "editor-7/1"})

    assert answer.headers["X-Request-Id"] == "editor-7/1"
    assert answer.status_code == 200 or answer.get_json()["requestId"] == "editor-7/1"


@pytest.mark.parametrize("unfit", ["", "two words", "x" * 129, 'a"b'])
def test_an_id_that_is_unfit_for_a_log_is_replaced(light_client: FlaskClient, unfit: str) -> None:
    first, second = (light_client.get("/health", headers={"X-Request-Id": unfit}).headers["X-Request-Id"] for _ in "12")

    assert unfit not in (first, second)
    assert first != second
