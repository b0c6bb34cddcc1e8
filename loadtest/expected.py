"""How much power would be committed if everyone who asks could charge at once: what a load is measured by."""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from loadtest.cars import CARS, SHARES, Car
from loadtest.shapes import BURST_EVERY_S, FIRST_BURST_S, Rate

AT_ONCE_S = 1e-3


class Coming(NamedTuple):
    """Cars of one kind that come evenly between two instants: so many a second. Real seconds."""

    begins_s: float
    ends_s: float
    cars_per_s: float
    car: Car


def peak_kw(coming: Iterable[Coming], time_scale: float, until_s: float) -> float:
    """The most power that is expected to be committed at any instant up to then, if nobody had to wait.

    Exact: while cars come, committed power rises in a straight line, and a session's length later it falls in one.
    """
    bends: defaultdict[float, float] = defaultdict(float)
    for begins_s, ends_s, cars_per_s, car in coming:
        kw_per_s = cars_per_s * car.power_kw
        held_s = car.session_s / time_scale
        for at, change in ((begins_s, 1), (ends_s, -1), (begins_s + held_s, -1), (ends_s + held_s, 1)):
            bends[at] += change * kw_per_s
    peak = committed = slope = earlier = 0.0
    for at in sorted(at for at in bends if at < math.inf):
        committed += slope * (min(at, until_s) - earlier)
        peak = max(peak, committed)
        if at >= until_s:
            break
        slope += bends[at]
        earlier = at
    return peak


def of_rates(rates: Iterable[Rate]) -> Iterator[Coming]:
    began = 0.0
    for rate in rates:
        for car, share in zip(CARS, SHARES, strict=True):
            yield Coming(began, began + rate.for_s, rate.cars_per_s * share, car)
        began += rate.for_s


def of_bursts(cars: int, lasts_s: float, time_scale: float) -> Iterator[Coming]:
    """As many as can add up: the later ones come when the first have gone."""
    until_s = min(lasts_s, FIRST_BURST_S + BURST_EVERY_S + max(car.session_s for car in CARS) / time_scale)
    at = FIRST_BURST_S
    while at < until_s:
        for car, share in zip(CARS, SHARES, strict=True):
            yield Coming(at, at + AT_ONCE_S, cars * share / AT_ONCE_S, car)
        at += BURST_EVERY_S


def peak_rate(load: float, limit_kw: float, one_a_second: Iterable[Rate], time_scale: float, lasts_s: float) -> float:
    """Cars a second in the busiest hour for a peak of `load` times the limit. `one_a_second`: the shape, if it is 1."""
    return load * limit_kw / peak_kw(of_rates(one_a_second), time_scale, lasts_s)
