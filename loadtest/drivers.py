"""How to set Locust's drivers loose on a grid, as a process of their own."""

import math
import sys
from collections import deque
from collections.abc import Iterable
from pathlib import Path

from loadtest.options import Options
from loadtest.shapes import Due

AT_ONCE = 500
AT_MOST = 5_000
WITHIN_S = 2.0
SPARE = 1.1
FLEET_WEIGHT, DRIVER_WEIGHT = 1, 9  # of ten users one is a fleet
LOCUSTFILE = Path(__file__).with_name("locustfile.py")


def locust_command(url: str, options: Options, at_once: int = AT_ONCE) -> list[str]:
    """It ends when the shape does. At most `at_once` calls are under way; others are late, and count so."""
    users = str(at_once)
    command = [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--headless", "--only-summary", "--host", url]
    return [*command, "--users", users, "--spawn-rate", users, "--exit-code-on-error", "0", *options.arguments()]


def users_for(arrivals: Iterable[Due]) -> int:
    """Enough that all calls which are due within two seconds can be under way at once, drivers and fleets alike."""
    most = {True: 0, False: 0}
    due: dict[bool, deque[float]] = {True: deque(), False: deque()}
    for arrival in arrivals:
        fleet = len(arrival.cars) > 1
        recent = due[fleet]
        recent.append(arrival.at_s)
        while recent[0] <= arrival.at_s - WITHIN_S:
            recent.popleft()
        most[fleet] = max(most[fleet], len(recent))
    users = max(most[True] / FLEET_WEIGHT, most[False] / DRIVER_WEIGHT) * (FLEET_WEIGHT + DRIVER_WEIGHT)
    return min(AT_MOST, max(AT_ONCE, math.ceil(users * SPARE)))
