"""A collection in which things go wrong: somebody else writes in between, answers get lost, writes arrive late."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

from pymongo.collection import Collection
from pymongo.errors import AutoReconnect

Call = Callable[[], Any]
Trouble = Callable[[Call], Any]


class MeddlingCollection:
    """Passes every call on, through the troubles that a test has planned for the next calls of a method."""

    def __init__(self, collection: Collection[dict[str, Any]]) -> None:
        self._collection = collection
        self._planned: dict[str, list[Trouble]] = defaultdict(list)
        self.calls: dict[str, int] = defaultdict(int)

    def plan(self, method: str, *troubles: Trouble) -> None:
        """Let the next calls of `method` run into these troubles, one each; calls after that are quiet again."""
        self._planned[method] += troubles

    def calm_down(self) -> None:
        """Forget all troubles that have not come about."""
        self._planned.clear()

    def __getattr__(self, method: str) -> Any:
        real = getattr(self._collection, method)
        if not callable(real):
            return real

        def call(*arguments: Any, **options: Any) -> Any:
            self.calls[method] += 1
            planned = self._planned[method]
            trouble = planned.pop(0) if planned else undisturbed
            return trouble(lambda: real(*arguments, **options))

        return call


def undisturbed(call: Call) -> Any:
    """Let the call be, where only a later one is to be troubled."""
    return call()


def first(meddle: Callable[[], Any]) -> Trouble:
    """Let `meddle` happen just before the call, after everything that the caller has read."""

    def trouble(call: Call) -> Any:
        meddle()
        return call()

    return trouble


def then(meddle: Callable[[], Any]) -> Trouble:
    """Let `meddle` happen just after the call, before the caller does anything with what it got."""

    def trouble(call: Call) -> Any:
        result = call()
        meddle()
        return result

    return trouble


def not_sent(call: Call) -> Any:
    """Drop the connection before the call reaches the database."""
    raise AutoReconnect("connection closed")


def answer_lost(call: Call) -> Any:
    """Drop the connection after the call has taken effect."""
    call()
    raise AutoReconnect("connection closed")


def answer_lost_and(meddle: Callable[[], Any]) -> Trouble:
    """Drop the connection after the call has taken effect, and let `meddle` happen before the caller goes on."""

    def trouble(call: Call) -> Any:
        call()
        meddle()
        raise AutoReconnect("connection closed")

    return trouble


class Delay:
    """Holds a call back: the caller's connection drops, and the call takes effect when `arrive` is called."""

    def __init__(self) -> None:
        self._held: list[Call] = []

    def hold(self, call: Call) -> Any:
        """Take the call and drop the connection."""
        self._held.append(call)
        raise AutoReconnect("connection closed")

    def arrive(self) -> None:
        """Let what was held back take effect, if the database lets it."""
        while self._held:
            try:
                self._held.pop()()
            except Exception as error:
                # Its sender has gone: whatever the database says, nobody hears it.
                self.refusal = error
