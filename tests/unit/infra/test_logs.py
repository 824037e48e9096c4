"""The log tells what happened and keeps secrets, whoever writes to it."""

from __future__ import annotations

import io
import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from pymongo.errors import BulkWriteError

from projectapi.errors import ProjectApiError
from projectapi.infra.logs import set_up_logging
from projectapi.request_id import request_id

LOGGERS = ("", "projectapi", "gunicorn.error")


@contextmanager
def fresh_logging() -> Iterator[None]:
    """Start without handlers, as a process does, and put everything back afterwards."""
    loggers = [logging.getLogger(name) for name in LOGGERS]
    before = [(logger, logger.handlers[:], logger.propagate, logger.level) for logger in loggers]
    for logger in loggers:
        logger.handlers[:] = []
    try:
        yield
    finally:
        for logger, handlers, propagate, level in before:
            logger.handlers[:] = handlers
            logger.propagate = propagate
            logger.setLevel(level)


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("opening mongodb://editor:s3cret@db:1/x", "opening mongodb://***@db:1/x"),
        ("opening redis://:s3@cret@cache", "opening redis://***@cache"),
        ("opening mongodb://editor:s3/cret?#@db/", "opening mongodb://***@db/"),
        ("from http://a.example/x to https://s3cret@b.example/y", "from http://a.example/x to https://***@b.example/y"),
        ("GET http://a.example/x?mail=a@b.example", "GET http://a.example/x?mail=a@b.example"),
        ("GET /x?password=s3cret&page=2", "GET /x?password=***&page=2"),
        ("GET /x?page=2&PWD=s3cret", "GET /x?page=2&PWD=***"),
        ("mongodb://db/?tlsCertificateKeyFilePassword=s3cret;w=1", "mongodb://db/?tlsCertificateKeyFilePassword=***;w=1"),
    ],
)
@fresh_logging()
def test_a_line_keeps_secrets(capsys: pytest.CaptureFixture[str], message: str, shown: str) -> None:
    set_up_logging("INFO")

    logging.getLogger("projectapi.part").info("%s", message)

    assert capsys.readouterr().err.endswith(f"INFO projectapi.part [-] {shown}\n")


@fresh_logging()
def test_a_traceback_keeps_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("INFO")

    try:
        raise RuntimeError("mongodb://user:TOPSECRET@db/")
    except RuntimeError:
        logging.getLogger("projectapi").exception("It failed")

    shown = capsys.readouterr().err
    assert "RuntimeError: mongodb://***@db/" in shown
    # The traceback quotes the line of the source, too.
    assert "TOPSECRET" not in shown


@pytest.mark.parametrize("log_format", ["text", "json"])
@fresh_logging()
def test_a_traceback_does_not_repeat_what_a_driver_quotes_of_a_document(
    capsys: pytest.CaptureFixture[str], log_format: str
) -> None:
    set_up_logging("INFO", log_format)
    details = {"writeErrors": [{"code": 99, "op": {"name": "Our secret film"}}]}

    try:
        try:
            raise BulkWriteError(details)
        except BulkWriteError as error:
            raise ProjectApiError from error
    except ProjectApiError:
        logging.getLogger("projectapi").exception("It failed")

    shown = capsys.readouterr().err
    assert "Our secret film" not in shown
    # Which error it was, and where, must be found all the same.
    assert "BulkWriteError: (left out, code 65)" in shown and "test_logs.py" in shown


@fresh_logging()
def test_other_libraries_warnings_keep_secrets_and_their_chatter_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("DEBUG")

    logging.getLogger("library").info("chatter")
    logging.getLogger("library").warning("lost redis://:s3cret@cache")

    assert capsys.readouterr().err.splitlines()[0].endswith("WARNING library [-] lost redis://***@cache")


@fresh_logging()
def test_a_root_handler_that_somebody_else_set_up_stays_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    theirs = logging.NullHandler()
    logging.getLogger().addHandler(theirs)

    set_up_logging("INFO")

    assert logging.getLogger().handlers == [theirs]


@fresh_logging()
def test_gunicorn_s_own_lines_keep_secrets_and_their_form() -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("[%(levelname)s] %(message)s"))
    logging.getLogger("gunicorn.error").addHandler(handler)
    logging.getLogger("gunicorn.error").propagate = False

    set_up_logging("INFO")
    set_up_logging("INFO")
    logging.getLogger("gunicorn.error").error("no mongodb://u:s3cret@db/")

    assert stream.getvalue() == "[ERROR] no mongodb://***@db/\n"


@fresh_logging()
def test_setting_up_twice_writes_each_line_once(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("INFO")
    set_up_logging("INFO")

    logging.getLogger("projectapi").warning("once")
    logging.getLogger("library").warning("once")

    assert capsys.readouterr().err.count("once") == 2


def json_lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


@fresh_logging()
def test_in_json_a_line_is_an_object_with_the_id_of_its_request(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("INFO", "json")

    token = request_id.set("mine")
    logging.getLogger("projectapi.part").warning("%s it", "saw", extra={"fields": {"event": "seen", "milliseconds": 1.5}})
    request_id.reset(token)

    (line,) = json_lines(capsys)
    assert datetime.fromisoformat(line.pop("time")).utcoffset() == timedelta(0)
    assert line.pop("process") == os.getpid()
    assert line == {
        "level": "WARNING",
        "logger": "projectapi.part",
        "requestId": "mine",
        "message": "saw it",
        "event": "seen",
        "milliseconds": 1.5,
    }


@fresh_logging()
def test_in_json_message_fields_and_traceback_keep_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("INFO", "json")

    uri = "mongodb://u:s3cret@db/"
    try:
        raise RuntimeError(uri)
    except RuntimeError:
        logging.getLogger("projectapi").exception("no %s", uri, extra={"fields": {"where": uri}})

    (line,) = json_lines(capsys)
    assert (line["message"], line["where"]) == ("no mongodb://***@db/", "mongodb://***@db/")
    assert line["exception"].endswith("RuntimeError: mongodb://***@db/")
    assert "s3cret" not in str(line)


@pytest.mark.parametrize("odd", ["\ud800", 2**70, {1, 2}, "two\nlines"], ids=["surrogate", "large", "set", "lines"])
@fresh_logging()
def test_in_json_no_value_costs_a_line_or_makes_two(capsys: pytest.CaptureFixture[str], odd: Any) -> None:
    set_up_logging("INFO", "json")

    logging.getLogger("projectapi").info("odd", extra={"fields": {"value": odd}})

    (line,) = json_lines(capsys)
    assert line["message"] == "odd"


@fresh_logging()
def test_in_json_gunicorn_s_own_lines_are_objects_too(capsys: pytest.CaptureFixture[str]) -> None:
    handler = logging.StreamHandler()
    logging.getLogger("gunicorn.error").addHandler(handler)
    logging.getLogger("gunicorn.error").propagate = False

    set_up_logging("INFO", "json")
    logging.getLogger("gunicorn.error").error("no mongodb://u:s3cret@db/")

    (line,) = json_lines(capsys)
    assert (line["logger"], line["message"]) == ("gunicorn.error", "no mongodb://***@db/")


@fresh_logging()
def test_the_driver_s_own_log_stays_silent_even_when_somebody_wants_all_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    # Given a program that logs everything of every library
    logging.getLogger().addHandler(logging.StreamHandler())
    logging.getLogger().setLevel(logging.DEBUG)

    set_up_logging("DEBUG")
    logging.getLogger("pymongo.command").debug('{"command": {"insert": "projects", "documents": [...]}}')

    assert capsys.readouterr().err == ""
