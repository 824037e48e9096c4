"""How long an operation may wait for MongoDB, by a clock that the tests turn."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from prometheus_client import REGISTRY
from pymongo.errors import AutoReconnect, ConfigurationError, NetworkTimeout, OperationFailure, ServerSelectionTimeoutError

from projectapi.errors import DatabaseUnavailable
from projectapi.infra import metrics
from projectapi.infra.database_circuit import PATIENCE_SECONDS, DatabaseCircuit, within
from projectapi.infra.server_watch import ServerWatch


class Watch(ServerWatch):
    """Knows what a test says."""

    def __init__(self) -> None:
        super().__init__()
        self.away: float | None = None
        self.news = True
        self.heard = True
        self.suspicions = 0

    @property
    def has_news(self) -> bool:
        return self.news

    def away_for(self) -> float | None:
        return self.away

    def heard_within(self, seconds: float) -> bool:
        return self.heard

    def suspect(self) -> None:
        self.suspicions += 1

    def when_news_come(self, tell: Callable[[], object]) -> None:
        self.tell = tell


class Clock:
    """Stands still until it is told otherwise."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def circuit(watch: Watch, clock: Clock) -> DatabaseCircuit:
    return DatabaseCircuit(watch, monotonic=clock)


def is_refused(circuit: DatabaseCircuit) -> bool:
    try:
        circuit.seconds_for(8)
    except DatabaseUnavailable:
        return True
    return False


def test_while_somebody_takes_writes_an_operation_has_all_its_time(circuit: DatabaseCircuit) -> None:
    assert circuit.seconds_for(8) == 8
    assert not circuit.is_open


def test_an_election_is_waited_for_until_the_patience_is_used_up(circuit: DatabaseCircuit, watch: Watch) -> None:
    watch.away = 3.0

    assert circuit.seconds_for(8) == PATIENCE_SECONDS - 3.0
    assert circuit.seconds_for(0.5) == 0.5
    assert not circuit.is_open


@pytest.mark.parametrize("away", [PATIENCE_SECONDS, 60.0])
def test_an_outage_is_waited_for_by_nobody(circuit: DatabaseCircuit, watch: Watch, away: float) -> None:
    watch.away = away

    assert [is_refused(circuit) for _ in range(3)] == [True] * 3
    assert circuit.is_open


def test_when_mongodb_is_heard_again_all_are_let_through(circuit: DatabaseCircuit, watch: Watch) -> None:
    watch.away = 60.0
    circuit.failed(ServerSelectionTimeoutError("no server"))
    assert is_refused(circuit)

    watch.away = None

    assert circuit.seconds_for(8) == 8
    assert not circuit.is_open


def test_a_hurried_operation_gets_less_time_and_less_patience(circuit: DatabaseCircuit, watch: Watch) -> None:
    with within(1.5):
        assert 1.0 < circuit.seconds_for(8) <= 1.5
        watch.away = 1.0
        assert circuit.seconds_for(8) == 0.5
        watch.away = 1.5
        assert is_refused(circuit)
    assert circuit.seconds_for(8) == PATIENCE_SECONDS - 1.5


def test_haste_inside_haste_can_only_shorten(circuit: DatabaseCircuit) -> None:
    with within(1.0), within(5.0):
        assert circuit.seconds_for(8) <= 1.0
    with within(5.0), within(1.0):
        assert circuit.seconds_for(8) <= 1.0


def test_time_that_ran_out_elsewhere_is_not_blamed_on_a_database_that_is_there(circuit: DatabaseCircuit) -> None:
    with within(0.0):
        assert circuit.seconds_for(8) > 0


@pytest.mark.parametrize(
    "error", [ServerSelectionTimeoutError("no server"), AutoReconnect("refused"), ConfigurationError("DNS does not answer")]
)
def test_before_any_news_one_operation_a_second_is_the_probe(
    circuit: DatabaseCircuit, watch: Watch, clock: Clock, error: Exception
) -> None:
    # Given that no server could even be looked up
    watch.news = False
    circuit.failed(error)

    # Then nobody waits, but for one a second
    assert is_refused(circuit) and circuit.is_open
    clock.now = 1.0
    assert circuit.seconds_for(8) == 1.0
    assert is_refused(circuit)

    # Until one succeeds
    circuit.succeeded()
    assert circuit.seconds_for(8) == 8 and not circuit.is_open


def test_what_mongodb_itself_refuses_opens_nothing(circuit: DatabaseCircuit, watch: Watch) -> None:
    watch.news = False

    circuit.failed(OperationFailure("not authorised", 13))
    circuit.failed(None)

    assert circuit.seconds_for(8) == 8


@pytest.mark.parametrize(("heard", "suspicions"), [(True, 0), (False, 1)])
def test_an_operation_without_an_answer_makes_a_silent_server_suspicious_and_no_other(
    circuit: DatabaseCircuit, watch: Watch, heard: bool, suspicions: int
) -> None:
    watch.heard = heard

    circuit.failed(NetworkTimeout("no answer"))
    circuit.failed(AutoReconnect("connection closed"))

    assert watch.suspicions == suspicions


def shown(name: str, **labels: str) -> float:
    value = REGISTRY.get_sample_value(name, labels)
    assert value is not None
    return value


class GaugeOfThisThread:
    """Hears what this thread tells: clients that other tests have left connected tell of their own circuits."""

    def __init__(self) -> None:
        self._thread = threading.get_ident()
        self.value: float | None = None

    def set(self, value: float) -> None:
        if threading.get_ident() == self._thread:
            self.value = value


@pytest.fixture
def gauge(monkeypatch: pytest.MonkeyPatch) -> GaugeOfThisThread:
    gauge = GaugeOfThisThread()
    monkeypatch.setattr(metrics, "DATABASE_CIRCUIT", gauge)
    return gauge


def test_the_metrics_learn_from_heartbeats_whether_it_is_open(
    circuit: DatabaseCircuit, watch: Watch, gauge: GaugeOfThisThread
) -> None:
    seen = []
    for watch.away in (None, PATIENCE_SECONDS - 0.1, PATIENCE_SECONDS, None):
        watch.tell()
        seen.append(gauge.value)

    # An election is not an outage.
    assert seen == [0, 0, 1, 0]


def test_the_metrics_learn_from_operations_while_there_are_no_heartbeats(
    circuit: DatabaseCircuit, watch: Watch, gauge: GaugeOfThisThread
) -> None:
    watch.news = False

    circuit.failed(ConfigurationError("The DNS query name does not exist"))
    opened = gauge.value
    circuit.succeeded()

    assert (opened, gauge.value) == (1, 0)


def test_what_is_refused_is_counted(circuit: DatabaseCircuit, watch: Watch) -> None:
    refused = {"name": "projectapi_database_troubled_operations_total", "outcome": "refused"}
    before = shown(**refused)
    watch.away = 60.0

    assert [is_refused(circuit) for _ in range(3)] == [True] * 3

    assert shown(**refused) - before == 3
