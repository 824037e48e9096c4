"""Measuring candidates side by side: A B C A B C …, because the machine is busy with other things too."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from statistics import median

from bench.load import Load, LoadFailed, Outcome, run
from bench.processes import Running

# Every request of a run gets a number of its own, so that no save is ever equal to an earlier one.
_numbers = count(100_000_001, 10_000)


@dataclass(frozen=True)
class Batches:
    """How much is measured: so many rounds of at most `count` requests and `seconds` each."""

    rounds: int = 3
    count: int = 300
    seconds: float = 1.0


@dataclass(frozen=True)
class Task:
    """What one candidate is to do: requests, in turn, and the status that each must be answered with."""

    application: Running
    requests: Sequence[bytes]
    status: int = 200


@dataclass(frozen=True)
class Figures:
    """Medians over the rounds: milliseconds, requests per second with 8 connections, and the spread of the CPU in per cent."""

    cpu_ms: float
    p50_ms: float
    p99_ms: float
    per_second: float | None
    spread: float


@dataclass(frozen=True)
class _Round:
    cpu_ms: float
    p50_ms: float
    p99_ms: float
    per_second: float | None


def side_by_side(
    tasks: Mapping[str, Task], batches: Batches, *, before_each: Callable[[], object] | None = None, once: bool = False
) -> dict[str, Figures]:
    """Measure the tasks in turns and return the figures of each.

    With `once` every request is sent once a round, on one connection: for what is not the same the second time.
    `before_each` puts things in order for a batch. Who fails is left out from then on; standard error says why.
    """
    rounds: dict[str, list[_Round]] = {name: [] for name in tasks}
    for _ in range(batches.rounds):
        for name, measured in list(rounds.items()):
            try:
                if not measured:
                    _send(tasks[name], Batches(count=10), 1)
                if before_each:
                    before_each()
                measured.append(_measure(tasks[name], batches, once))
            except LoadFailed as error:
                print(f"{name} failed: {error}; its log: {tasks[name].application.log_tail()}", file=sys.stderr)
                del rounds[name]
    return {name: _summary(measured) for name, measured in rounds.items()}


def _measure(task: Task, batches: Batches, once: bool) -> _Round:
    if once:
        batches = Batches(count=len(task.requests), seconds=60.0)
    before = task.application.cpu_seconds()
    alone = _send(task, batches, 1)
    cpu = task.application.cpu_seconds() - before
    per_second = None
    if not once:
        together = _send(task, batches, 8)
        per_second = together.answers / together.seconds
    times = alone.latencies
    p99 = times[min(len(times) - 1, round(len(times) * 0.99))]
    return _Round(cpu / alone.answers * 1000, median(times) * 1000, p99 * 1000, per_second)


def _send(task: Task, batches: Batches, connections: int) -> Outcome:
    load = Load(
        port=task.application.port,
        requests=task.requests,
        expected_status=task.status,
        connections=connections,
        count=batches.count,
        seconds=batches.seconds,
        first_number=next(_numbers),
    )
    return run(load)


def _summary(rounds: Sequence[_Round]) -> Figures:
    cpu = [one.cpu_ms for one in rounds]
    rates = [one.per_second for one in rounds if one.per_second is not None]
    return Figures(
        cpu_ms=median(cpu),
        p50_ms=median(one.p50_ms for one in rounds),
        p99_ms=median(one.p99_ms for one in rounds),
        per_second=median(rates) if rates else None,
        spread=(max(cpu) - min(cpu)) / median(cpu) * 100,
    )
