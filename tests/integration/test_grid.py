"""The promises, on real processes: three balancers, substations, the api, a real Redis."""

import json
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from grid.local import FAKEREDIS_PATIENCE, LocalGrid, LocalGridError, free_port

from .conftest import CAR, Grid, eventually, obey_ctrl_c, run_grid

TEN_CARS_KW = 110
CLIENTS, CARS_EACH = 4, 45


def test_a_burst_fills_three_substations_to_the_last_car_and_none_above_its_limit(
    redis_url: str, tmp_path: Path
) -> None:
    with run_grid([TEN_CARS_KW] * 3, redis_url, tmp_path, TIME_SCALE="1", **FAKEREDIS_PATIENCE) as grid:
        _burst(grid)


def _burst(grid: Grid) -> None:
    answers = grid.ask_at_once(30)
    assert Counter(answer.status_code for answer in answers) == {201: 30}
    assert Counter(answer.json()["substation"] for answer in answers) == {
        "substation-1": 10,
        "substation-2": 10,
        "substation-3": 10,
    }
    statuses = [grid.status(substation) for substation in grid.local.substations]
    assert [len(status["sessions"]) for status in statuses] == [10, 10, 10]
    assert [status["peak_watts"] for status in statuses] == [110_000] * 3
    assert [status["overload_seconds"] for status in statuses] == [0, 0, 0]
    served = [grid.metric(balancer, "grid_placements_total") for balancer in grid.local.balancers]
    assert sum(served) == 30
    assert all(served), "each balancer decided some"

    waits = grid.ask()
    assert (waits.status_code, waits.json()["state"], waits.json()["position"]) == (202, "waiting", 1)


@pytest.fixture(scope="module")
def grid(redis_server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grid]:
    """One substation with room for ten cars; an hour in a second."""
    logs = tmp_path_factory.mktemp("logs")
    with run_grid([TEN_CARS_KW], redis_server_url, logs, TIME_SCALE="3600") as grid:
        yield grid


class TestWhatAClientSees:
    def test_the_same_key_at_the_same_time_is_one_session(self, grid: Grid) -> None:
        answers = grid.ask_at_once(8, key="k-1")
        assert {answer.status_code for answer in answers} == {201}
        (session_id,) = {answer.json()["session_id"] for answer in answers}
        assert grid.committed_kw() == [11]
        assert grid.ask(key="k-1").json()["session_id"] == session_id
        other = grid.ask({**CAR, "power_kw": 22}, key="k-1")
        assert (other.status_code, other.json()["type"]) == (422, "/problems/idempotency-conflict")
        grid.cancel(session_id)

    def test_a_session_can_be_followed_from_charging_to_finished(self, grid: Grid) -> None:
        session_id = grid.ask({**CAR, "energy_kwh": 20}).json()["session_id"]  # 1.8 s at this time scale
        assert grid.session(session_id)["state"] in ("reserved", "charging")
        eventually(lambda: grid.session(session_id)["state"] == "charging", within_s=1.5)
        eventually(lambda: grid.session(session_id)["state"] == "finished", within_s=4)
        assert grid.session(session_id)["delivered_kwh"] == 20
        assert grid.committed_kw() == [0]

    def test_a_car_that_waits_hears_at_once_that_its_turn_has_come(self, grid: Grid) -> None:
        charging = grid.ask({**CAR, "power_kw": 110, "energy_kwh": 500}).json()["session_id"]
        waits = grid.ask({**CAR, "energy_kwh": 500})
        assert waits.status_code == 202
        url = f"{grid.local.url}{waits.headers['Location']}"

        def somebody_looks_at_the_line() -> bool:
            looks = [grid.metric(b, "grid_http_requests_total", endpoint="waiting") for b in grid.local.balancers]
            return sum(looks) > 0

        with ThreadPoolExecutor(1) as pool:
            told = pool.submit(requests.get, f"{url}?wait=20", timeout=25)
            eventually(somebody_looks_at_the_line, within_s=5)
            assert not told.done()
            grid.cancel(charging)
            session = told.result(timeout=5).json()
        assert session["state"] in ("reserved", "charging")
        assert session["position"] is None
        eventually(lambda: grid.session(session["session_id"])["state"] == "charging", within_s=2)
        grid.cancel(session["session_id"])
        eventually(lambda: grid.committed_kw() == [0], within_s=2)

    def test_a_cancel_frees_the_watts_at_once(self, grid: Grid) -> None:
        session_id = grid.ask({**CAR, "energy_kwh": 500}).json()["session_id"]
        assert grid.committed_kw() == [11]
        assert grid.cancel(session_id)["state"] == "cancelled"
        assert grid.committed_kw() == [0]
        assert grid.status(grid.local.substations[0])["drawn_watts"] == 0
        assert grid.cancel(session_id)["state"] == "cancelled", "again is fine"

    def test_a_request_id_is_in_the_log_of_every_hop(self, grid: Grid) -> None:
        url = f"{grid.local.url}/request-charge"
        answer = requests.post(url, json=CAR, headers={"X-Request-ID": "follow-me"}, timeout=15)
        assert answer.headers["X-Request-ID"] == "follow-me"
        grid.cancel(answer.json()["session_id"])
        said_by = set()
        for service in (grid.local.api, *grid.local.balancers, *grid.local.substations):
            lines = [json.loads(line) for line in service.log.read_text().splitlines() if line.startswith("{")]
            said_by |= {line["service"] for line in lines if line.get("request_id") == "follow-me"}
        assert said_by == {"api", "balancer", "substation"}

    def test_one_more_substation_needs_no_configuration(self, grid: Grid) -> None:
        assert grid.ask({**CAR, "power_kw": 350}).json()["type"] == "/problems/too-powerful"
        local: LocalGrid = grid.local
        another = local.add_substation(400)
        eventually(lambda: [row["substation"] for row in grid.substations()][1:] == [another.name], within_s=10)
        assert grid.ask({**CAR, "power_kw": 350}).json()["substation"] == another.name


@pytest.mark.parametrize("fault", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "hung"])
def test_a_balancer_that_dies_under_load_takes_no_request_and_no_watt_with_it(
    redis_server_url: str, tmp_path: Path, fault: signal.Signals
) -> None:
    with run_grid([1_000] * 3, redis_server_url, tmp_path, TIME_SCALE="3600") as grid:
        try:
            _lose_a_balancer_under_load(grid, fault)
        finally:
            grid.local.balancers[0].send_to_all(signal.SIGKILL)


def _lose_a_balancer_under_load(grid: Grid, fault: signal.Signals) -> None:
    halfway = threading.Barrier(2)
    answers: list[requests.Response] = []

    def client(number: int) -> None:
        for i in range(CARS_EACH):
            answers.append(grid.ask({**CAR, "energy_kwh": 2}))
            if number == 0 and i == CARS_EACH // 3:
                halfway.wait()

    with ThreadPoolExecutor(CLIENTS) as pool:
        clients = [pool.submit(client, number) for number in range(CLIENTS)]
        halfway.wait()
        grid.local.balancers[0].send_to_all(fault)
        for running in clients:
            running.result()
    failed = [answer.text for answer in answers if answer.status_code != 201]
    assert failed == [], "the api asks another balancer"

    def settled() -> bool:
        return grid.committed_kw() == [0, 0, 0]

    # 4 s until a reservation nobody confirmed is looked at, and a heartbeat or two to cancel it.
    eventually(settled, within_s=20)
    finished = sum(grid.metric(s, "grid_substation_sessions_ended_total") for s in grid.local.substations)
    assert finished == CLIENTS * CARS_EACH, "each car was charged once"
    assert all(grid.status(s)["overload_seconds"] == 0 for s in grid.local.substations)


def test_without_redis_server_the_grid_runs_on_fakeredis(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REDIS_URL", raising=False)
    monkeypatch.setattr("grid.local.shutil.which", lambda name: None)
    with LocalGrid([50], balancer_count=1, logs=tmp_path) as local:
        assert local.redis_kind == "fakeredis"
        with requests.post(f"{local.url}/request-charge", json=CAR, timeout=10) as answer:
            assert answer.status_code == 201


def test_a_redis_that_does_not_answer_is_named_at_once(tmp_path: Path) -> None:
    nowhere = f"redis://127.0.0.1:{free_port()}/0"
    with pytest.raises(LocalGridError, match=nowhere), LocalGrid(redis_url=nowhere, logs=tmp_path):
        pass


def test_make_up_says_where_everything_is_and_leaves_nothing_running() -> None:
    port = free_port()
    command = [sys.executable, "-m", "grid.local", str(port)]
    up = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, preexec_fn=obey_ctrl_c)
    assert up.stdout is not None
    try:
        said = ""
        while "curl" not in said:
            line = up.stdout.readline()
            assert line, said
            said += line
        for name in ("api", "balancer-3", "substation-3", "redis", "logs"):
            assert name in said
        with requests.get(f"http://127.0.0.1:{port}/grid", timeout=5) as answer:
            rows = answer.json()["substations"]
        assert [(row["substation"], row["limit_kw"]) for row in rows] == [
            ("substation-1", 100),
            ("substation-2", 150),
            ("substation-3", 250),
        ]
    finally:
        up.send_signal(signal.SIGINT)
        rest, _ = up.communicate(timeout=30)
    assert "Stopped." in rest
    assert up.returncode == 0
    with pytest.raises(requests.ConnectionError):
        requests.get(f"http://127.0.0.1:{port}/health", timeout=2)
