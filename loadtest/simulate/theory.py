"""What is known about such grids without simulating them. All powers in W, times in mean stays."""

import math
from array import array
from collections.abc import Sequence
from functools import cache

from loadtest.simulate.scenario import Scenario

HUGE = 1e250
"""Probabilities are scaled when they are summed up to this: a float ends at 1e308."""


@cache
def pooled(scenario: Scenario) -> tuple[float, ...]:
    """Acceptance of each class if all limits were those of one substation."""
    watts = [each.watts for each in scenario.classes]
    return tuple(1 - refused for refused in kaufman_roberts(sum(scenario.limits), watts, scenario.erlangs))


def carried(scenario: Scenario, acceptance: Sequence[float]) -> float:
    """The share of the offered kW (each for its stay) that is carried if the classes are accepted so."""
    weights = [each.share * each.watts * each.stay for each in scenario.classes]
    return sum(weight * share for weight, share in zip(weights, acceptance, strict=True)) / sum(weights)


def kaufman_roberts(limit: int, watts: Sequence[int], erlangs: Sequence[float]) -> list[float]:
    """The share of each class that is refused where everybody is accepted who fits.

    With q(j) the probability that j units are in use, j·q(j) = Σ a·b·q(j - b) over the classes of a erlangs whose cars
    need b units (Kaufman 1981; Roberts 1981). The stays may have any distribution.
    O(classes) for each unit of the limit, and no more memory than the largest class that fits needs.
    """
    unit = math.gcd(*watts)
    units = limit // unit
    sizes = [each // unit for each in watts]
    flows = [(size, a * size) for size, a in zip(sizes, erlangs, strict=True) if size <= units]
    reach = max((size for size, _ in flows), default=1)
    # q(j - b) is q[-b] while j is looked for. Below state 0 there is nothing.
    q = array("d", bytes(8 * (reach - 1)))
    q.append(1.0)
    total = 1.0
    for used in range(1, units + 1):
        value = 0.0
        for size, flow in flows:
            value += flow * q[-size]
        value /= used
        q.append(value)
        total += value
        if len(q) > 2 * reach:
            del q[:-reach]
        if total > HUGE:
            q = array("d", [each / total for each in q])
            total = 1.0
    return [sum(q[-size:]) / total if size <= units else 1.0 for size in sizes]


def erlang_b(servers: int, erlangs: float) -> float:
    """The share that is refused by so many servers (Erlang 1917), from one server to the next."""
    refused = 1.0
    for server in range(1, servers + 1):
        refused = erlangs * refused / (server + erlangs * refused)
    return refused


def one_size(scenario: Scenario) -> float | None:
    """Acceptance by Erlang's formula, if everybody needs the same power: a substation is so many places."""
    if len(scenario.classes) != 1:
        return None
    places = sum(limit // scenario.classes[0].watts for limit in scenario.limits)
    return 1 - erlang_b(places, scenario.erlangs[0])


def fluid_bound(load: float) -> float:
    """The largest share of the offered kW that any rule can carry."""
    return min(1.0, 1 / load)


def herd(substations: int, period: float) -> float:
    """Peak ÷ mean load of equal substations if everybody goes to the one that was the least loaded at the last poll.

    In the fluid limit they take turns: one fills for a period (in mean stays) and empties for all the others.
    """
    return substations * math.expm1(-period) / math.expm1(-substations * period)


def herd_of(scenario: Scenario, period: float) -> float | None:
    """The same for a scenario; None if its limits differ."""
    equal = len(set(scenario.limits)) == 1
    return herd(len(scenario.limits), period) if equal else None
