"""What is simulated: a grid, who comes to it, and for how long they stay.

Time is in mean stays. Every rule meets the same cars at the same instants ("common random numbers"), so that two rules
differ by what they decide and by nothing else.
"""

import math
import random
from bisect import bisect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate
from typing import NamedTuple

WARM_UP = 10.0
"""Stays (of the class that stays longest) that are simulated before anything is counted: the grid is empty at first."""
SIGMA = 1.0
"""Of the logarithm of a lognormal stay: its standard deviation is 1.31 times its mean."""


class Stays(StrEnum):
    """How the lengths of the stays are distributed; their mean is the same."""

    EXPONENTIAL = "exponential"
    CONSTANT = "constant"
    LOGNORMAL = "lognormal"


@dataclass(frozen=True, slots=True)
class PowerClass:
    """Cars of one power; `stay` is their mean stay, in those of the time unit."""

    watts: int
    share: float
    stay: float = 1.0


class Car(NamedTuple):
    """One arrival. `kind` is the index of its power class."""

    at: float
    kind: int
    watts: int
    stay: float


@dataclass(frozen=True)
class Scenario:
    """`load` is what is offered ÷ what all limits (W) carry. `arrivals` are counted; those of the warm-up are not."""

    limits: tuple[int, ...]
    classes: tuple[PowerClass, ...]
    load: float
    stays: Stays
    arrivals: int
    seed: int

    @property
    def rate(self) -> float:
        """Arrivals in a mean stay."""
        return self.load * sum(self.limits) / self.watts_per_arrival

    @property
    def watts_per_arrival(self) -> float:
        """What an arrival draws on average, for one mean stay."""
        return sum(each.share * each.watts * each.stay for each in self.classes) / sum(self.shares)

    @property
    def shares(self) -> Sequence[float]:
        return [each.share for each in self.classes]

    @property
    def erlangs(self) -> list[float]:
        """Of each class: how many would charge at once if nobody was refused."""
        rate = self.rate / sum(self.shares)
        return [rate * each.share * each.stay for each in self.classes]

    @property
    def longest_stay(self) -> float:
        """The mean stay of the class that stays longest."""
        return max(each.stay for each in self.classes)

    @property
    def warm_up(self) -> float:
        """What comes earlier is not counted."""
        return WARM_UP * self.longest_stay

    @property
    def all_arrivals(self) -> int:
        """With those of the warm-up, on average."""
        return self.arrivals + round(self.warm_up * self.rate)

    def cars(self) -> Iterator[Car]:
        """Poisson arrivals, until enough are counted. Only `random()` is drawn from, the same in every Python."""
        uniform = random.Random(self.seed).random
        stay = _STAYS[self.stays]
        bounds = list(accumulate(self.shares))
        last, total, rate = len(bounds) - 1, bounds[-1], self.rate
        at, counted, warm_up = 0.0, 0, self.warm_up
        while counted < self.arrivals:
            at += _exponential(uniform) / rate
            counted += at >= warm_up
            kind = min(bisect(bounds, uniform() * total), last)
            its_class = self.classes[kind]
            yield Car(at, kind, its_class.watts, its_class.stay * stay(uniform))


def _exponential(uniform: Callable[[], float]) -> float:
    return -math.log(1.0 - uniform())


def _constant(uniform: Callable[[], float]) -> float:
    return 1.0


def _lognormal(uniform: Callable[[], float]) -> float:
    """By Box and Muller (1958)."""
    normal = math.sqrt(2 * _exponential(uniform)) * math.cos(2 * math.pi * uniform())
    return math.exp(SIGMA * normal - SIGMA**2 / 2)


_STAYS = {Stays.EXPONENTIAL: _exponential, Stays.CONSTANT: _constant, Stays.LOGNORMAL: _lognormal}
