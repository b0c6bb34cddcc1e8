"""How evenly the substations of each zone were loaded."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from loadtest.samples import Load, Sample, used

SATURATED = 0.9


@dataclass(frozen=True)
class Balance:
    """Of one zone, over the moments when anything was loaded there; None if there was no such moment.

    `jain` is the mean of Jain's index of the substations' loads, `jain_saturated` that of the moments when nine tenths
    of the zone were in use. It is high by then whatever the balancers do, so `spread_saturated` is beside it: the
    largest load less the smallest.
    """

    zone: str
    jain: float | None
    jain_saturated: float | None
    spread_saturated: float | None

    def said(self, whole: str) -> str:
        """The index near saturation, else over all; empty if there is none. `whole` is what the zone is called."""
        if self.jain_saturated is not None:
            saturated = f"while at least {SATURATED * 100:.0f} % of {whole} was in use"
            return f"{self.jain_saturated} {saturated} (loads then at most {self.spread_saturated:.1%} apart)"
        return "" if self.jain is None else f"{self.jain} (1 = all substations equally loaded)"


def balances(samples: Sequence[Sample]) -> list[Balance]:
    """One for each zone that was seen."""
    zones: defaultdict[str, list[list[Load]]] = defaultdict(list)
    for sample in samples:
        for zone, loads in sample.by_zone.items():
            zones[zone].append(loads)
    return [_balance(zone, zones[zone]) for zone in sorted(zones)]


def _balance(zone: str, moments: Sequence[Sequence[Load]]) -> Balance:
    saturated = [_shares(loads) for loads in moments if (used(loads) or 0) >= SATURATED]
    return Balance(
        zone,
        jain=mean_jain([_shares(loads) for loads in moments]),
        jain_saturated=mean_jain(saturated),
        spread_saturated=max((round(max(shares) - min(shares), 4) for shares in saturated), default=None),
    )


def _shares(loads: Sequence[Load]) -> list[float]:
    return [load.share for load in loads]


def in_words(balance: Sequence[Balance]) -> str:
    """Empty if nothing was loaded."""
    if len(balance) == 1:
        return balance[0].said("the grid")
    return "; ".join(f"{each.zone} {said}" for each in balance if (said := each.said("it")))


def jain(values: Sequence[float]) -> float:
    """Jain's index of fairness, (Σx)² ÷ (n·Σx²): 1 if all are equal, 1/n if one has everything.

    1 for no values or only zeros. Source: Jain, Chiu, Hawe (1984), DEC-TR-301.
    """
    squares = sum(value * value for value in values)
    return sum(values) ** 2 / (len(values) * squares) if squares else 1.0


def mean_jain(samples: Sequence[Sequence[float]]) -> float | None:
    """The mean index of the samples in which anything was loaded, if there are any."""
    busy = [jain(sample) for sample in samples if any(sample)]
    return round(sum(busy) / len(busy), 4) if busy else None
