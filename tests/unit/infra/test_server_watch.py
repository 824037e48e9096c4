"""What is made of the driver's heartbeats."""

from __future__ import annotations

from typing import Any, cast

import pytest
from pymongo import MongoClient
from pymongo.monitoring import ServerHeartbeatFailedEvent, ServerHeartbeatSucceededEvent

from projectapi.infra.server_watch import ServerWatch


class Hello:
    """What a server says of itself."""

    def __init__(self, *, is_writable: bool) -> None:
        self.is_writable = is_writable


class Client:
    """Stands for a client that knows one server."""

    def __init__(self) -> None:
        self.is_writable = False

    @property
    def topology_description(self) -> Client:
        return self

    def server_descriptions(self) -> dict[str, Client]:
        return {"db:27017": self}


class Scene:
    """A watch, its client and its clock."""

    def __init__(self) -> None:
        self.now = 100.0
        self.client = Client()
        self.watch = ServerWatch(monotonic=lambda: self.now)
        self.watch.follow(cast(MongoClient[dict[str, Any]], self.client))

    def beat(self, *, is_writable: bool = True) -> None:
        hello = cast(Any, Hello(is_writable=is_writable))
        self.watch.succeeded(ServerHeartbeatSucceededEvent(0.001, hello, ("db", 27017)))
        self.client.is_writable = is_writable

    def miss(self) -> None:
        self.watch.failed(ServerHeartbeatFailedEvent(0.001, ConnectionRefusedError("user:swordfish"), ("db", 27017)))
        self.client.is_writable = False


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_before_the_first_heartbeat_nothing_is_known(scene: Scene) -> None:
    assert scene.watch.away_for() is None
    assert not scene.watch.has_news


def test_a_server_that_was_never_there_is_away_since_it_was_first_missed(scene: Scene) -> None:
    scene.miss()
    scene.now += 3
    scene.miss()

    assert scene.watch.away_for() == 3


def test_a_server_that_vanished_is_away_since_it_was_last_heard(scene: Scene) -> None:
    scene.beat()
    assert scene.watch.away_for() is None

    scene.now += 0.5
    scene.miss()

    assert scene.watch.away_for() == 0.5


def test_a_primary_that_stepped_down_counts_as_away_though_it_is_heard(scene: Scene) -> None:
    scene.beat()
    scene.now += 2
    scene.beat(is_writable=False)

    assert scene.watch.away_for() == 2
    assert not scene.watch.heard_within(1.2)


def test_a_server_under_suspicion_is_away_until_it_is_heard(scene: Scene) -> None:
    scene.beat()
    scene.now += 1.5
    scene.watch.suspect()

    assert scene.watch.away_for() == 1.5

    scene.now += 1
    scene.beat()
    assert scene.watch.away_for() is None


def test_the_log_says_once_that_mongodb_is_away_and_once_that_it_is_back(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    scene.beat()
    for _ in range(5):
        scene.miss()
        scene.now += 0.5
    for _ in range(3):
        scene.beat()

    away, back = caplog.messages
    assert "cannot be reached (ConnectionRefusedError)" in away and "back" in back
    assert "swordfish" not in caplog.text


def test_a_heartbeat_that_fails_once_is_no_news_for_the_log(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(3):
        scene.beat()
        scene.miss()
    scene.beat()

    assert caplog.messages == []


def test_each_heartbeat_is_passed_on_whatever_it_says(scene: Scene) -> None:
    told: list[float | None] = []
    scene.watch.when_news_come(lambda: told.append(scene.watch.away_for()))

    scene.beat()
    scene.beat(is_writable=False)
    scene.now += 3
    scene.miss()

    assert len(told) == 3
    assert told[-1] == 3
