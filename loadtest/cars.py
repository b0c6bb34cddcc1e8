"""Which cars come, and how long they charge."""

import random
from dataclasses import dataclass

# Power in kW, energy in kWh, share of cars: slow home chargers to motorway fast chargers.
MIX = [(3.7, 6, 20), (7.4, 10, 25), (11, 10, 30), (22, 15, 15), (50, 20, 7), (150, 30, 3)]
FLEET_SIZES = (5, 25)


@dataclass(frozen=True, slots=True)
class Car:
    """`stay_s` is how long it is parked, in simulated seconds, if that is known."""

    power_kw: float
    energy_kwh: float
    stay_s: float | None = None

    @property
    def session_s(self) -> float:
        """How long it charges, in simulated seconds."""
        return self.energy_kwh / self.power_kw * 3600


CARS = [Car(power, energy) for power, energy, _ in MIX]
SHARES = [share / sum(share for *_, share in MIX) for *_, share in MIX]


def some_car(rng: random.Random) -> Car:
    return rng.choices(CARS, SHARES)[0]


def mean_power_kw() -> float:
    return sum(share * car.power_kw for car, share in zip(CARS, SHARES, strict=True))


def mean_party(fleets: float) -> float:
    """Cars per call, if this share of the calls are fleets."""
    return 1 + fleets * (sum(FLEET_SIZES) / 2 - 1)


def some_party(rng: random.Random, fleets: float) -> tuple[Car, ...]:
    """One car, or a fleet that asks in one call."""
    size = rng.randint(*FLEET_SIZES) if rng.random() < fleets else 1
    return tuple(some_car(rng) for _ in range(size))
