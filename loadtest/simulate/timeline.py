"""What happens, in the order of time.

Nobody waits and everybody's stay is drawn when they come, so this order depends on no decision: it is the same for
every rule, and many events may be given to a rule at once.
"""

import heapq
from collections.abc import Iterator
from enum import IntEnum
from math import inf
from typing import NamedTuple

from loadtest.simulate.scenario import Car, Scenario

CHUNK = 256
"""Events that are given to a rule at once: most of what a message costs is shared, and memory stays small."""


class What(IntEnum):
    """At the same instant, in this order."""

    LEAVES = 0
    TICK = 1
    ASKS = 2


class Event(NamedTuple):
    """`number` says whose; `kind` is the index of its power class. A tick is nobody's."""

    at: float
    what: What
    number: int = 0
    kind: int = 0
    watts: int = 0


def chunks(scenario: Scenario, period: float = inf) -> Iterator[list[Event]]:
    """The events of a scenario, and a tick at the end of each period (in mean stays)."""
    chunk: list[Event] = []
    for event in _timeline(scenario.cars(), period):
        chunk.append(event)
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    yield chunk


def _timeline(cars: Iterator[Car], period: float) -> Iterator[Event]:
    """Whoever was refused leaves, too: it makes no difference to anybody."""
    leaving: list[tuple[float, int]] = []
    ticks, tick = 1, period
    for number, car in enumerate(cars):
        while (leaves := leaving[0][0] if leaving else inf) <= car.at or tick <= car.at:
            if leaves <= tick:
                yield Event(leaves, What.LEAVES, heapq.heappop(leaving)[1])
            else:
                yield Event(tick, What.TICK)
                ticks += 1
                tick = ticks * period
        yield Event(car.at, What.ASKS, number, car.kind, car.watts)
        heapq.heappush(leaving, (car.at + car.stay, number))
