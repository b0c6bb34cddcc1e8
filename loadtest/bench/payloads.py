"""What drivers and fleets send, the same in every arm: each car wants what it draws in an hour."""

import itertools
import json

POWERS_KW = (3.7, 7.4, 11.0, 22.0)
FLEET = 100
BODIES = 16
"""How many different ones are sent in turn."""


def bodies(cars: int) -> list[str]:
    """Bodies of POST /request-charge: one car, or a fleet of `cars`."""
    numbers = itertools.count(1)
    fleets = [[_car(next(numbers)) for _ in range(cars)] for _ in range(BODIES)]
    return [json.dumps(fleet[0] if cars == 1 else fleet) for fleet in fleets]


def time_scale(charging_s: float) -> float:
    """Simulated seconds in a real one, for an hour to pass in so many."""
    return 3600 / charging_s


def _car(number: int) -> dict[str, object]:
    power_kw = POWERS_KW[number % len(POWERS_KW)]
    return {"vehicle_id": f"ev-{number}", "power_kw": power_kw, "energy_kwh": power_kw}
