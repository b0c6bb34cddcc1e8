"""When cars come: the shape of a day, or of a test, as rates; and the instants drawn from it.

The process is open: nobody waits for the answer to another one's request before asking.
"""

import itertools
import math
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from loadtest.cars import Car, mean_party, mean_power_kw, some_car, some_party

DAY_S = 86_400.0
FIRST_BURST_S = 1.0
BURST_EVERY_S = 5.0

# The share of a day's arrivals in each hour, from 00 h to 23 h: at home, at work, in public.
# Source: ElaadNL's open distributions of charging sessions (private, workplace, public).
# fmt: off
DAYS: dict[str, tuple[float, ...]] = {
    "rush-hour": (
        0.0213, 0.0053, 0.0021, 0.0012, 0.0011, 0.0008, 0.0017, 0.0057, 0.0138, 0.0113, 0.0113, 0.0154,
        0.0218, 0.0223, 0.0268, 0.0365, 0.0568, 0.1215, 0.1702, 0.1154, 0.0910, 0.0893, 0.0912, 0.0662,
    ),
    "workplace": (
        0.0003, 0.0000, 0.0000, 0.0001, 0.0013, 0.0143, 0.0433, 0.1426, 0.2666, 0.1807, 0.0773, 0.0494,
        0.0540, 0.0528, 0.0399, 0.0304, 0.0204, 0.0102, 0.0058, 0.0050, 0.0030, 0.0014, 0.0008, 0.0004,
    ),
    "public": (
        0.0098, 0.0045, 0.0024, 0.0016, 0.0016, 0.0022, 0.0073, 0.0323, 0.0786, 0.0772, 0.0511, 0.0466,
        0.0535, 0.0535, 0.0502, 0.0512, 0.0566, 0.0834, 0.1091, 0.0806, 0.0505, 0.0396, 0.0337, 0.0228,
    ),
}
# fmt: on
SHAPES = (*DAYS, "burst", "steady", "trace")


@dataclass(frozen=True, slots=True)
class Due:
    """A call that must be made `at_s` real seconds after the start: for one car, or for a fleet.

    `zone` is empty until one is drawn for it.
    """

    at_s: float
    cars: tuple[Car, ...]
    zone: str = ""


@dataclass(frozen=True, slots=True)
class Rate:
    """So many cars a second on average, for so many real seconds."""

    for_s: float
    cars_per_s: float


def day(shape: str, duration_s: float, peak_cars_per_s: float) -> list[Rate]:
    """24 hours in `duration_s`; in the busiest of them `peak_cars_per_s` come."""
    shares = DAYS[shape]
    return [Rate(duration_s / 24, peak_cars_per_s * share / max(shares)) for share in shares]


def steady(duration_s: float, cars_per_s: float) -> list[Rate]:
    return [Rate(duration_s, cars_per_s)]


def poisson(rates: Iterable[Rate], rng: random.Random) -> Iterator[float]:
    """The instants of a Poisson process with these rates, one after the other.

    A gap that outlasts its rate is drawn again under the next: a Poisson process has no memory, so that is exact.
    """
    began = 0.0
    for rate in rates:
        at = began
        ends = began + rate.for_s
        while rate.cars_per_s > 0 and (at := at + rng.expovariate(rate.cars_per_s)) < ends:
            yield at
        began = ends


def parties(rates: Iterable[Rate], fleets: float, rng: random.Random) -> Iterator[Due]:
    """Cars at these rates, alone or in fleets: a fleet is one arrival."""
    size = mean_party(fleets)
    for at in poisson((Rate(rate.for_s, rate.cars_per_s / size) for rate in rates), rng):
        yield Due(at, some_party(rng, fleets))


def bursts(duration_s: float, cars: int, rng: random.Random) -> Iterator[Due]:
    """So many at the same instant, every few seconds, each with a call of its own."""
    for number in itertools.count():
        at = FIRST_BURST_S + number * BURST_EVERY_S
        if at >= duration_s:
            return
        yield from (Due(at, (some_car(rng),)) for _ in range(cars))


def burst_size(load: float, limit_kw: float) -> int:
    """Cars that together draw `load` times the power of the grid."""
    return max(1, math.ceil(load * limit_kw / mean_power_kw()))
