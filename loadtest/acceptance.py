"""Who could charge, by power, and how much of the power that was asked for.

A car is served in its own zone or not at all, so beside the whole grid's figures are those of each zone.
With a line nearly all charge sooner or later; so those who charge at once show which power is favoured.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from grid.metrics import POWER_CLASSES, power_class
from loadtest.answers import Answer
from loadtest.line import STARTED, Fate


@dataclass(frozen=True)
class PowerClass:
    """How many cars of these powers asked, how many charged at once, and how many after they had waited."""

    powers: str
    asked: int
    charging: int
    started: int

    @property
    def at_once(self) -> float:
        return self.charging / self.asked

    @property
    def in_all(self) -> float:
        return (self.charging + self.started) / self.asked


@dataclass(frozen=True)
class Share:
    """Of `asked` cars of these powers, the share that was served, 0 to 1."""

    powers: str
    asked: int
    share: float


@dataclass(frozen=True)
class Served:
    """The classes with the smallest and the largest share, one ÷ the other (None if nobody was served), and the share
    of the kW that were asked for."""

    least: Share
    most: Share
    min_by_max: float | None
    kw_share: float

    @property
    def said(self) -> str:
        """With the number of cars, because a share of few says little."""
        if self.min_by_max is None:
            return "nobody"
        least, most = (f"{each.share:.0%} of {each.asked:,} cars of {each.powers}" for each in (self.least, self.most))
        return f"{least} to {most}; min ÷ max {self.min_by_max:.2f}"


@dataclass(frozen=True)
class Acceptance:
    """`at_once` and `in_all` (also after a wait) are None if nobody asked. Who is still in line, or left it, was not
    served.

    `too_powerful` cars, for which every substation of their zone is too small, are in nothing else here: nobody could
    serve them.
    """

    classes: list[PowerClass]
    at_once: Served | None
    in_all: Served | None
    too_powerful: int

    @property
    def of_the_power(self) -> str:
        """Of the kW that were asked for; empty if nobody asked."""
        if self.at_once is None or self.in_all is None:
            return ""
        return f"{self.at_once.kw_share:.1%} at once, {self.in_all.kw_share:.1%} in all"


def acceptance(answers: Sequence[Answer], fates: Mapping[str, Fate], largest_kw: Mapping[str, float]) -> Acceptance:
    """`fates` by session; `largest_kw`, by zone, is the largest limit of a substation there, if it is known."""
    cars = [answer for answer in answers if answer.asks]
    servable = [car for car in cars if car.outcome != "refused" or car.power_kw <= largest_kw.get(car.zone, math.inf)]
    charging = [car for car in servable if car.outcome == "charging"]
    started = [car for car in servable if _started(car, fates)]
    classes = _classes(servable, charging, started)
    asked_kw, charging_kw, started_kw = (_kw(each) for each in (servable, charging, started))
    return Acceptance(
        classes,
        at_once=_served(classes, lambda each: each.at_once, charging_kw, asked_kw),
        in_all=_served(classes, lambda each: each.in_all, charging_kw + started_kw, asked_kw),
        too_powerful=len(cars) - len(servable),
    )


def by_zone(
    answers: Sequence[Answer], fates: Mapping[str, Fate], largest_kw: Mapping[str, float]
) -> dict[str, Acceptance]:
    """The same of each zone that was asked; empty if there is only one: it is the whole grid."""
    zones: defaultdict[str, list[Answer]] = defaultdict(list)
    for answer in answers:
        if answer.asks:
            zones[answer.zone].append(answer)
    if len(zones) < 2:
        return {}
    return {zone: acceptance(zones[zone], fates, largest_kw) for zone in sorted(zones)}


def _started(car: Answer, fates: Mapping[str, Fate]) -> bool:
    fate = fates.get(car.session or "")
    return car.outcome == "waiting" and fate is not None and fate.what == STARTED


def _classes(asked: Iterable[Answer], charging: Iterable[Answer], started: Iterable[Answer]) -> list[PowerClass]:
    """In the order of their powers, without those of which nobody asked."""
    powers: defaultdict[str, list[float]] = defaultdict(list)
    for car in asked:
        powers[_class_of(car)].append(car.power_kw)
    at_once, later = Counter(map(_class_of, charging)), Counter(map(_class_of, started))
    return [
        PowerClass(_named(powers[each]), len(powers[each]), at_once[each], later[each])
        for each in POWER_CLASSES
        if each in powers
    ]


def _class_of(car: Answer) -> str:
    return power_class(round(car.power_kw * 1000))


def _named(powers_kw: Sequence[float]) -> str:
    least, most = min(powers_kw), max(powers_kw)
    return f"{most:g} kW" if least == most else f"{least:g} to {most:g} kW"


def _kw(cars: Iterable[Answer]) -> float:
    return sum(car.power_kw for car in cars)


def _served(
    classes: Sequence[PowerClass], share: Callable[[PowerClass], float], served_kw: float, asked_kw: float
) -> Served | None:
    if not classes:
        return None
    shares = [Share(each.powers, each.asked, round(share(each), 4)) for each in classes]
    least, most = min(shares, key=lambda each: each.share), max(shares, key=lambda each: each.share)
    min_by_max = round(least.share / most.share, 4) if most.share else None
    return Served(least, most, min_by_max, round(served_kw / asked_kw, 4))
