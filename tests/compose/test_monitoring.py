"""Every panel and every rule asks the real Prometheus, and gets an answer: in a rush, and after faults."""

import time
from collections.abc import Iterator

import pytest
import requests

from grid.metrics import PROCESS_METRICS
from tests.dashboards import Query, queries, variable_queries
from tests.rules import ALERTS, RECORDED

from .drivers import drivers
from .stack import BALANCERS, SUBSTATIONS, Stack, eventually, run

QUIET_WHEN_WELL = {
    "grid: What is wrong now A": "until an alert fires",
    "grid: How long they had waited A": "until one that waited is given a place",
    "grid: How long they had waited B": "likewise",
    "balancers: Errors A": "until a balancer answers 5xx",
}
"""What may be empty when all is well, and what makes it show; each does in this file."""
QUERIES = {str(query): query for query in queries()}


@pytest.fixture(scope="module")
def busy(stack: Stack) -> Iterator[Stack]:
    """Cars that come and go, some that stay, one that waits, one that is too large, one that is cancelled."""
    staying = [stack.ask(f"ev-{number}") for number in range(9)]
    assert {car.status_code for car in staying} == {201}
    too_large = {"vehicle_id": "ev-too-large", "power_kw": 300, "energy_kwh": 1}
    assert stack.call("POST", "/request-charge", json=too_large).status_code == 422
    stack.cancel(stack.ask("ev-cancelled"))
    eventually(lambda: seen_before_anybody_waited(stack))
    one_waits_and_is_given_a_place(stack)
    with drivers(stack):
        yield stack
    for car in staying:
        stack.cancel(car)


def seen_before_anybody_waited(stack: Stack) -> bool:
    """Of a series that begins with its first event, Prometheus never sees the rise."""
    return len(stack.measured('grid_substation_waited_seconds_count{priority="normal"}')) >= SUBSTATIONS


def one_waits_and_is_given_a_place(stack: Stack) -> None:
    """Cars of 77 kW, one more than there are substations with room for one."""
    large = {"power_kw": 77, "energy_kwh": 1_000}
    cars = [stack.call("POST", "/request-charge", json={"vehicle_id": f"ev-{n}", **large}) for n in range(4)]
    placed = [car for car in cars if car.status_code == 201]
    (waits,) = [car for car in cars if car.status_code == 202]
    stack.cancel(placed[0])
    eventually(lambda: stack.call("GET", waits.headers["Location"]).json()["state"] == "charging")
    for car in [*placed[1:], waits]:
        stack.cancel(car)


@pytest.mark.parametrize("query", [QUERIES[name] for name in sorted(QUERIES.keys() - QUIET_WHEN_WELL)], ids=str)
def test_a_panel_shows_something_when_all_is_well(busy: Stack, query: Query) -> None:
    eventually(lambda: busy.measured(query.substituted()), within_s=30)


@pytest.mark.parametrize(("dashboard", "variable", "selector", "label"), list(variable_queries()))
def test_a_variable_has_something_to_choose(
    busy: Stack, dashboard: str, variable: str, selector: str, label: str
) -> None:
    assert all(labels[label] for labels, _ in eventually(lambda: busy.measured(selector)))


def test_the_processes_of_every_service_are_measured(busy: Stack) -> None:
    for name in PROCESS_METRICS:
        measured = eventually(lambda name=name: busy.measured(f"sum by (job) ({name}) > 0"))  # type: ignore[misc]
        assert {labels["job"] for labels, _ in measured} == {"api", "balancer", "substation"}


@pytest.mark.parametrize("name", RECORDED)
def test_a_recorded_rule_has_a_value(busy: Stack, name: str) -> None:
    eventually(lambda: busy.measured(name))


def test_every_rule_is_evaluated(busy: Stack) -> None:
    def rules() -> dict[str, tuple[str, str | None]]:
        groups = requests.get(f"{busy.prometheus_url}/api/v1/rules", timeout=5).json()["data"]["groups"]
        return {rule["name"]: (rule["health"], rule.get("lastError")) for group in groups for rule in group["rules"]}

    evaluated = dict.fromkeys([*RECORDED, *ALERTS], ("ok", None))
    eventually(lambda: all(health != "unknown" for health, _ in rules().values()))
    assert rules() == evaluated


def test_a_redis_that_hangs_shows_as_errors(busy: Stack) -> None:
    (redis,) = busy.containers("redis")
    run("docker", "pause", redis["Id"])
    try:
        assert busy.call("GET", "/grid").status_code == 503
    finally:
        run("docker", "unpause", redis["Id"])

    eventually(lambda: busy.measured(QUERIES["balancers: Errors A"].substituted()))
    eventually(lambda: busy.call("GET", "/grid").status_code == 200)


def test_the_cars_of_a_restarted_substation_show_as_having_waited(busy: Stack) -> None:
    restarted = busy.containers("substation")[0]["Id"]

    run("docker", "restart", "--time=1", restarted)

    for name in ("grid: How long they had waited A", "grid: How long they had waited B"):
        eventually(lambda name=name: busy.measured(QUERIES[name].substituted()), within_s=30)  # type: ignore[misc]


def test_a_substation_that_hangs_shows_as_what_is_wrong(busy: Stack) -> None:
    hangs = busy.containers("substation")[1]["Id"]
    run("docker", "pause", hangs)
    try:
        eventually(lambda: busy.measured('ALERTS{alertname="SubstationLost", alertstate="firing"}'), within_s=45)
        assert busy.measured(QUERIES["grid: What is wrong now A"].substituted())
        assert busy.measured('ALERTS{alertname="SubstationOverloaded"}') == []
    finally:
        run("docker", "unpause", hangs)
        busy.restore()


def test_prometheus_follows_the_balancers_up_and_down_within_15_seconds(disturbed: Stack) -> None:
    eventually(lambda: len(disturbed.measured('up{job="balancer"} == 1')) == BALANCERS)
    disturbed.up(balancer=5)
    started = time.monotonic()
    eventually(lambda: len(disturbed.measured('up{job="balancer"} == 1')) == 5, within_s=15)
    appeared_s = time.monotonic() - started

    disturbed.up(balancer=4)
    started = time.monotonic()
    eventually(lambda: len(disturbed.targets("balancer")) == 4, within_s=15)
    vanished_s = time.monotonic() - started
    print(f"5 balancers were seen {appeared_s:.1f} s after they were healthy, one less {vanished_s:.1f} s after it was")
    # What it last showed stays until two scrapes have missed it.
    eventually(lambda: len(disturbed.measured("grid_ledger_up")) == 4, within_s=15)
