"""Which faults come when. It depends on the seed only, so that a run can be repeated."""

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

GAP_S = (0.5, 2.5)
PHASE_S = (15.0, 25.0)
QUIET_S = 5.0
"""About what a quiet moment takes: the faults of the phase end, everybody recovers, the ledger forgets."""
START_S = 3.0
"""About what a restarted process takes."""


class Kind(StrEnum):
    KILL_BALANCER = "kill balancer"
    HANG_BALANCER = "hang balancer"
    STOP_BALANCER = "SIGTERM balancer"
    KILL_SUBSTATION = "kill substation"
    HANG_SUBSTATION = "hang substation"
    KILL_REDIS = "kill Redis"
    HANG_REDIS = "hang Redis"
    REDIS_LINK_DELAYED = "Redis link delayed"
    REDIS_LINK_CUT = "Redis link cut"
    REDIS_LINK_SWALLOWS = "Redis link swallows replies"
    REDIS_LINK_HOLDS_REQUESTS = "Redis link holds requests"
    REDIS_LINK_HOLDS_REPLIES = "Redis link holds replies"
    SUBSTATION_LINK_DELAYED = "substation link delayed"
    SUBSTATION_LINK_CUT = "substation link cut"
    SUBSTATION_LINK_SWALLOWS = "substation link swallows replies"
    SUBSTATION_LINK_HOLDS_REQUESTS = "substation link holds requests"
    SUBSTATION_LINK_HOLDS_REPLIES = "substation link holds replies"
    WIPE = "wipe Redis"
    ROLL_BACK = "roll back Redis"


_LASTS_S = {
    Kind.KILL_BALANCER: (0.0, 3.0),
    Kind.HANG_BALANCER: (1.0, 4.0),
    Kind.STOP_BALANCER: (0.0, 3.0),
    Kind.KILL_SUBSTATION: (0.0, 8.0),
    Kind.HANG_SUBSTATION: (1.0, 6.0),
    Kind.KILL_REDIS: (0.3, 2.0),
    Kind.HANG_REDIS: (0.5, 2.0),
}
_LINK_LASTS_S = (1.0, 4.0)
_DELAY_S = (0.05, 1.0)
_IMAGE_AGE_S = (1.0, 10.0)
_FORGETTING = (Kind.WIPE, Kind.ROLL_BACK)


@dataclass(frozen=True, slots=True)
class Fault:
    """`at` is s from the start of its phase; `delay_s` is for links that are delayed."""

    at: float
    kind: Kind
    part: str
    lasts_s: float
    delay_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Forgetting:
    """At a quiet moment the ledger loses everything, or what is newer than an image of at least this age."""

    kind: Kind
    image_age_s: float


@dataclass(frozen=True, slots=True)
class Phase:
    """Faults that overlap as they like; then, with all of them over, the ledger forgets."""

    faults: Sequence[Fault]
    forgetting: Forgetting


def plan(seed: int, duration_s: float, balancers: Sequence[str], substations: Sequence[str]) -> list[Phase]:
    """Phases that fill about `duration_s`."""
    chance = random.Random(seed)
    phases: list[Phase] = []
    remaining = duration_s
    while not phases or remaining > PHASE_S[0]:
        length = min(chance.uniform(*PHASE_S), max(remaining - QUIET_S, GAP_S[1]))
        faults = list(_faults(chance, length, balancers, substations))
        forgetting = Forgetting(chance.choice(_FORGETTING), chance.uniform(*_IMAGE_AGE_S))
        phases.append(Phase(faults, forgetting))
        remaining -= length + QUIET_S
    return phases


def _faults(
    chance: random.Random, length_s: float, balancers: Sequence[str], substations: Sequence[str]
) -> Iterator[Fault]:
    """One after the other; no part has a second one while it has, or recovers from, the first."""
    busy_until: dict[str, float] = defaultdict(float)
    kinds = [kind for kind in Kind if kind not in _FORGETTING]
    at = chance.uniform(*GAP_S)
    while at < length_s:
        kind = chance.choice(kinds)
        parts = [part for part in _parts(kind, balancers, substations) if busy_until[part] <= at]
        if not parts:
            at += GAP_S[0]
            continue
        fault = Fault(
            at=round(at, 2),
            kind=kind,
            part=chance.choice(parts),
            lasts_s=round(chance.uniform(*_LASTS_S.get(kind, _LINK_LASTS_S)), 2),
            delay_s=round(chance.uniform(*_DELAY_S), 2) if kind.endswith("delayed") else 0.0,
        )
        yield fault
        busy_until[fault.part] = at + fault.lasts_s + START_S
        at += chance.uniform(*GAP_S)


def _parts(kind: Kind, balancers: Sequence[str], substations: Sequence[str]) -> list[str]:
    """Whom a fault of this kind can befall."""
    if kind in (Kind.KILL_REDIS, Kind.HANG_REDIS):
        return ["redis"]
    if kind.startswith("Redis link"):
        return [*balancers, *substations]
    return list(substations if "substation" in kind else balancers)
