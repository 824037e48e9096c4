"""Flask-Caching holds the configuration and makes our backend, which never unpickles anything."""

from __future__ import annotations

import pickle
from collections.abc import Iterator

import fakeredis
import pytest
from flask import Flask
from flask_caching import Cache

from projectapi.infra.flask_cache import ByteCache


@pytest.fixture
def client() -> fakeredis.FakeRedis:
    """Return a Redis client."""
    return fakeredis.FakeRedis(server=fakeredis.FakeServer(), protocol=2)


@pytest.fixture
def cache(client: fakeredis.FakeRedis) -> Iterator[Cache]:
    """Return the extension, set up as the application does it."""
    app = Flask("test")
    settings = {"CACHE_TYPE": "projectapi.infra.flask_cache.ByteCache", "CACHE_REDIS_HOST": client}
    extension = Cache(app, config={**settings, "CACHE_DEFAULT_TIMEOUT": 300, "CACHE_KEY_PREFIX": "pv:flask:"})
    with app.app_context():
        yield extension


def test_the_backend_is_ours_and_hands_out_the_client_it_was_given(cache: Cache, client: fakeredis.FakeRedis) -> None:
    assert isinstance(cache.cache, ByteCache)
    assert cache.cache.client is client


def test_a_url_makes_a_client_with_our_time_outs() -> None:
    settings = {"CACHE_TYPE": "projectapi.infra.flask_cache.ByteCache", "CACHE_REDIS_URL": "redis://127.0.0.1:1/3"}
    backend = Cache(Flask("test"), config=settings).cache

    options = backend.client.connection_pool.connection_kwargs
    assert (options["port"], options["db"], options["socket_timeout"]) == (1, 3, 0.2)


@pytest.mark.parametrize("value", [b"\x00raw\xff", {"a": [1, None, "ü"]}, "text", 0, False])
def test_bytes_and_json_come_back_as_they_were(cache: Cache, value: object) -> None:
    cache.set("key", value)

    assert cache.get("key") == value


def test_a_pickle_that_somebody_planted_is_not_loaded(cache: Cache, client: fakeredis.FakeRedis) -> None:
    class Planted:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (pytest.fail, ("code from Redis was run",))

    for prefix in (b"!", b"", b"j"):
        client.set("pv:flask:key", prefix + pickle.dumps(Planted()))
        assert cache.get("key") is None


def test_what_is_neither_bytes_nor_json_is_refused(cache: Cache) -> None:
    with pytest.raises(TypeError):
        cache.set("key", object())


def test_every_key_gets_a_time_to_live_and_the_prefix(cache: Cache, client: fakeredis.FakeRedis) -> None:
    cache.set("key", b"x")

    assert 0 < client.ttl("pv:flask:key") <= 300
