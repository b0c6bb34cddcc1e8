"""What the metrics of real processes say is what happened, with several workers, and when one is killed."""

import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from grid.local import Service

from .conftest import CAR, Grid, eventually, run_grid

WORKERS = 2
CLIENTS, CARS_EACH = 4, 45


@pytest.fixture(scope="module")
def grid(redis_server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grid]:
    """Room for every car, none of which is done before the test is, and balancers of two workers."""
    logs = tmp_path_factory.mktemp("logs")
    with run_grid([1_000] * 3, redis_server_url, logs, TIME_SCALE="1", WORKERS=str(WORKERS)) as grid:
        yield grid


def workers(service: Service) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{service.pid}/task/{service.pid}/children").read_text().split()]


def placed(grid: Grid) -> float:
    return sum(grid.metric(balancer, "grid_placements_total", outcome="placed") for balancer in grid.local.balancers)


def started(grid: Grid) -> float:
    return sum(grid.metric(one, "grid_substation_sessions_started_total") for one in grid.local.substations)


def answered(grid: Grid) -> float:
    """A repeated call to a balancer finds it charging, perhaps."""
    told = (grid.metric(grid.local.api, "grid_answers_total", outcome=state) for state in ("reserved", "charging"))
    return sum(told)


def test_clients_api_balancers_and_substations_count_the_same_sessions(grid: Grid) -> None:
    before = answered(grid), placed(grid), started(grid)

    sessions = {answer.json()["session_id"] for answer in grid.ask_at_once(30)}

    after = answered(grid), placed(grid), started(grid)
    assert [end - start for end, start in zip(after, before, strict=True)] == [30, 30, 30]
    assert len(sessions) == 30


def test_a_worker_killed_in_a_rush_takes_no_count_with_it(grid: Grid) -> None:
    answered_before, placed_before, started_before = answered(grid), placed(grid), started(grid)
    victim = grid.local.balancers[0]
    of_the_victim = grid.metric(victim, "grid_placements_total")
    killed = workers(victim)[0]
    halfway = threading.Barrier(2)
    answers: list[requests.Response] = []

    def client(number: int) -> None:
        for i in range(CARS_EACH):
            answers.append(grid.ask(CAR))
            if number == 0 and i == CARS_EACH // 3:
                halfway.wait()

    with ThreadPoolExecutor(CLIENTS) as pool:
        clients = [pool.submit(client, number) for number in range(CLIENTS)]
        halfway.wait()
        os.kill(killed, signal.SIGKILL)
        for running in clients:
            running.result()

    assert {answer.status_code for answer in answers} == {201}
    sessions = {answer.json()["session_id"] for answer in answers}
    assert len(sessions) == started(grid) - started_before == CLIENTS * CARS_EACH
    assert answered(grid) - answered_before == len(sessions)
    # A decision that was counted before its worker died unheard is made and counted again: one per client at most.
    assert 0 <= placed(grid) - placed_before - len(sessions) <= CLIENTS

    eventually(lambda: killed not in workers(victim) and len(workers(victim)) == WORKERS, within_s=10)
    assert grid.metric(victim, "grid_placements_total") > of_the_victim
    assert {grid.metric(victim, "grid_ledger_up") for _ in range(8)} == {1}, "whichever worker is asked"


def test_the_ledger_and_the_substations_agree_when_nothing_moves(grid: Grid) -> None:
    def differences() -> set[float]:
        return {
            grid.metric(grid.local.balancers[0], "grid_ledger_committed_watts", substation=substation.name)
            - grid.metric(substation, "grid_substation_drawn_watts")
            for substation in grid.local.substations
        }

    eventually(lambda: differences() == {0}, within_s=5)


def test_a_service_shows_what_all_its_processes_take_together(grid: Grid) -> None:
    balancer = grid.local.balancers[1]
    spent = {pid: sum(times(pid)) for pid in [balancer.pid, *workers(balancer)]}
    before = time.time()
    started, resident, cpu = (
        grid.metric(balancer, f"grid_process_{name}")
        for name in ("start_time_seconds", "resident_memory_bytes", "cpu_seconds_total")
    )

    assert before - 600 < started < before
    assert len(spent) == WORKERS + 1
    assert len(spent) * 10e6 < resident < len(spent) * 500e6
    assert sum(spent.values()) <= cpu < sum(spent.values()) + 5

    killed = workers(balancer)[0]
    os.kill(killed, signal.SIGKILL)
    eventually(lambda: killed not in workers(balancer) and len(workers(balancer)) == WORKERS, within_s=10)
    eventually(lambda: grid.metric(balancer, "grid_process_start_time_seconds") > started, within_s=10)
    assert grid.metric(balancer, "grid_process_cpu_seconds_total") >= cpu, "what the dead one spent is not forgotten"


def times(pid: int) -> tuple[float, float]:
    ran = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(ran[11]) / os.sysconf("SC_CLK_TCK"), int(ran[12]) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize("kind", ["api", "balancer", "substation"])
def test_promtool_finds_nothing_wrong_with_what_a_service_shows(grid: Grid, kind: str) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed: apt install prometheus (and stop the server that it starts)")
    local = grid.local
    service = {"api": local.api, "balancer": local.balancers[0], "substation": local.substations[0]}[kind]
    shown = grid.http.get(f"{service.url}/metrics", timeout=5).text

    done = subprocess.run([promtool, "check", "metrics"], input=shown, capture_output=True, text=True)

    assert f'service="{kind}"' in shown
    assert done.returncode == 0, done.stdout + done.stderr
