"""What the arms are judged by: ratios of two arms in the same round, the median of the rounds, and their range."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from loadtest.bench.turn import Turn

Turns = Mapping[str, Sequence[Turn]]
"""By arm, a turn for each round."""


class Spread(NamedTuple):
    median: float
    least: float
    most: float


def spread(values: Sequence[float]) -> Spread:
    return Spread(statistics.median(values), min(values), max(values))


def cpu_us(turn: Turn) -> float:
    """Per car, of every process."""
    return sum(turn.cpu_us.values())


def cpu_us_at_half(turn: Turn) -> float:
    return sum(turn.cpu_us_at_half.values())


def cars_per_cpu_s(turn: Turn) -> float:
    return 1e6 / cpu_us(turn)


@dataclass(frozen=True)
class Target:
    """`of` one arm ÷ that of another is to be at most, or at least, `bound`."""

    what: str
    of: Callable[[Turn], float]
    arm: str
    by: str
    at_most: bool
    bound: float

    def ratio(self, turns: Turns) -> Spread:
        pairs = zip(turns[self.arm], turns[self.by], strict=True)
        return spread([self.of(one) / self.of(other) for one, other in pairs])

    def is_met(self, turns: Turns) -> bool:
        ratio = self.ratio(turns).median
        return ratio <= self.bound if self.at_most else ratio >= self.bound


TARGETS = (
    Target("CPU per car", cpu_us, "grid", "floor", True, 1.20),
    Target("CPU per car at half rate", cpu_us_at_half, "grid", "floor", True, 1.20),
    Target("p99 at half rate", lambda turn: turn.p99_ms, "grid", "floor", True, 1.25),
    Target("cars per second", lambda turn: turn.cars_per_s, "grid", "polling", False, 3.0),
    Target("CPU per car", cpu_us, "grid", "polling", True, 0.40),
    Target("cars per CPU second", cars_per_cpu_s, "batch", "grid", False, 15.0),
    Target("cars per CPU second", cars_per_cpu_s, "batch", "alone", False, 15.0),
)
