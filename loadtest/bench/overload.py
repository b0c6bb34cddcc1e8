"""Thirty cars at once for three substations with room for ten each: how many are above some substation's limit."""

from collections.abc import Iterable

from loadtest.bench.arms import SUBSTATIONS, Arm
from loadtest.bench.open_loop import ask

ROOM_CARS = 10
CAR_KW = 11.0
AT_ONCE_PER_S = 3_000.0
"""All are on their way before the first is answered."""
LIMIT_KW = ROOM_CARS * CAR_KW


def burst(arm: Arm) -> list[int]:
    """What each substation draws then, in W. Waits until the cars have gone."""
    ask(arm.url, AT_ONCE_PER_S, SUBSTATIONS * ROOM_CARS, cars=1)
    drawn = [status["drawn_watts"] for status in arm.statuses()]
    arm.wait_until_empty()
    return drawn


def above(drawn_watts: Iterable[int]) -> int:
    """How many cars of CAR_KW are too many, at substations that each draw so much."""
    car, limit = CAR_KW * 1000, LIMIT_KW * 1000
    return sum(round(max(0.0, drawn - limit) / car) for drawn in drawn_watts)
