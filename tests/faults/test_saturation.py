"""A rush that takes all of the machine is slow, and no reason to eject a substation."""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests

from tests.integration.conftest import Grid, run_grid

CAPACITY_KW = 1_000_000
DRIVERS = 64
SECONDS = 15.0
UNANSWERED_SHARE = 0.001
CAR = {"vehicle_id": "ev-1", "power_kw": 11, "energy_kwh": 5}


def test_a_rush_at_saturation_ejects_no_substation(redis_server_url: str, tmp_path: Path) -> None:
    with run_grid([CAPACITY_KW] * 3, redis_server_url, tmp_path, TIME_SCALE="3600") as grid:
        statuses = _rush(grid)
        orders = {
            answer: _of_all(grid, "grid_charge_orders_total", answer=answer) for answer in ("yes", "no", "unknown")
        }
        ejections = _of_all(grid, "grid_ejections_total")
    posted = sum(orders.values())
    print(
        f"\n{statuses.total() / SECONDS:.0f} requests a second; posted to substations {orders}; {ejections:g} ejections"
    )
    assert statuses.keys() == {201}
    assert ejections == 0
    assert orders["unknown"] < max(1, UNANSWERED_SHARE * posted)


def _rush(grid: Grid) -> Counter[int]:
    """Drivers who ask again as soon as they are answered."""
    until = time.monotonic() + SECONDS

    def drive(_: int) -> Counter[int]:
        answers: Counter[int] = Counter()
        with requests.Session() as http:
            while time.monotonic() < until:
                answers[http.post(f"{grid.local.url}/request-charge", json=CAR, timeout=15).status_code] += 1
        return answers

    with ThreadPoolExecutor(DRIVERS) as drivers:
        return sum(drivers.map(drive, range(DRIVERS)), Counter())


def _of_all(grid: Grid, name: str, **labels: str) -> float:
    return sum(grid.metric(balancer, name, **labels) for balancer in grid.local.balancers)
