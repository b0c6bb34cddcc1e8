"""The simulated feeder: admission to the watt, energy to the watt-hour, and each attempt once."""

from dataclasses import dataclass, field

import pytest

from substation.station import End, Order, Station, Verdict

LIMIT = 100_000
HOUR_S = 3_600


@dataclass
class Clock:
    now: float = 1_000.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class Feeder:
    """A station in real time, and what it has told."""

    clock: Clock = field(default_factory=Clock)
    time_scale: float = 1.0
    changes: int = 0
    ends: list[End] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.station = Station(
            LIMIT, self.time_scale, clock=self.clock, on_change=self.changed, on_end=self.ends.append
        )

    def changed(self) -> None:
        self.changes += 1

    def charge(self, session: str = "s", watts: int = 10_000, energy_wh: int = 10_000, attempt: int = 1) -> Verdict:
        (verdict,) = self.station.charge([Order(session, attempt, "car", watts, energy_wh)])
        return verdict

    def running(self) -> dict[str, int]:
        return {charging.order.session: charging.order.attempt for charging in self.station.snapshot().charging}

    def unreported(self) -> list[tuple[str, int, str, int]]:
        return [(end.session, end.attempt, end.how, end.delivered_wh) for end in self.station.snapshot().unreported]

    @property
    def drawn(self) -> int:
        return self.station.snapshot().drawn


@pytest.fixture
def feeder() -> Feeder:
    return Feeder()
