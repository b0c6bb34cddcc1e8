"""The fault table's rows of requests and balancers on real processes: races, lost messages, dead balancers."""

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from balancer.dispatch import Dispatcher
from balancer.substation import SubstationClient
from grid.http import Client, NotSent, Reply
from grid.ledger import Ledger
from grid.ledger.keys import key
from grid.ledger.records import Outcome, Request

from .conftest import LONG, Faulty
from .harness import eventually
from .line import HEARTBEAT_S
from .proxy import Direction
from .three_substations import CAR_KW, STARTED_S, charge, each_charges_once, first, run_three_substations


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faulty]:
    with run_three_substations(tmp_path_factory.mktemp("logs")) as grid:
        yield grid


def test_balancers_that_race_fill_the_grid_to_the_last_car_and_not_above(grid: Faulty) -> None:
    with ThreadPoolExecutor(60) as pool:
        answers = list(pool.map(lambda _: grid.ask(LONG), range(60)))
    assert Counter(answer.status_code for answer in answers) == {201: 30, 202: 30}
    assert {a.json()["session_id"] for a in answers if a.status_code == 202} == set(grid.line())
    assert [grid.status(s)["drawn_watts"] for s in grid.local.substations] == [110_000] * 3


def test_a_lost_reply_of_redis_counts_no_watt_twice(grid: Faulty) -> None:
    links = [grid.local.to_redis[balancer.name] for balancer in grid.local.balancers]
    for link in links:
        link.swallow_replies()
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(grid.ask_until_answered, LONG, "lost-reply")
        with grid.local.redis_client() as redis:
            eventually(lambda: redis.zcard(key("default", "by_substation")) == 1, within_s=5, what="a reservation")
        for link in links:
            link.heal()
        session = asking.result()["session_id"]
    assert grid.ask(LONG, "lost-reply").json()["session_id"] == session
    eventually(lambda: sum(grid.committed_kw()) == CAR_KW and len(grid.places(session)) == 1, within_s=8)
    grid.cancel(session)
    eventually(lambda: not any(grid.committed_kw()), within_s=5)


def test_a_post_whose_answer_is_lost_has_started_the_car(grid: Faulty) -> None:
    silent = first(grid)
    grid.local.to_substation[silent.name].swallow_replies()
    answer = grid.ask(LONG).json()
    assert (answer["status"], answer["state"], answer["substation"]) == (201, "reserved", silent.name)
    assert grid.places(answer["session_id"]) == [silent.name]
    grid.local.mend_links()
    eventually(grid.is_in_balance, within_s=2 * HEARTBEAT_S)


def test_a_post_that_is_lost_is_made_good_by_the_next_heartbeat_and_starts_nothing_when_it_comes_late(
    grid: Faulty,
) -> None:
    late = first(grid)
    before = grid.status(late)["started"]
    grid.local.to_substation[late.name].hold(Direction.REQUESTS)
    answer = grid.ask(LONG).json()
    assert (answer["status"], answer["substation"]) == (201, late.name)
    took = eventually(lambda: grid.places(answer["session_id"]) == [late.name], within_s=STARTED_S)
    print(f"\nit charges {took:.1f} s after the answer")
    grid.local.to_substation[late.name].heal()
    eventually(grid.is_in_balance, within_s=2 * HEARTBEAT_S)
    assert grid.status(late)["started"] == before + 1


def test_what_a_balancer_had_reserved_when_it_was_killed_charges(grid: Faulty) -> None:
    dying = grid.local.balancers[0]
    for link in grid.local.to_substation.values():
        link.hold(Direction.REQUESTS)
    session = f"default-{'0' * 23}1"
    order = {"session_id": session, "vehicle_id": "ev-1", "watts": 11_000, "energy_wh": 1_000_000}
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(requests.post, f"{dying.url}/route", json=order, timeout=10)
        eventually(lambda: sum(grid.committed_kw()) == CAR_KW, within_s=2)
        grid.local.kill(dying)
        killed = time.monotonic()
        assert isinstance(asking.exception(), requests.ConnectionError)
    for link in grid.local.to_substation.values():
        link.cut()  # what was on its way is gone
        link.heal()
    eventually(lambda: len(grid.places(session)) == 1, within_s=STARTED_S)
    print(f"\nit charges {time.monotonic() - killed:.1f} s after the kill")
    assert time.monotonic() - killed < STARTED_S


def test_a_session_whose_caller_got_only_an_error_does_not_charge(grid: Faulty) -> None:
    for balancer in grid.local.balancers:
        grid.local.to_redis[balancer.name].swallow_replies()
    assert grid.ask(LONG).status_code == 503
    with grid.local.redis_client() as redis:
        assert redis.zcard(key("default", "by_substation")) == 1, "it was reserved"
    grid.local.mend_links()
    took = eventually(lambda: grid.is_in_balance() and not any(grid.committed_kw()), within_s=10)
    print(f"\nits watts are back {took:.1f} s after the links")
    assert grid.ask(LONG).status_code == 201


def test_a_balancer_that_reaches_no_substation_empties_the_zone_for_no_other(grid: Faulty) -> None:
    class CutOff(Client):
        def call(self, method: str, url: str, *rest: Any, **more: Any) -> Reply:
            raise NotSent(url)

    with grid.local.redis_client(decode_responses=True) as redis, ThreadPoolExecutor(1) as pool:
        dispatcher = Dispatcher(Ledger(redis, "default"), SubstationClient(CutOff(1, 1, 1)), pool)
        cars = [Request(f"default-{number:024}", "ev", 11_000, 1_000_000) for number in range(100, 112)]
        for car in cars:
            (decision,) = dispatcher.route([car], "x")
            assert decision.placement.outcome is Outcome.PLACED
            rows = grid.substations()
            assert sum(row["headroom_kw"] > 0 for row in rows) >= 2, rows
    assert grid.ask(LONG).status_code == 201
    eventually(lambda: each_charges_once(grid, [car.session for car in cars]), within_s=STARTED_S)


def test_a_balancer_that_is_cut_off_from_redis_fails_no_request(grid: Faulty) -> None:
    grid.local.to_redis[grid.local.balancers[0].name].swallow_replies()
    charge(grid, 9)
    assert sum(grid.committed_kw()) == 9 * CAR_KW
