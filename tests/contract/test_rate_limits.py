"""With RATE_LIMITS set, one client that asks too often is told to wait, wherever it asks; nobody else notices."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.conftest import AppMaker
from tests.errors_shape import assert_error

ORIGIN = "http://localhost:3000"
ID = "0123456789abcdef01234567"


def from_address(address: str) -> dict[str, Any]:
    return {"environ_overrides": {"REMOTE_ADDR": address}}


@pytest.fixture
def limited(make_app: AppMaker) -> FlaskClient:
    """A client of an application that takes three requests a minute."""
    return make_app(rate_limits="100/second;3/minute").test_client()


def exhaust(client: FlaskClient, **how: Any) -> None:
    for _ in range(3):
        assert client.get("/projects", **how).status_code == 200


@pytest.mark.parametrize("path", ["/projects", f"/projects/{ID}", f"/timeline/{ID}/history", "/nowhere", "/docs", "/static/x"])
def test_who_asks_too_often_is_told_when_to_come_back(limited: FlaskClient, path: str) -> None:
    exhaust(limited)

    response = limited.get(path, headers={"Origin": ORIGIN})

    assert_error(response, 429, "too_many_requests")
    assert 0 < int(response.headers["Retry-After"]) <= 60
    assert response.headers["Access-Control-Allow-Origin"] == ORIGIN


def test_a_write_past_the_limit_changes_nothing(limited: FlaskClient) -> None:
    exhaust(limited)

    assert_error(limited.post("/projects", json={"name": "x"}), 429, "too_many_requests")

    assert limited.get("/projects", **from_address("192.0.2.9")).get_json()["data"] == []


def test_others_are_served_all_the_same(limited: FlaskClient) -> None:
    exhaust(limited, **from_address("192.0.2.1"))

    assert limited.get("/projects", **from_address("192.0.2.2")).status_code == 200


def test_whether_it_lives_and_preflights_may_be_asked_without_end(limited: FlaskClient) -> None:
    exhaust(limited)

    preflight = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}
    assert limited.get("/health").status_code == 200
    assert limited.get("/health/liveness").status_code == 200
    assert limited.options("/projects", headers=preflight).status_code == 200


@pytest.mark.parametrize("header", ["X-User-Id", "X-Forwarded-For", "X-Real-IP", "Forwarded"])
def test_saying_to_be_somebody_else_does_not_help(limited: FlaskClient, header: str) -> None:
    exhaust(limited)

    assert limited.get("/projects", headers={header: "192.0.2.77"}).status_code == 429


def test_behind_a_trusted_proxy_the_address_that_it_saw_counts(make_app: AppMaker) -> None:
    client = make_app(rate_limits="3/minute", trusted_proxies=1).test_client()
    exhaust(client, headers={"X-Forwarded-For": "192.0.2.1"})

    assert client.get("/projects", headers={"X-Forwarded-For": "192.0.2.2"}).status_code == 200
    # What the client itself wrote there stands before it and is not believed.
    assert client.get("/projects", headers={"X-Forwarded-For": "198.51.100.1, 192.0.2.1"}).status_code == 429


def test_all_addresses_of_an_ipv6_network_are_one_client(limited: FlaskClient) -> None:
    exhaust(limited, **from_address("2001:db8::1"))

    assert limited.get("/projects", **from_address("2001:db8::ffff:2")).status_code == 429
    assert limited.get("/projects", **from_address("2001:db8:0:1::1")).status_code == 200


def test_by_default_nobody_counts(make_app: AppMaker) -> None:
    client = make_app().test_client()

    assert {client.get("/projects").status_code for _ in range(200)} == {200}


def test_clients_whose_old_addresses_are_written_in_the_new_form_are_told_apart(limited: FlaskClient) -> None:
    exhaust(limited, **from_address("::ffff:192.0.2.1"))

    assert limited.get("/projects", **from_address("::ffff:192.0.2.1")).status_code == 429
    assert limited.get("/projects", **from_address("::ffff:192.0.2.2")).status_code == 200
