"""Whoever makes the load says when it was too slow to measure anything but itself."""

import subprocess
from typing import Any

import pytest

from loadtest.cars import Car
from loadtest.drivers import AT_MOST, AT_ONCE, locust_command, users_for
from loadtest.generator import Generator, describe
from loadtest.options import Options
from loadtest.plan import plan
from loadtest.shapes import Due

CAR = Car(11, 10)
IDLE = {"share": 0.1, "busiest_share": 0.2, "cpu_us_per_call": 900, "late_ms_p99": 3.0, "all_busy": 0}


def test_a_generator_that_kept_up_is_not_doubted() -> None:
    assert "WARNING" not in describe(IDLE)
    assert "99 % of the calls were sent within 3 ms" in describe(IDLE)


@pytest.mark.parametrize(
    ("sign", "said"),
    [
        ({"busiest_share": 0.61}, "it used more than 60% of a core"),
        ({"late_ms_p99": 50.1}, "1 % of its calls were sent more than 50 ms late"),
        ({"all_busy": 7}, "all of its users were busy when 7 calls were due"),
    ],
)
def test_each_sign_that_it_was_the_bottleneck_is_a_warning(sign: dict[str, Any], said: str) -> None:
    assert f"WARNING, it may have measured itself: {said}." in describe(IDLE | sign)


def test_its_lateness_is_that_of_all_calls() -> None:
    figures = Generator().as_json(100, [0.001] * 98 + [0.2] * 2, all_busy=2)

    assert (figures["late_ms_p99"], figures["all_busy"]) == (200.0, 2)


def test_there_are_users_for_a_burst_by_load() -> None:
    planned = plan(Options("burst", duration=10, load=100), {"default": 500})
    cars = int(planned.intensity.split()[0])

    assert cars > AT_ONCE
    assert users_for(planned.arrivals) * 0.9 >= cars


def test_there_are_users_for_fleets_and_never_too_few_or_too_many() -> None:
    fleets = [Due(0.01 * number, (CAR, CAR)) for number in range(100)]

    assert users_for(fleets) * 0.1 >= 100
    assert users_for([Due(1, (CAR,))]) == AT_ONCE
    assert users_for([Due(1, (CAR,))] * 20_000) == AT_MOST


@pytest.mark.parametrize("how", [["--master"], ["--processes", "2"]])
def test_a_rush_by_many_processes_is_refused(how: list[str]) -> None:
    command = [*locust_command("http://127.0.0.1:1", Options("steady", duration=1), 1), *how]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)

    assert done.returncode != 0
    assert "A rush is made by one Locust process" in done.stderr + done.stdout
