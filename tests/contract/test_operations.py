"""What those who run the grid rely on: health, readiness, logs, metrics, request ids."""

import logging
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families
from werkzeug.test import TestResponse

from grid.http import Reply
from grid.ledger import Ledger, connect

from .conftest import CAR, RETRY_AFTER_S, SETTINGS, ZONES, Grid, SubstationUnderTest, answers, problem_in, unreachable

SERVICES = ("api", "balancer", "substation")


@pytest.fixture
def clients(grid: Grid, one: SubstationUnderTest) -> dict[str, FlaskClient]:
    return {"api": grid.api, "balancer": grid.balancer, "substation": one.client}


@pytest.mark.parametrize("service", SERVICES)
def test_a_running_service_is_healthy_and_ready(clients: dict[str, FlaskClient], service: str) -> None:
    health, ready = (clients[service].get(path) for path in ("/health", "/ready"))
    assert (health.status_code, health.get_json()) == (200, {"status": "ok"})
    assert (ready.status_code, (ready.get_json() or {})["ready"]) == (200, True)
    assert set((ready.get_json() or {})["checks"].values()) == {"ok"}


@pytest.fixture
def closed_port() -> Iterator[int]:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        yield nobody.getsockname()[1]


@pytest.fixture
def mute() -> Iterator[socket.socket]:
    """Accepts connections, and then says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server


def without_redis(grid: Grid, port: int, timeout_ms: int = SETTINGS.redis_timeout_ms) -> Iterator[TestResponse]:
    """The answers to everything that needs the ledger, of a balancer whose Redis is meant to be at `port`."""
    session = "default-" + "0" * 24
    order = {"session_id": session, "vehicle_id": "ev-42", "watts": 11_000, "energy_wh": 10_000}
    with connect(f"redis://127.0.0.1:{port}/0", timeout_ms, 4) as redis:
        client = grid.new_balancer({zone: Ledger(redis, zone) for zone in ZONES}).test_client()
        yield client.post("/route", json=order)
        yield client.get(f"/sessions/{session}")
        yield client.delete(f"/sessions/{session}")
        yield client.get("/grid")
        yield grid.request_charge()
        yield grid.api.get("/grid")


def test_without_redis_everything_is_answered_within_a_second(grid: Grid, closed_port: int) -> None:
    started = time.monotonic()
    for response in without_redis(grid, closed_port):
        assert problem_in(response, 503, "ledger-unavailable")["retry_after_s"] == RETRY_AFTER_S
        assert response.headers["Retry-After"] == str(RETRY_AFTER_S)
        assert time.monotonic() - started < 1
        started = time.monotonic()


def test_a_redis_that_says_nothing_is_not_waited_for_longer_than_a_second(grid: Grid, mute: socket.socket) -> None:
    def connections() -> Iterator[socket.socket]:
        with suppress(BlockingIOError):
            while True:
                yield mute.accept()[0]

    tries = []
    for response in without_redis(grid, mute.getsockname()[1], timeout_ms=50):
        problem_in(response, 503, "ledger-unavailable")
        made = list(connections())
        for connection in made:
            connection.close()
        tries.append(len(made))
    assert tries[0] > 0
    assert max(tries) * SETTINGS.redis_timeout_ms < 1_000
    assert tries[-1] == 0, "by now nobody waits for it any more"


def test_without_redis_nobody_is_ready_but_all_are_healthy(grid: Grid, closed_port: int) -> None:
    with connect(f"redis://127.0.0.1:{closed_port}/0", SETTINGS.redis_timeout_ms, 4) as redis:
        client = grid.new_balancer({zone: Ledger(redis, zone) for zone in ZONES}).test_client()
        for service, name, reason in ((client, "redis", "refused"), (grid.api, "balancer", "not ready")):
            ready = service.get("/ready")
            assert ready.status_code == 503
            body = ready.get_json() or {}
            assert body["ready"] is False
            assert reason in body["checks"][name]
            assert service.get("/health").status_code == 200


def test_a_substation_is_not_ready_until_the_ledger_knows_it(
    grid: Grid, one: SubstationUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    one.heartbeats.answered = False
    ready = one.client.get("/ready")
    assert (ready.status_code, (ready.get_json() or {})["checks"]) == (
        503,
        {"ledger": "the ledger has not answered the last heartbeat"},
    )
    one.beat()
    assert one.client.get("/ready").status_code == 200


def test_without_a_balancer_the_api_says_so(grid: Grid) -> None:
    grid.network.hosts["balancer"] = unreachable
    for response in (grid.request_charge(), grid.api.get("/grid"), grid.api.get("/sessions/default-" + "0" * 24)):
        problem_in(response, 503, "balancer-unavailable")
        assert response.headers["Retry-After"] == str(RETRY_AFTER_S)
    assert grid.api.get("/ready").status_code == 503


def test_the_api_passes_on_what_a_balancer_answers_to_the_whole(grid: Grid) -> None:
    grid.network.hosts["balancer"] = answers(500)
    assert grid.api.get("/grid").status_code == 500


# Request ids


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("given", ["a", "0af7651916cd43dd8448eb211c80319c", "A-b_c.d", "x" * 128])
def test_a_request_id_is_accepted(clients: dict[str, FlaskClient], service: str, given: str) -> None:
    response = clients[service].get("/health", headers={"X-Request-ID": given})
    assert response.headers["X-Request-ID"] == given


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("given", [None, "", "x" * 129, "a b", 'a"b', "<script>", "é", "a\tb", "%0a"])
def test_a_missing_or_malformed_request_id_is_replaced(
    clients: dict[str, FlaskClient], service: str, given: str | None
) -> None:
    headers = {} if given is None else {"X-Request-ID": given}
    made = {clients[service].get("/health", headers=headers).headers["X-Request-ID"] for _ in range(2)}
    assert all(re.fullmatch("[0-9a-f]{16}", request_id) for request_id in made)
    assert len(made) == 2


def test_one_request_id_goes_through_every_hop(grid: Grid, one: SubstationUnderTest) -> None:
    response = grid.api.post("/request-charge", json=CAR, headers={"X-Request-ID": "from-outside"})
    grid.api.get(response.headers["Location"], headers={"X-Request-ID": "seen"})
    grid.api.delete(response.headers["Location"], headers={"X-Request-ID": "cancelled"})
    assert [(call.url.split("/")[2], call.method, call.request_id) for call in grid.network.calls] == [
        ("balancer", "POST", "from-outside"),
        ("one", "POST", "from-outside"),
        ("balancer", "GET", "seen"),
        ("balancer", "DELETE", "cancelled"),
        ("one", "DELETE", "cancelled"),
    ]


def test_requests_are_logged_but_not_the_probes(
    grid: Grid, one: SubstationUnderTest, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.clear()
    for path in ("/health", "/ready", "/metrics", "/grid", "/nothing"):
        grid.balancer.get(path)
    logged = [record for record in caplog.records if record.name == "grid.request"]
    assert [record.getMessage() for record in logged] == ["GET /grid 200", "GET /nothing 404"]
    assert [record.levelno for record in logged] == [logging.INFO] * 2


# Metrics


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
    assert changed["grid_placements_total", ("charging", "60")] == 2
    assert changed["grid_placements_total", ("waiting", "60")] == 1
    assert changed["grid_reserve_duration_seconds_count", ()] == 3
    assert changed["grid_forward_duration_seconds_count", ()] == 2
    assert changed["grid_http_requests_total", ("request_charge", "POST", "api", "201")] == 2
    assert changed["grid_http_requests_total", ("request_charge", "POST", "api", "202")] == 1
    assert changed["grid_http_requests_total", ("route", "POST", "balancer", "207")] == 3


FLEET = [CAR, {**CAR, "power_kw": 90}, {**CAR, "power_kw": -1}]


@pytest.mark.parametrize(
    ("sent", "status", "counted"),
    [
        ({"json": CAR}, 201, {"charging": 1}),
        ({"json": {**CAR, "power_kw": 999}}, 422, {"too-powerful": 1}),
        ({"json": {}}, 422, {"invalid-request": 1}),
        ({"json": FLEET}, 207, {"charging": 1, "waiting": 1, "invalid-request": 1}),
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


def test_placements_that_failed_are_counted_by_answer(grid: Grid) -> None:
    grid.stub("one", answers(409))
    grid.stub("two", answers(500))
    changed = change(grid.balancer, grid.request_charge)
    assert changed["grid_placement_retries_total", ("no",)] == 1
    assert changed["grid_placement_retries_total", ("unknown",)] == 1
    assert changed["grid_placements_total", ("waiting", "12")] == 1


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
    assert shown["grid_ledger_keeps_room", ("one", "default")] == 0
    assert shown["grid_ledger_line_overdue_seconds", ("default",)] == 0
    assert shown["grid_ledger_line_smallest_watts", ("default",)] == 0


def test_a_balancer_shows_who_waits_and_what_is_kept_for_them(grid: Grid, one: SubstationUnderTest) -> None:
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
    assert grid.request_charge(power_kw=5).status_code == 202, "the room is not for those who came later"
    shown = samples(grid.balancer)
    assert shown["grid_ledger_line_overdue_seconds", ("default",)] == 1
    assert shown["grid_ledger_line_smallest_watts", ("default",)] == 5_000
    assert shown["grid_ledger_committed_watts", ("one", "default")] == 60_000
    assert shown["grid_ledger_keeps_room", ("one", "default")] == 1
    assert shown["grid_ledger_headroom_watts", ("one", "default")] == 0


def test_a_balancer_without_redis_still_shows_metrics(grid: Grid, closed_port: int) -> None:
    with connect(f"redis://127.0.0.1:{closed_port}/0", SETTINGS.redis_timeout_ms, 4) as redis:
        shown = samples(grid.new_balancer({zone: Ledger(redis, zone) for zone in ZONES}).test_client())
    assert shown["grid_ledger_up", ("default",)] == 0
    assert not any(name == "grid_ledger_committed_watts" for name, _ in shown)


def test_a_substation_shows_what_it_carries(grid: Grid) -> None:
    metered = grid.substation("metered", limit_kw=50)

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


def test_a_substation_shows_how_long_those_it_was_given_had_waited(grid: Grid) -> None:
    metered = grid.substation("metered", limit_kw=50)
    leaves = grid.request_charge(power_kw=30).headers["Location"]
    grid.request_charge(power_kw=40, priority="flexible")

    def its_turn_comes() -> None:
        grid.clock.advance(3)
        grid.api.delete(leaves)
        metered.beat()

    changed = change(metered.client, its_turn_comes)
    assert changed["grid_substation_waited_seconds_count", ("flexible", "metered", "default")] == 1
    assert changed["grid_substation_waited_seconds_sum", ("flexible", "metered", "default")] == 3


def test_what_is_drawn_is_measured_at_the_scrape_and_not_at_the_last_heartbeat(grid: Grid) -> None:
    metered = grid.substation("metered", limit_kw=50)

    changed = change(metered.client, lambda: grid.request_charge(power_kw=30, energy_kwh=10))

    assert changed["grid_substation_drawn_watts", ("metered", "default")] == 30_000
    assert changed["grid_substation_sessions_started_total", ("metered", "default")] == 1


def test_counters_are_there_before_their_first_event(grid: Grid) -> None:
    metered = grid.substation("metered", limit_kw=50)

    shown = samples(metered.client) | samples(grid.balancer)
    assert ("grid_placements_total", ("unavailable", "more")) in shown
    assert ("grid_placement_retries_total", ("no",)) in shown
    assert ("grid_substation_refusals_total", ("wrong-epoch", "metered", "default")) in shown
    for priority in ("emergency", "normal", "flexible"):
        assert ("grid_substation_waited_seconds_count", (priority, "metered", "default")) in shown


def test_an_overload_is_metered_in_seconds(grid: Grid) -> None:
    metered = grid.substation("metered", limit_kw=50)
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


EXPECTED = {
    "api": {"grid_http", "grid_answers"},
    "balancer": {
        "grid_http",
        "grid_placements",
        "grid_placement",
        "grid_reserve",
        "grid_forward",
        "grid_swept",
        "grid_sweeps",
        "grid_ledger",
    },
    "substation": {"grid_http", "grid_substation"},
}
SHOW_METRICS = """
from {service}.app import create_app
from grid.settings import Settings
app = create_app(Settings(substation_id="one"))
app.test_client().get("/health")
print(app.test_client().get("/metrics").text)
"""


@pytest.fixture(scope="module", params=SERVICES)
def metrics_of_a_service(request: pytest.FixtureRequest) -> tuple[str, str]:
    """Its name, and what a process shows that runs nothing else."""
    service: str = request.param
    code, root = SHOW_METRICS.format(service=service), request.config.rootpath
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    return service, "\n".join(line for line in shown.stdout.splitlines() if not line.startswith("{"))


def test_a_service_shows_its_own_metrics_and_no_others(metrics_of_a_service: tuple[str, str]) -> None:
    service, text = metrics_of_a_service
    names = {family.name for family in text_string_to_metric_families(text) if family.name.startswith("grid_")}
    assert {name for name in names if not name.startswith(tuple(EXPECTED[service]))} == set()
    assert {prefix for prefix in EXPECTED[service] if any(name.startswith(prefix) for name in names)} == EXPECTED[
        service
    ]


def test_metrics_follow_the_conventions_of_prometheus(metrics_of_a_service: tuple[str, str]) -> None:
    _, text = metrics_of_a_service
    for family in text_string_to_metric_families(text):
        if not family.name.startswith("grid_"):
            continue
        assert family.documentation, family.name
        assert re.fullmatch("[a-z][a-z_]*", family.name)
        assert not re.search("_(total|count|sum|bucket|ms|milliseconds|kw|kilowatts|kwh)(_|$)", family.name)
        if family.type == "histogram":
            assert family.name.endswith("_seconds")
        for sample in family.samples:
            assert not {"session", "session_id", "vehicle", "vehicle_id", "request_id"} & set(sample.labels)
