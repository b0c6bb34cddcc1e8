"""What drivers see of a balancer or a Redis that dies, hangs or stops while they ask: little, and nothing is lost."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
import requests

from grid.local import Service

from . import verdict
from .conftest import Faulty, run_faulty_grid
from .harness import FaultyGrid, eventually
from .load import CHARGING, SHORT_SECONDS, Load
from .watch import Watch, series

HEARTBEATS_S = 2 * 1.1
CLIENTS = 20
WITHIN_S = 1.0
BACK_WITHIN_S = 3.0
AWAY_S = 6.0
"""Longer than silence makes a substation a lost one."""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faulty]:
    """Three balancers, three substations; an hour in a second."""
    with run_faulty_grid(tmp_path_factory.mktemp("logs"), [350, 450, 550]) as grid:
        yield grid


@contextmanager
def load_on(grid: Faulty) -> Iterator[Load]:
    """Load until the block ends; then every session it was promised must end well."""
    load = Load(grid.local.url, time_scale=3600, seed=time.time_ns(), seconds=SHORT_SECONDS)
    watch = Watch(grid.local.substations, grid.local.balancers)
    load.start()
    try:
        eventually(lambda: len(load.accepted) > 25, within_s=10, what="load")
        yield load
    finally:
        load.stop()
    drained = verdict.drain(grid.local, load, watch)
    assert drained.lost == {}
    assert (drained.unaccounted_w, drained.left_waiting) == (0, 0)
    assert load.given_up == 0


def answered_well(load: Load, count: int, within_s: float = 10) -> None:
    """So many cars more were accepted."""
    before = len(load.accepted)
    eventually(lambda: len(load.accepted) >= before + count, within_s, what="good answers")


def first_good_after(load: Load, moment: float) -> float:
    """How long it took, in s."""
    eventually(lambda: any(at > moment for at in load.good()[-50:]), within_s=10, what="a good answer")
    return next(at for at in load.good() if at > moment) - moment


def hang(local: FaultyGrid, service: Service) -> None:
    local.hang(service)


def kill(local: FaultyGrid, service: Service) -> None:
    local.kill(service)


Blow = Callable[[FaultyGrid, Service], None]


def bring_back(local: FaultyGrid, service: Service) -> None:
    if service.has_ended():
        local.restart(service)
    local.resume(service)


def test_a_redis_killed_under_load_comes_back_with_every_answered_reservation(grid: Faulty) -> None:
    with load_on(grid) as load:
        answered_well(load, 75)
        grid.local.kill(grid.local.redis)
        promised = list(load.accepted)
        grid.local.restart(grid.local.redis)
        back = time.monotonic()
        took = first_good_after(load, back)
        assert [session for session in promised if not grid.in_ledger(session)] == []
        answered_well(load, 25)
    print(f"\n{len(promised)} reservations are known; a good answer {took:.2f} s after the return of Redis")
    assert took < BACK_WITHIN_S


@dataclass(frozen=True)
class Refusal:
    seconds: float
    status: int
    content_type: str
    retry_after: int


@pytest.mark.parametrize("blow", [hang, kill])
def test_without_redis_each_answer_is_a_503_within_a_second(grid: Faulty, blow: Blow) -> None:
    local = grid.local
    with ThreadPoolExecutor(CLIENTS) as clients:
        assert all(clients.map(lambda _: grid.ask().status_code == 201, range(CLIENTS)))
        blow(local, local.redis)
        refusals = list(clients.map(lambda _: _refusal(grid), range(8 * CLIENTS)))
        ready = requests.get(f"{local.balancers[0].url}/ready", timeout=5)
        metrics = requests.get(f"{local.balancers[0].url}/metrics", timeout=5)
        bring_back(local, local.redis)
        back = time.monotonic()
        eventually(lambda: grid.ask().status_code == 201, within_s=BACK_WITHIN_S, what="a good answer")
    times = sorted(refusal.seconds for refusal in refusals)
    print(
        f"\n{len(times)} refusals: median {times[len(times) // 2]:.2f} s, slowest {times[-1]:.2f} s;"
        f" a good answer {time.monotonic() - back:.2f} s after the return of Redis"
    )
    assert {(refusal.status, refusal.content_type) for refusal in refusals} == {(503, "application/problem+json")}
    assert all(refusal.retry_after > 0 for refusal in refusals)
    assert ready.status_code == 503
    assert metrics.status_code == 200
    assert times[-1] < WITHIN_S


def _refusal(grid: Faulty) -> Refusal:
    started = time.monotonic()
    answer = grid.ask()
    return Refusal(
        time.monotonic() - started,
        answer.status_code,
        answer.headers["Content-Type"],
        int(answer.headers.get("Retry-After", 0)),
    )


@pytest.mark.parametrize("blow", [hang, kill])
def test_a_redis_that_was_away_for_long_interrupts_nobody(grid: Faulty, blow: Blow) -> None:
    with load_on(grid) as load:
        before = sum(_swept(balancer, "lost") for balancer in grid.local.balancers)
        blow(grid.local, grid.local.redis)
        gone = time.monotonic()
        eventually(lambda: time.monotonic() - gone > AWAY_S, within_s=AWAY_S + 1)
        bring_back(grid.local, grid.local.redis)
        took = first_good_after(load, time.monotonic())
        answered_well(load, 50)
        lost = sum(_swept(balancer, "lost") for balancer in grid.local.balancers) - before
    print(f"\na good answer {took:.2f} s after the return of Redis; substations taken for lost: {lost:g}")
    assert lost == 0, "that Redis heard nobody was its own fault"
    assert took < BACK_WITHIN_S


def test_a_balancer_that_is_told_to_stop_fails_no_request(grid: Faulty) -> None:
    with load_on(grid) as load:
        grid.local.terminate(grid.local.balancers[0])
        answered_well(load, 50)
    assert {answer.outcome for answer in load.answers} == {CHARGING}


@pytest.mark.parametrize("blow", [hang, kill])
def test_a_balancer_that_dies_or_hangs_leaves_no_request_unanswered(grid: Faulty, blow: Blow) -> None:
    with load_on(grid) as load:
        blow(grid.local, grid.local.balancers[0])
        answered_well(load, 50)
        grid.local.kill(grid.local.balancers[0])
    slowest = max(answer.ended - answer.started for answer in load.answers)
    print(f"\nslowest of {len(load.answers)} answers: {slowest:.2f} s")
    assert {answer.outcome for answer in load.answers} == {CHARGING}
    assert slowest < HEARTBEATS_S


def _swept(balancer: Service, kind: str) -> float:
    text = requests.get(f"{balancer.url}/metrics", timeout=5).text
    return sum(value for labels, value in series(text, "grid_swept_total") if labels["kind"] == kind)
