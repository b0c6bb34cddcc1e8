"""Which cars come, and how long they charge."""

import random
from dataclasses import dataclass

# Power in kW, energy in kWh, share of cars: slow home chargers to motorway fast chargers. And how many hours they are
# parked: a night or a day of work, down to a coffee.
MIX = [
    (3.7, 6, 20, (6, 12)),
    (7.4, 10, 25, (4, 12)),
    (11, 10, 30, (3, 10)),
    (22, 15, 15, (2, 6)),
    (50, 20, 7, (0.75, 2)),
    (150, 30, 3, (0.5, 1)),
]
NAMES_A_TIME = 0.4
"""The share of drivers who say when they leave."""
FLEET_SIZES = (5, 25)


@dataclass(frozen=True, slots=True)
class Car:
    """`stay_s` is how long it is parked, in simulated seconds, if its driver says so."""

    power_kw: float
    energy_kwh: float
    stay_s: float | None = None

    @property
    def session_s(self) -> float:
        """How long it charges, in simulated seconds."""
        return self.energy_kwh / self.power_kw * 3600


CARS = [Car(power, energy) for power, energy, *_ in MIX]
SHARES = [share / sum(share for _, _, share, _ in MIX) for _, _, share, _ in MIX]


def some_car(rng: random.Random) -> Car:
    ((power, energy, _, hours),) = rng.choices(MIX, SHARES)
    return Car(power, energy, rng.uniform(*hours) * 3600 if rng.random() < NAMES_A_TIME else None)


def mean_power_kw() -> float:
    return sum(share * car.power_kw for car, share in zip(CARS, SHARES, strict=True))


def mean_party(fleets: float) -> float:
    """Cars per call, if this share of the calls are fleets."""
    return 1 + fleets * (sum(FLEET_SIZES) / 2 - 1)


def some_party(rng: random.Random, fleets: float) -> tuple[Car, ...]:
    """One car, or a fleet that asks in one call."""
    size = rng.randint(*FLEET_SIZES) if rng.random() < fleets else 1
    return tuple(some_car(rng) for _ in range(size))
