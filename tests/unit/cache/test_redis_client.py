"""The link to Redis: its circuit breaker, its errors, and who is at the other end."""

from __future__ import annotations

from unittest.mock import Mock, patch

import fakeredis
import pytest
import redis

from projectapi.infra import redis_client
from projectapi.infra.circuit_breaker import CircuitBreaker
from projectapi.infra.redis_client import RedisLink, RedisReplaced, RedisUnavailable


class Hand:
    """A clock that is turned by hand, and a server whose run id can be changed."""

    now = 100.0
    run_id = "first"


@pytest.fixture
def hand() -> Hand:
    """Return the clock."""
    return Hand()


@pytest.fixture
def server() -> fakeredis.FakeServer:
    """Return a Redis server."""
    return fakeredis.FakeServer()


@pytest.fixture
def link(hand: Hand, server: fakeredis.FakeServer) -> RedisLink:
    """Return a link to the server."""
    client = fakeredis.FakeRedis(server=server, protocol=2)
    return RedisLink(client, layout="x", monotonic=lambda: hand.now, identify=lambda connection: hand.run_id)


def test_several_commands_are_answered_in_order(link: RedisLink) -> None:
    assert link.call(None, ("SET", "a", b"\x00\xff"), ("GET", "a"), ("GET", "b")) == [b"OK", b"\x00\xff", None]


def test_a_refused_command_is_an_error_and_does_not_confuse_the_replies_after_it(link: RedisLink) -> None:
    with pytest.raises(RedisUnavailable):
        link.call(None, ("NONSENSE",), ("SET", "a", "1"))

    assert link.call(None, ("GET", "a")) == [b"1"]
    assert not link.is_open_circuit


def test_a_server_away_is_tried_once_a_second_by_one_caller(link: RedisLink, server: fakeredis.FakeServer, hand: Hand) -> None:
    server.connected = False
    for _ in range(3):
        with pytest.raises(RedisUnavailable):
            link.call(None, ("PING",))
    server.connected = True
    with pytest.raises(RedisUnavailable, match="circuit"):
        link.call(None, ("PING",))

    hand.now += 1.1

    assert link.call(None, ("PING",)) == [b"PONG"]
    assert not link.is_open_circuit


def test_an_urgent_call_goes_out_though_the_circuit_is_open(link: RedisLink, server: fakeredis.FakeServer) -> None:
    server.connected = False
    with pytest.raises(RedisUnavailable):
        link.call(None, ("PING",))
    server.connected = True

    assert link.call(None, ("PING",), urgent=True) == [b"PONG"]


def test_after_a_time_out_even_an_urgent_call_waits_for_the_next_try(
    link: RedisLink, hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as hanging:
        exchange = Mock(side_effect=redis.TimeoutError)
        hanging.setattr(link, "_exchange", exchange)
        for _ in range(3):
            with pytest.raises(RedisUnavailable):
                link.call(None, ("PING",), urgent=True)
        assert exchange.call_count == 1

    hand.now += 1.1

    assert link.call(None, ("PING",), urgent=True) == [b"PONG"]


def test_nothing_is_sent_to_another_server_than_the_one_that_was_meant(
    link: RedisLink, server: fakeredis.FakeServer, hand: Hand
) -> None:
    first = link.identity()
    link.call(first, ("SET", "a", "1"))
    server.connected = False
    with pytest.raises(RedisUnavailable):
        link.call(first, ("PING",))
    server.connected, hand.run_id, hand.now = True, "second", hand.now + 2

    with pytest.raises(RedisReplaced) as replaced:
        link.call(first, ("SET", "a", "2"))

    assert replaced.value.server == "second/x" == link.identity()
    assert link.call(None, ("GET", "a")) == [b"1"]


def test_while_open_exactly_one_of_many_callers_may_try() -> None:
    hand = Hand()
    breaker = CircuitBreaker(pause_seconds=1.0, monotonic=lambda: hand.now)
    assert [breaker.allows() for _ in range(3)] == [True] * 3

    breaker.failed()
    assert [breaker.allows() for _ in range(3)] == [False] * 3
    hand.now += 1.0
    assert [breaker.allows() for _ in range(3)] == [True, False, False]

    breaker.succeeded()
    assert [breaker.allows() for _ in range(3)] == [True] * 3


def test_the_client_has_short_time_outs_and_no_retries() -> None:
    options = redis_client.connect("redis://localhost:1/0").connection_pool.connection_kwargs

    assert options["socket_timeout"] == options["socket_connect_timeout"] == 0.2
    assert options["retry"]._retries == 0
    assert options["socket_read_size"] == 1 << 20


def test_a_refused_port_fails_at_once_with_our_error() -> None:
    link = RedisLink(redis_client.connect("redis://127.0.0.1:1/0"))

    with pytest.raises(RedisUnavailable) as error:
        link.call(None, ("PING",))

    assert isinstance(error.value.__cause__, redis.RedisError)


def test_a_connection_that_was_idle_is_examined_before_it_is_used(hand: Hand, server: fakeredis.FakeServer) -> None:
    client = fakeredis.FakeRedis(server=server, protocol=2)
    link = RedisLink(client, monotonic=lambda: hand.now, identify=lambda connection: hand.run_id)
    with patch.object(client.connection_pool, "get_connection", wraps=client.connection_pool.get_connection) as examined:
        for _ in range(5):
            link.call(None, ("PING",))
        assert examined.call_count == 1

        hand.now += 2

        assert link.call(None, ("PING",)) == [b"PONG"]
        assert examined.call_count == 2
