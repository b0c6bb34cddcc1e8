"""Each zone of a grid is asked in proportion to what it can carry."""

import json
import subprocess
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from loadtest import answers
from loadtest.drivers import locust_command
from loadtest.limits import limits_kw
from loadtest.options import Options
from loadtest.plan import plan
from loadtest.shapes import Due

from ..conftest import Handler, Server

LIMITS_KW = {"north": 300.0, "south": 100.0}
RUSH = Options("public", duration=10, peak=1_000, fleets=0.1)
TWO_ZONES = [
    {"zone": "north", "limit_kw": 200, "state": "up"},
    {"zone": "south", "limit_kw": 100, "state": "up"},
    {"zone": "north", "limit_kw": 100, "state": "up"},
    {"zone": "north", "limit_kw": 500, "state": "silent"},
    {"zone": "lost", "limit_kw": 500, "state": "lost"},
    {"zone": "shut", "limit_kw": 0, "state": "up"},
]


def test_a_zone_can_carry_what_its_substations_that_are_up_can_and_one_without_any_is_not_asked(server: Server) -> None:
    server.answer = lambda request: request.send_json({"substations": TWO_ZONES})

    assert limits_kw(server.url) == LIMITS_KW


def test_cars_are_spread_over_the_zones_in_proportion_to_their_limits() -> None:
    cars = Counter(due.zone for due in plan(replace(RUSH, fleets=0), LIMITS_KW).arrivals)
    deviation = (0.75 * 0.25 / cars.total()) ** 0.5  # of a binomial share

    assert cars.total() > 3_000
    assert cars["north"] / cars.total() == pytest.approx(0.75, abs=5 * deviation)
    assert set(cars) == set(LIMITS_KW)


def test_the_same_seed_is_the_same_cars_at_the_same_instants_whatever_the_zones() -> None:
    def came(limits_kw: dict[str, float]) -> list[Due]:
        return list(plan(RUSH, limits_kw).arrivals)

    one, two = came({"all": 400.0}), came(LIMITS_KW)
    assert two == came(LIMITS_KW)
    assert [(due.at_s, due.cars) for due in one] == [(due.at_s, due.cars) for due in two]
    assert {due.zone for due in one} == {"all"}


def test_the_load_is_of_all_zones_together() -> None:
    together = plan(Options("steady", duration=60), {"all": 400.0})

    assert plan(Options("steady", duration=60), LIMITS_KW).intensity == together.intensity


def test_each_car_says_its_zone_and_those_of_a_fleet_the_same_one_and_it_is_written_down(
    server: Server, tmp_path: Path
) -> None:
    def refuse(request: Handler) -> None:
        if request.path == "/grid":
            request.send_json({"substations": TWO_ZONES})
        else:
            request.send_json({"type": "/problems/grid-full", "retry_after_s": 5}, status=503)

    server.answer = refuse
    written = tmp_path / "answers.jsonl"
    options = Options("steady", duration=1, peak=60, fleets=0.3)
    command = [*locust_command(server.url, options, at_once=20), "--answers", str(written)]
    subprocess.run(command, capture_output=True, timeout=30)

    bodies: list[Any] = [json.loads(each.body) for each in server.received if each.path == "/request-charge"]
    calls = [body if isinstance(body, list) else [body] for body in bodies]
    asked = Counter(car["zone"] for call in calls for car in call)
    assert max(len(call) for call in calls) > 1
    assert all(len({car["zone"] for car in call}) == 1 for call in calls)
    assert set(asked) == set(LIMITS_KW)
    assert Counter(answer.zone for answer in answers.read(written)) == asked
