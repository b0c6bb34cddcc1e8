"""What a grid says of its load at one instant. For Locust's process too, so it imports nothing else."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Place = tuple[str, str]
"""A zone, and one of its substations: two zones may have substations of the same name."""


@dataclass(frozen=True)
class Load:
    """What a substation had committed at one moment."""

    zone: str
    substation: str
    committed_kw: float
    limit_kw: float
    sessions: int

    @property
    def place(self) -> Place:
        return self.zone, self.substation

    @property
    def share(self) -> float:
        return self.committed_kw / self.limit_kw


@dataclass(frozen=True)
class Sample:
    """`at` is the clock's time in seconds. `loads` are of what was up; none if the grid did not say.

    `waiting` is how many were in line, `drawn_kw` what all substations together drew; None if that is not known.
    """

    at: float
    loads: tuple[Load, ...]
    waiting: int | None = None
    drawn_kw: float | None = None

    @property
    def used(self) -> float | None:
        """How much of the grid was in use."""
        return used(self.loads)

    @property
    def drawn(self) -> float | None:
        """Drawn ÷ limit; committed ÷ limit if what is drawn is not known."""
        if self.drawn_kw is None or not self.loads:
            return self.used
        return self.drawn_kw / sum(load.limit_kw for load in self.loads)

    @property
    def by_zone(self) -> dict[str, list[Load]]:
        zones: defaultdict[str, list[Load]] = defaultdict(list)
        for load in self.loads:
            zones[load.zone].append(load)
        return dict(zones)


def used(loads: Sequence[Load]) -> float | None:
    """How much of these was in use together; None if none of them was up."""
    limit_kw = sum(load.limit_kw for load in loads)
    return sum(load.committed_kw for load in loads) / limit_kw if limit_kw else None


def names(loads: Iterable[Load]) -> dict[Place, str]:
    """What to call each substation that was seen: its name, after that of its zone if there are several."""
    places = dict.fromkeys(load.place for load in loads)
    several = len({zone for zone, _ in places}) > 1
    return {(zone, substation): f"{zone} {substation}" if several else substation for zone, substation in places}
