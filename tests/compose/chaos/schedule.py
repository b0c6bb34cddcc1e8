"""Which container suffers what, when, and for how long: all of it follows from the seed."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import takewhile

REPLICAS = {"balancer": 3, "substation": 3, "redis": 1}
NEVER_ALL = ("balancer", "substation")
"""Of these, one is untouched at any moment."""
BETWEEN_S = (1.0, 2.4)
"""Every other fault is a kill: there is one at least every 5 s."""
SETTLE_S = 2.0
"""A container counts as touched for so long after it was healed: it must start before it is of use."""


class Kind(StrEnum):
    KILL = "kill"
    PAUSE = "pause"
    DISCONNECT = "disconnect"


FOR_S = {Kind.KILL: (0.3, 3.0), Kind.PAUSE: (0.5, 5.0), Kind.DISCONNECT: (0.5, 5.0)}


@dataclass(frozen=True, slots=True)
class Fault:
    """`container` is a service and its number: `balancer-2`. Seconds since the chaos began."""

    kind: Kind
    container: str
    at: float
    for_s: float


def schedule(seed: int, duration_s: float) -> list[Fault]:
    """The faults that begin within the duration; a longer one begins with the same."""
    return list(takewhile(lambda fault: fault.at < duration_s, _faults(random.Random(seed))))


def service_of(container: str) -> str:
    return container.rpartition("-")[0]


def _faults(chance: random.Random) -> Iterator[Fault]:
    at = 0.0
    touched_until: dict[str, float] = {}
    kind = Kind.PAUSE
    while True:
        at += chance.uniform(*BETWEEN_S)
        while not (candidates := _candidates({name for name, until in touched_until.items() if until > at})):
            at = min(until for until in touched_until.values() if until > at)
        container = chance.choice(candidates[chance.choice(sorted(candidates))])
        kind = chance.choice((Kind.PAUSE, Kind.DISCONNECT)) if kind is Kind.KILL else Kind.KILL
        for_s = chance.uniform(*FOR_S[kind])
        touched_until[container] = at + for_s + SETTLE_S
        yield Fault(kind, container, at, for_s)


def _candidates(touched: set[str]) -> dict[str, list[str]]:
    """By service: the containers that may suffer now."""
    untouched = {
        service: [name for name in (f"{service}-{i}" for i in range(1, replicas + 1)) if name not in touched]
        for service, replicas in REPLICAS.items()
    }
    return {service: names for service, names in untouched.items() if len(names) > (service in NEVER_ALL)}
