"""What drivers got of what they asked for, in figures."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from grid.metrics import POWER_CLASSES, power_class
from loadtest.balance import jain
from loadtest.percentiles import percentile
from loadtest.trace import Visit

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

    @property
    def turned_away(self) -> bool:
        """It neither waited nor began."""
        return self in (Outcome.REFUSED, Outcome.TOO_BIG)


@dataclass(frozen=True, slots=True)
class Served:
    """One visit, with all its attempts. W, Wh and s; `waited_s` until the first began, or until it left if none did; 0
    if it was turned away. `interruptions`: how often it was stopped for a more urgent one.
    """

    visit: Visit
    watts: int
    asked_wh: int
    delivered_wh: int
    waited_s: float
    substation: str
    outcome: Outcome
    interruptions: int


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
    the powers of the cars. Of the sessions, `met` got all of their energy and `unserved` got none; `too_big` counts
    those that no substation could ever carry. `waited_s` has the p50, the p95 and the longest by power class, of those
    who were not turned away; None if all were. `jain` is Jain's index of delivered ÷ asked over the sessions; None if
    nobody got anything. `interruptions` are per session, `most_interruptions` is the largest number of one session.
    `peak` is the highest peak ÷ limit of a substation.
    """

    sessions: int
    energy: float
    fits: float
    met: float
    unserved: float
    too_big: int
    waited_s: dict[str, tuple[float, float, float] | None]
    jain: float | None
    interruptions: float
    most_interruptions: int
    peak: float
    overload_s: float

    @property
    def kept(self) -> bool:
        """No substation was ever above its limit."""
        return self.peak <= 1 and self.overload_s == 0


def judge(served: Sequence[Served], carried: Sequence[Carried]) -> Satisfaction:
    of_class: defaultdict[str, list[Served]] = defaultdict(list)
    for each in served:
        of_class[power_class(each.watts)].append(each)
    asked_wh = sum(each.asked_wh for each in served)
    got = [each.delivered_wh / each.asked_wh for each in served]
    return Satisfaction(
        sessions=len(served),
        energy=sum(each.delivered_wh for each in served) / asked_wh,
        fits=sum(_fits_wh(each) for each in served) / asked_wh,
        met=sum(each.outcome is Outcome.MET for each in served) / len(served),
        unserved=sum(each.delivered_wh == 0 for each in served) / len(served),
        too_big=sum(each.outcome is Outcome.TOO_BIG for each in served),
        waited_s={name: _waited_s(of_class[name]) for name in POWER_CLASSES if name in of_class},
        jain=jain(got) if any(got) else None,
        interruptions=sum(each.interruptions for each in served) / len(served),
        most_interruptions=max(each.interruptions for each in served),
        peak=max(each.peak / each.limit for each in carried),
        overload_s=sum(each.overload_s for each in carried),
    )


def _fits_wh(served: Served) -> float:
    stay_s = served.visit.car.stay_s
    return served.asked_wh if stay_s is None else min(served.asked_wh, served.watts * stay_s / 3600)


def _waited_s(served: Sequence[Served]) -> tuple[float, float, float] | None:
    waited_s = [each.waited_s for each in served if not each.outcome.turned_away]
    if not waited_s:
        return None
    p50, p95 = (percentile(waited_s, share) for share in WAITED)
    return p50, p95, max(waited_s)
