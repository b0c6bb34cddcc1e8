"""What the services count and show is what happened."""

from datetime import UTC, datetime
from typing import Any

import pytest
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from grid.http import Reply

from .conftest import CAR, SETTINGS, ZONES, Grid, SubstationUnderTest, answers, unreachable


@pytest.fixture
def metered(grid: Grid) -> SubstationUnderTest:
    """A substation of 50 kW in zone `default`."""
    return grid.substation("metered", limit_kw=50)


def samples(client: FlaskClient) -> dict[tuple[str, tuple[str, ...]], float]:
    """Every sample of /metrics by its name and the values of its labels, in the order of their names."""
    response = client.get("/metrics")
    assert response.content_type.startswith("text/plain; version=")
    return {
        (sample.name, tuple(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }


def change(client: FlaskClient, ask: Any) -> dict[tuple[str, tuple[str, ...]], float]:
    """What `ask` changes in the metrics; they are the process's own, and it has run other tests."""
    before = samples(client)
    ask()
    return {
        name: value - before.get(name, 0) for name, value in samples(client).items() if value != before.get(name, 0)
    }


def test_decisions_are_counted_by_outcome(grid: Grid, one: SubstationUnderTest) -> None:
    def ask() -> None:
        for power_kw in (60, 60, 40):
            grid.request_charge(power_kw=power_kw)

    changed = change(grid.balancer, ask)
    assert changed["grid_placements_total", ("placed", "60", "default")] == 2
    assert changed["grid_placements_total", ("waiting", "60", "default")] == 1
    assert changed["grid_placements_watts_total", ("placed", "default")] == 100_000
    assert changed["grid_placements_watts_total", ("waiting", "default")] == 60_000
    assert changed["grid_reserve_duration_seconds_count", ()] == 3
    assert changed["grid_forward_duration_seconds_count", ()] == 2
    assert changed["grid_http_requests_total", ("request_charge", "POST", "api", "201")] == 2
    assert changed["grid_http_requests_total", ("request_charge", "POST", "api", "202")] == 1
    assert changed["grid_http_requests_total", ("route", "POST", "balancer", "207")] == 3


def test_decisions_are_counted_by_zone(grid: Grid) -> None:
    grid.substation("two", limit_kw=50, zone="north")

    changed = change(grid.balancer, lambda: [grid.request_charge(power_kw=40, zone="north") for _ in range(2)])
    assert placements(changed) == {
        ("grid_placements_total", ("placed", "60", "north")): 1,
        ("grid_placements_total", ("waiting", "60", "north")): 1,
        ("grid_placements_watts_total", ("placed", "north")): 40_000,
        ("grid_placements_watts_total", ("waiting", "north")): 40_000,
    }


def test_a_fleet_of_two_zones_is_counted_in_each(grid: Grid, one: SubstationUnderTest) -> None:
    grid.substation("two", limit_kw=50, zone="north")
    fleet = [CAR, {**CAR, "power_kw": 7, "zone": "north"}, {**CAR, "power_kw": 22, "zone": "north"}]

    changed = change(grid.balancer, lambda: grid.api.post("/request-charge", json=fleet))
    assert placements(changed) == {
        ("grid_placements_total", ("placed", "12", "default")): 1,
        ("grid_placements_total", ("placed", "8", "north")): 1,
        ("grid_placements_total", ("placed", "25", "north")): 1,
        ("grid_placements_watts_total", ("placed", "default")): 11_000,
        ("grid_placements_watts_total", ("placed", "north")): 29_000,
    }


def placements(changed: dict[tuple[str, tuple[str, ...]], float]) -> dict[tuple[str, tuple[str, ...]], float]:
    return {key: value for key, value in changed.items() if key[0].startswith("grid_placements_")}


FLEET = [CAR, {**CAR, "power_kw": 90}, {**CAR, "power_kw": -1}]


@pytest.mark.parametrize(
    ("sent", "status", "counted"),
    [
        ({"json": CAR}, 201, {"reserved": 1}),
        ({"json": {**CAR, "power_kw": 999}}, 422, {"too-powerful": 1}),
        ({"json": {}}, 422, {"invalid-request": 1}),
        ({"json": FLEET}, 207, {"reserved": 1, "waiting": 1, "invalid-request": 1}),
        ({"json": [{}, {}]}, 207, {"invalid-request": 2}),
        ({"json": []}, 422, {"invalid-request": 1}),
        ({"json": [CAR] * (SETTINGS.max_batch + 1)}, 422, {"invalid-request": 1}),
        ({"json": FLEET, "headers": {"Idempotency-Key": ""}}, 422, {"invalid-request": 3}),
        ({"data": "{", "content_type": "application/json"}, 400, {"not-json": 1}),
        ({"data": "{}", "content_type": "text/plain"}, 415, {"http-415": 1}),
        ({"data": b" " * (SETTINGS.max_body_bytes + 1), "content_type": "application/json"}, 413, {"http-413": 1}),
    ],
)
def test_whatever_a_driver_is_told_is_counted_once(
    grid: Grid, one: SubstationUnderTest, sent: dict[str, Any], status: int, counted: dict[str, int]
) -> None:
    assert told(grid, sent, status) == counted


def test_a_balancer_that_is_not_there_or_fails_is_counted_for_each_car(
    grid: Grid, caplog: pytest.LogCaptureFixture
) -> None:
    grid.network.hosts["balancer"] = unreachable
    assert told(grid, {"json": FLEET}, 503) == {"balancer-unavailable": 3}

    grid.network.hosts["balancer"] = lambda call: Reply(207, [{}])  # which the api cannot make sense of
    assert told(grid, {"json": FLEET}, 500) == {"http-500": 3}
    caplog.clear()


def test_only_charging_requests_are_counted_as_such(grid: Grid) -> None:
    assert told(grid, {"path": "/sessions/nothing", "method": "DELETE"}, 404) == {}
    assert told(grid, {"method": "PUT", "json": CAR}, 405) == {}


def told(grid: Grid, sent: dict[str, Any], status: int) -> dict[str, float]:
    """What an answer that has this status adds to the answers counted."""

    def ask() -> None:
        assert grid.api.open(**{"path": "/request-charge", "method": "POST", **sent}).status_code == status

    changed = change(grid.api, ask)
    return {labels[0]: number for (name, labels), number in changed.items() if name == "grid_answers_total"}


def test_what_is_posted_to_substations_is_counted_by_answer(grid: Grid) -> None:
    grid.stub("one", answers(409))
    grid.stub("two", answers(500))
    changed = change(grid.balancer, grid.request_charge)
    assert changed["grid_charge_orders_total", ("no", "default")] == 1
    assert changed["grid_charge_orders_total", ("unknown", "default")] == 1
    assert changed["grid_placements_total", ("placed", "12", "default")] == 1


def test_ejections_are_counted(grid: Grid) -> None:
    grid.stub("one", unreachable)
    grid.stub("two", answers(201))
    assert change(grid.balancer, grid.request_charge)["grid_ejections_total", ("default",)] == 1


def test_a_balancer_shows_the_ledger(grid: Grid, one: SubstationUnderTest) -> None:
    grid.request_charge(power_kw=60)
    grid.clock.advance(0.5)
    shown = samples(grid.balancer)
    assert shown["grid_ledger_up", ("default",)] == 1
    for name, value in {
        "capacity_watts": 100_000,
        "limit_watts": 100_000,
        "committed_watts": 60_000,
        "headroom_watts": 40_000,
        "load_ratio": 0.6,
        "heartbeat_age_seconds": 0.5,
    }.items():
        assert shown[f"grid_ledger_{name}", ("one", "default")] == value
    assert shown["grid_ledger_substation_state", ("up", "one", "default")] == 1
    assert shown["grid_ledger_substation_state", ("silent", "one", "default")] == 0
    assert shown["grid_ledger_sessions", ("reserved", "default")] == 1
    assert shown["grid_ledger_sessions", ("charging", "default")] == 0
    assert shown["grid_ledger_sessions", ("waiting", "default")] == 0
    assert shown["grid_ledger_line_overdue_seconds", ("default",)] == 0
    assert shown["grid_ledger_line_smallest_watts", ("default",)] == 0


def test_a_balancer_shows_the_queue(grid: Grid, one: SubstationUnderTest) -> None:
    leaves = grid.request_charge(power_kw=40, energy_kwh=100).headers["Location"]
    grid.request_charge(power_kw=60, energy_kwh=100)
    in_an_hour = datetime.fromtimestamp(grid.clock() + 3_600, UTC).isoformat()
    grid.request_charge(power_kw=90, energy_kwh=90, ready_by=in_an_hour)
    one.beat()
    shown = samples(grid.balancer)
    assert shown["grid_ledger_sessions", ("waiting", "default")] == 1
    assert shown["grid_ledger_line_smallest_watts", ("default",)] == 90_000
    assert shown["grid_ledger_line_overdue_seconds", ("default",)] == 0

    grid.clock.advance(1)
    grid.api.delete(leaves)
    one.beat()
    assert grid.request_charge(power_kw=45).status_code == 202
    shown = samples(grid.balancer)
    assert shown["grid_ledger_line_overdue_seconds", ("default",)] == 1
    assert shown["grid_ledger_line_smallest_watts", ("default",)] == 45_000
    assert shown["grid_ledger_committed_watts", ("one", "default")] == 60_000


def test_a_balancer_without_redis_still_shows_metrics(balancer_without_redis: FlaskClient) -> None:
    shown = samples(balancer_without_redis)
    assert shown["grid_ledger_up", ("default",)] == 0
    assert not any(name == "grid_ledger_committed_watts" for name, _ in shown)


def test_a_substation_shows_what_it_carries(grid: Grid, metered: SubstationUnderTest) -> None:
    def a_car_charges_and_another_is_refused() -> None:
        grid.request_charge(power_kw=30, energy_kwh=10)
        order = {"session_id": "x", "attempt": 1, "substation": "metered", "epoch": 1, "vehicle_id": "x"}
        metered.client.post("/charge", json={**order, "watts": 50_000, "energy_wh": 1})
        metered.beat()

    changed = change(metered.client, a_car_charges_and_another_is_refused)
    assert changed["grid_substation_drawn_watts", ("metered", "default")] == 30_000
    assert changed["grid_substation_peak_watts", ("metered", "default")] == 30_000
    assert changed["grid_substation_sessions", ("metered", "default")] == 1
    assert changed["grid_substation_sessions_started_total", ("metered", "default")] == 1
    assert changed["grid_substation_refusals_total", ("no-room", "metered", "default")] == 1
    assert changed["grid_substation_heartbeats_total", ("ok", "metered", "default")] == 1

    def the_car_is_done() -> None:
        grid.clock.advance(3_600)
        metered.beat()
        metered.beat()

    changed = change(metered.client, the_car_is_done)
    assert changed["grid_substation_drawn_watts", ("metered", "default")] == -30_000
    assert ("grid_substation_sessions_started_total", ("metered", "default")) not in changed, "each is counted once"
    assert changed["grid_substation_sessions_ended_total", ("finished", "metered", "default")] == 1
    assert changed["grid_substation_energy_delivered_joules_total", ("metered", "default")] == 10_000 * 3600
    now = samples(metered.client)
    assert now["grid_substation_limit_watts", ("metered", "default")] == 50_000
    assert now["grid_substation_capacity_watts", ("metered", "default")] == 50_000


def test_a_substation_shows_how_long_those_it_was_given_had_waited(grid: Grid, metered: SubstationUnderTest) -> None:
    leaves = grid.request_charge(power_kw=30).headers["Location"]
    grid.request_charge(power_kw=40, priority="flexible")

    def its_turn_comes() -> None:
        grid.clock.advance(3)
        grid.api.delete(leaves)
        metered.beat()

    changed = change(metered.client, its_turn_comes)
    assert changed["grid_substation_waited_seconds_count", ("flexible", "metered", "default")] == 1
    assert changed["grid_substation_waited_seconds_sum", ("flexible", "metered", "default")] == 3


def test_what_is_drawn_is_measured_at_the_scrape_and_not_at_the_last_heartbeat(
    grid: Grid, metered: SubstationUnderTest
) -> None:
    changed = change(metered.client, lambda: grid.request_charge(power_kw=30, energy_kwh=10))

    assert changed["grid_substation_drawn_watts", ("metered", "default")] == 30_000
    assert changed["grid_substation_sessions_started_total", ("metered", "default")] == 1


def test_counters_are_there_before_their_first_event(grid: Grid, metered: SubstationUnderTest) -> None:
    shown = samples(metered.client) | samples(grid.balancer)
    for zone in ZONES:
        assert ("grid_placements_total", ("unavailable", "more", zone)) in shown
        assert ("grid_placements_watts_total", ("unavailable", zone)) in shown
    assert ("grid_charge_orders_total", ("no", "default")) in shown
    assert ("grid_ejections_total", ("north",)) in shown
    assert ("grid_substation_refusals_total", ("wrong-epoch", "metered", "default")) in shown
    for priority in ("emergency", "normal", "flexible"):
        assert ("grid_substation_waited_seconds_count", (priority, "metered", "default")) in shown


def test_an_overload_is_metered_in_seconds(grid: Grid, metered: SubstationUnderTest) -> None:
    for _ in range(2):
        grid.request_charge(power_kw=20, energy_kwh=1_000)
    leaves = (grid.request_charge(power_kw=5)).headers["Location"]

    def the_limit_is_lowered() -> None:
        metered.station.limit = 30_000
        grid.api.delete(leaves)
        for _ in range(3):
            grid.clock.advance(2.5)
            metered.beat()

    changed = change(metered.client, the_limit_is_lowered)
    assert changed["grid_substation_overload_seconds_total", ("metered", "default")] == 7.5
    assert (metered.client.get("/status").get_json() or {})["overload_seconds"] == 7.5


def test_callers_cannot_make_new_time_series(clients: dict[str, FlaskClient]) -> None:
    def ask() -> None:
        for number in range(20):
            clients["api"].open(f"/nothing/{number}", method=f"BREW{number}")
            clients["api"].get(f"/sessions/{number}")

    change(clients["api"], ask)
    before = set(samples(clients["api"]))
    ask()
    assert set(samples(clients["api"])) == before
    assert not [labels for _, labels in before if any("BREW" in label for label in labels)]
