"""Zones to measure in: cars as they come, substations that say what they carry, and room for everybody."""

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from redis import Redis

from grid import session_ids
from grid.ledger import Ledger, LedgerConfig
from grid.ledger.records import Ended, Grant, Heartbeat, Listed, Outcome, Request

POWERS = (3_700, 7_400, 11_000, 22_000, 50_000)
ENERGIES_WH = (10_000, 60_000)
PLENTY = 1_000_000_000
"""W: what is measured is placing, not waiting."""
FIRST = 1
"""The attempt of every session: none is placed twice."""
HOUR_MS = 3_600_000
AT_ONCE = 1_000

Announce = Callable[[Sequence[int]], Iterable[int]]
"""Passes the numbers of substations on, and may say how far it is."""


def car(zone: str, watts: int | None = None) -> Request:
    """One that wants to charge, with the power of one of the usual chargers if no other is given."""
    return Request(
        session_ids.new(zone),
        f"ev-{random.randrange(1_000_000)}",
        watts or random.choice(POWERS),
        random.randint(*ENERGIES_WH),
    )


@dataclass
class Substation:
    """The cars at one, those first that came first. It hears every reply; a second passes between two heartbeats."""

    name: str
    limit: int
    cars: list[Listed] = field(default_factory=list)
    beats: int = 0

    def plug_in(self, car: Request | Grant, attempt: int) -> None:
        self.cars.append(Listed(car.session, attempt, car.watts, car.energy_wh, 0, car.vehicle))

    def heartbeat(self, ended: Sequence[Ended] = ()) -> Heartbeat:
        self.beats += 1
        self.cars = [each._replace(delivered_wh=each.delivered_wh + each.watts // 3600) for each in self.cars]
        return Heartbeat(
            substation=self.name,
            url=f"http://{self.name}:8000",
            epoch=1,
            number=self.beats,
            capacity=self.limit,
            limit=self.limit,
            acknowledged=self.beats - 1,
            could_take=self.limit - sum(each.watts for each in self.cars),
            sessions=self.cars,
            ended=list(ended),
        )


class Zone:
    """One of so many substations, the first of which has so many cars; the others have none."""

    def __init__(self, redis: Redis, name: str, substations: int, cars: int, announce: Announce = iter) -> None:
        self.ledger = Ledger(redis, name, LedgerConfig(heartbeat_ttl=HOUR_MS))
        self.first = Substation("substation-1", PLENTY)
        self.held: list[str] = []
        """The sessions reserved since it was made, to be cancelled."""
        self.beat(self.first.heartbeat())
        for begin in range(0, cars, AT_ONCE):
            self.reserve(come := self.cars(min(AT_ONCE, cars - begin)))
            for request in come:
                self.first.plug_in(request, FIRST)
        self.beat(self.first.heartbeat())
        self.held.clear()
        for number in announce(range(2, substations + 1)):
            self.beat(Substation(f"substation-{number}", PLENTY).heartbeat())
        self.reserve(self.cars(1))
        self.cancel(self.held.pop())  # and so Redis has been given each script before any is measured

    def cars(self, number: int) -> list[Request]:
        return [car(self.ledger.zone) for _ in range(number)]

    def reserve(self, cars: Sequence[Request]) -> None:
        for request, placed in zip(cars, self.ledger.reserve(cars), strict=True):
            assert placed.outcome == Outcome.PLACED
            self.held.append(request.session)

    def cancel(self, session: str) -> None:
        """The call that gives its watts back: its substation has stopped it."""
        assert self.ledger.cancel(session, stopped=FIRST).state == "cancelled"

    def beat(self, heartbeat: Heartbeat) -> None:
        assert self.ledger.heartbeat(heartbeat).outcome == "ok"
