"""Every panel and every rule asks the real Prometheus, and gets an answer: after a rush, and a fault of each kind."""

import time
from collections import Counter
from collections.abc import Iterator

import pytest
import requests

from tests.dashboards import Query, queries, variable_queries

from .stack import BALANCERS, Stack, eventually, run

QUERIES = list(queries())
QUIET_WHEN_WELL = {
    "grid: What is wrong now A": "until an alert fires: SubstationLost does, here",
    "balancers: Errors A": "until a balancer answers 5xx: it does without Redis, here",
}
"""What is empty when all is well, and what makes it show."""


def empty(stack: Stack) -> set[str]:
    return {str(query) for query in QUERIES if not stack.measured(query.substituted())}


@pytest.fixture(scope="module")
def eventful(stack: Stack) -> Iterator[Stack]:
    """A system in which everything that a panel shows has happened, and that has a substation less."""
    cars = [stack.ask(f"ev-{number}") for number in range(9)]
    assert {car.status_code for car in cars} == {201}
    short = [stack.ask("ev-short", energy_kwh=0.2) for _ in range(6)]
    assert {car.status_code for car in short} == {201}
    body = {"vehicle_id": "ev-too-large", "power_kw": 300, "energy_kwh": 1}
    assert stack.call("POST", "/request-charge", json=body).status_code == 503
    stack.cancel(stack.ask("ev-cancelled"))
    eventually(lambda: empty(stack) <= QUIET_WHEN_WELL.keys(), within_s=45)

    (redis,) = stack.containers("redis")
    run("docker", "pause", redis["Id"])
    try:
        assert stack.call("GET", "/grid").status_code == 503
    finally:
        run("docker", "unpause", redis["Id"])
    eventually(lambda: stack.call("GET", "/grid").status_code == 200)

    restarted, stopped = stack.containers("substation")[:2]
    run("docker", "restart", "--time=1", restarted["Id"])
    eventually(lambda: stack.measured('sum(grid_resumptions_total{outcome="charging"}) > 0'), within_s=40)
    run("docker", "pause", stopped["Id"])
    yield stack
    run("docker", "unpause", stopped["Id"])
    stack.restore()
    for car in cars:
        stack.cancel(car)


@pytest.mark.parametrize("query", QUERIES, ids=str)
def test_a_panel_shows_what_happened(eventful: Stack, query: Query) -> None:
    eventually(lambda: eventful.measured(query.substituted()), within_s=45)


@pytest.mark.parametrize(("dashboard", "variable", "selector", "label"), list(variable_queries()))
def test_a_variable_has_something_to_choose(
    eventful: Stack, dashboard: str, variable: str, selector: str, label: str
) -> None:
    assert all(labels[label] for labels, _ in eventually(lambda: eventful.measured(selector)))


def test_every_rule_is_evaluated_and_every_recorded_one_has_a_value(eventful: Stack) -> None:
    groups = requests.get(f"{eventful.prometheus_url}/api/v1/rules", timeout=5).json()["data"]["groups"]
    rules = [rule for group in groups for rule in group["rules"]]

    assert rules
    assert {rule["name"]: rule.get("lastError") for rule in rules if rule["health"] != "ok"} == {}
    for rule in rules:
        if rule["type"] == "recording":
            eventually(lambda name=rule["name"]: eventful.measured(name), within_s=30)  # type: ignore[misc]


def test_what_fires_is_about_the_substation_that_hangs_and_the_redis_that_hung(eventful: Stack) -> None:
    firing = eventually(lambda: eventful.measured('ALERTS{alertname="SubstationLost", alertstate="firing"}'), 45)

    assert len(firing) == 1
    assert eventful.measured('ALERTS{alertname="SubstationOverloaded"}') == []


def test_prometheus_follows_the_balancers_up_and_down_within_15_seconds(disturbed: Stack) -> None:
    def targets() -> Counter[str]:
        return Counter(labels["instance"] for labels, up in disturbed.measured('up{job="balancer"}') if up == 1)

    eventually(lambda: len(targets()) == BALANCERS)
    disturbed.up(balancer=5)
    started = time.monotonic()
    eventually(lambda: len(targets()) == 5, within_s=15)
    appeared_s = time.monotonic() - started

    disturbed.up(balancer=4)
    started = time.monotonic()
    eventually(lambda: len(disturbed.measured('up{job="balancer"}')) == 4, within_s=15)
    print(
        f"5 balancers were seen {appeared_s:.1f} s after they were healthy; one less after {time.monotonic() - started:.1f} s"
    )
    eventually(lambda: len(disturbed.measured('grid_ledger_up{job="balancer"}')) == 4, within_s=15)
