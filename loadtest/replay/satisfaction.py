"""What drivers got of what they asked for, in figures."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from grid.metrics import POWER_CLASSES, power_class
from loadtest.trace import Visit
from loadtest.verdict import jain, percentile

WAITED = (0.50, 0.95)


class Outcome(StrEnum):
    """How a visit ended."""

    MET = "met"
    PART = "part"
    """It had some of its energy when it left."""
    NOTHING = "nothing"
    """It waited until it left."""
    REFUSED = "refused"
    TOO_BIG = "too-big"
    """No substation could ever carry it."""


@dataclass(frozen=True, slots=True)
class Served:
    """One visit. W, Wh and s; `waited_s` until it began, or until it left if it never did; 0 if it was turned away."""

    visit: Visit
    watts: int
    asked_wh: int
    delivered_wh: int
    waited_s: float
    substation: str
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Carried:
    """A substation by its own account: W and s."""

    substation: str
    limit: int
    peak: int
    overload_s: float


@dataclass(frozen=True)
class Satisfaction:
    """`energy` delivered and `fits` are shares of the energy asked for: none could deliver more than fits the stays at
    the powers of the cars. Of the sessions, `met` got all of their energy and `unserved` got none. `waited_s` has the
    p50, the p95 and the longest by power class. `jain` is Jain's index of delivered ÷ asked over the sessions.
    `peak` is the highest peak ÷ limit of a substation.
    """

    sessions: int
    energy: float
    fits: float
    met: float
    unserved: float
    waited_s: dict[str, tuple[float, float, float]]
    jain: float
    peak: float
    overload_s: float

    @property
    def kept(self) -> bool:
        """No substation was ever above its limit."""
        return self.peak <= 1 and self.overload_s == 0


def judge(served: Sequence[Served], carried: Sequence[Carried]) -> Satisfaction:
    waited: defaultdict[str, list[float]] = defaultdict(list)
    for each in served:
        waited[power_class(each.watts)].append(each.waited_s)
    asked_wh = sum(each.asked_wh for each in served)
    return Satisfaction(
        sessions=len(served),
        energy=sum(each.delivered_wh for each in served) / asked_wh,
        fits=sum(_fits_wh(each) for each in served) / asked_wh,
        met=sum(each.outcome is Outcome.MET for each in served) / len(served),
        unserved=sum(each.delivered_wh == 0 for each in served) / len(served),
        waited_s={name: _spread(waited[name]) for name in POWER_CLASSES if name in waited},
        jain=jain([each.delivered_wh / each.asked_wh for each in served]),
        peak=max(each.peak / each.limit for each in carried),
        overload_s=sum(each.overload_s for each in carried),
    )


def _fits_wh(served: Served) -> float:
    stay_s = served.visit.car.stay_s
    return served.asked_wh if stay_s is None else min(served.asked_wh, served.watts * stay_s / 3600)


def _spread(waited_s: Sequence[float]) -> tuple[float, float, float]:
    p50, p95 = (percentile(waited_s, share) for share in WAITED)
    return p50, p95, max(waited_s)
