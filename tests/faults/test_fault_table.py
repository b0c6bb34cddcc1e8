"""Each row of the fault table, on real processes: lost and late messages, dead processes, a Redis that forgets."""

import json
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
from grid.ledger import Ledger, Outcome, Request
from grid.ledger.keys import key
from grid.local import Service

from .conftest import LONG, Faulty, run_faulty_grid
from .harness import eventually
from .proxy import Direction
from .watch import Watch

CAR_KW = 11
ROOM_EACH = 10
HEARTBEAT_S = 1.1
STARTED_S = 1.5
"""After its answer, a heartbeat later at most, a car charges."""
SWEEP_S = 0.55
LOST_S = 3.8 + 2 * SWEEP_S
"""From its last heartbeat until its cars are in line again: silent for 2.5 s, for 1.3 s more, each seen by a sweep."""
FINISHED_SOON = {**LONG, "energy_kwh": 22}  # 2 s


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faulty]:
    """Three balancers; three substations with room for ten cars each; an hour in a second. All cars have the one size
    that is protected, so each goes to the least loaded, and every substation has some.
    """
    logs = tmp_path_factory.mktemp("logs")
    with run_faulty_grid(logs, [ROOM_EACH * CAR_KW] * 3, PROTECT_KW=str(CAR_KW)) as grid:
        yield grid


def first(grid: Faulty) -> Service:
    """Where the next car goes while the grid is empty."""
    return grid.local.substations[0]


def charge(grid: Faulty, count: int) -> list[str]:
    """So many cars, known to the ledger as charging."""
    sessions = [grid.ask(LONG).json()["session_id"] for _ in range(count)]
    eventually(lambda: all(grid.session(s)["state"] == "charging" for s in sessions), within_s=5)
    return sessions


def each_charges_once(grid: Faulty, sessions: list[str]) -> bool:
    return all(len(grid.places(session)) == 1 for session in sessions) and grid.is_in_balance()


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


def test_one_that_hears_no_reply_gets_nothing_new_and_what_it_was_only_given_moves(grid: Faulty) -> None:
    sessions = charge(grid, 3)
    deaf = first(grid)
    its_own = grid.charging(deaf)
    grid.local.to_redis[deaf.name].swallow_replies(only=b"*")  # of scripts: it can still connect
    grid.local.to_substation[deaf.name].hold(Direction.REQUESTS)
    given = [grid.ask(LONG).json() for _ in range(3)]
    assert deaf.name in {answer["substation"] for answer in given}
    asked = time.monotonic()
    eventually(lambda: _state(grid, deaf) == "deaf", within_s=5)
    eventually(lambda: all(grid.places(answer["session_id"]) for answer in given), within_s=LOST_S + HEARTBEAT_S)
    print(f"\nwhat it was given charges elsewhere {time.monotonic() - asked:.1f} s after the answer")
    assert {s: row["attempt"] for s, row in grid.charging(deaf).items()} == {
        s: row["attempt"] for s, row in its_own.items()
    }
    grid.local.mend_links()
    every = sessions + [answer["session_id"] for answer in given]
    eventually(lambda: _state(grid, deaf) == "up" and each_charges_once(grid, every), within_s=5)


def test_a_hung_substation_that_wakes_with_an_old_reply_in_its_buffer_starts_nothing(grid: Faulty) -> None:
    hung = first(grid)
    grid.local.to_substation[hung.name].hold(Direction.REQUESTS)
    session = grid.ask(LONG).json()["session_id"]
    grid.local.to_redis[hung.name].hold(Direction.REPLIES)
    heard = _number(grid, hung)
    eventually(lambda: _number(grid, hung) > heard, within_s=2, every_s=0.002)
    grid.local.hang(hung)  # it waits for the reply, which gives the session to it
    grid.local.mend_links()  # the reply, and the POST, are in its buffers
    eventually(lambda: len(grid.places_elsewhere(session, hung)) == 1, within_s=LOST_S + HEARTBEAT_S)
    before = Watch(grid.local.substations, [])
    before.start()
    grid.local.resume(hung)
    eventually(lambda: _state(grid, hung) == "up" and grid.is_in_balance(), within_s=8)
    before.stop()
    assert grid.places(session) != [hung.name]
    assert list(before.runs.doubles()) == []
    assert session not in {run.session for run in before.runs.all if run.substation == hung.name}


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


@pytest.mark.parametrize("silent_s", [3.0, 5.0], ids=["silent", "lost"])
def test_heartbeats_that_come_late_and_twice_change_nothing_that_is_true(grid: Faulty, silent_s: float) -> None:
    sessions = charge(grid, 6)
    late = first(grid)
    held = time.monotonic()
    grid.local.to_redis[late.name].hold(Direction.REQUESTS)
    eventually(lambda: _state(grid, late) != "up", within_s=4)
    sessions.append(grid.ask(LONG).json()["session_id"])
    assert grid.places(sessions[-1]) != [late.name], "nothing new goes there"
    eventually(lambda: time.monotonic() - held > silent_s, within_s=silent_s + 1)
    grid.local.to_redis[late.name].heal()
    took = eventually(lambda: each_charges_once(grid, sessions), within_s=8)
    print(f"\neach car charges at one place {took:.1f} s after {silent_s:g} s of silence")


def test_what_charged_at_a_substation_that_restarts_charges_again_with_the_energy_missing(grid: Faulty) -> None:
    sessions = charge(grid, 6)
    restarting = first(grid)
    its_own = list(grid.charging(restarting))
    assert len(its_own) == 2
    eventually(lambda: all(grid.session(session)["delivered_kwh"] > 5 for session in its_own), within_s=4)
    delivered = {session: grid.session(session)["delivered_kwh"] for session in its_own}
    started = time.monotonic()
    grid.local.kill(restarting)
    grid.local.restart(restarting)
    eventually(lambda: each_charges_once(grid, sessions), within_s=8)
    print(f"\neach car charges again {time.monotonic() - started:.1f} s after the kill")
    rows = {s: row for service in grid.local.substations for s, row in grid.charging(service).items()}
    for session in its_own:
        missing = rows[session]["energy_wh"] / 1000
        assert missing <= LONG["energy_kwh"] - delivered[session]
        assert missing > LONG["energy_kwh"] / 2, "and not less than is missing"


def test_cars_of_a_dead_substation_charge_elsewhere_within_6_s_and_the_others_do_not_notice(grid: Faulty) -> None:
    sessions = charge(grid, 9)
    dead, *others = grid.local.substations
    its_own = list(grid.charging(dead))
    before = {other.name: grid.charging(other) for other in others}
    killed = time.monotonic()
    grid.local.kill(dead)
    promise_s = LOST_S + HEARTBEAT_S
    eventually(lambda: all(map(grid.places, its_own)), within_s=promise_s, what="its cars charge elsewhere")
    print(f"\nits cars charge elsewhere {time.monotonic() - killed:.1f} s after the kill")
    for other in others:
        now = grid.charging(other)
        assert all(now[session]["attempt"] == row["attempt"] for session, row in before[other.name].items())
    assert all(len(grid.places(session)) == 1 for session in sessions)


def test_who_is_given_room_in_a_reply_that_is_lost_hears_it_in_the_next(grid: Faulty) -> None:
    sessions = charge(grid, 3 * ROOM_EACH)
    waiting = grid.ask(LONG).json()["session_id"]
    assert grid.line() == [waiting]
    deaf = first(grid)
    grid.local.to_redis[deaf.name].swallow_replies()
    grid.cancel(next(session for session in sessions if grid.places(session) == [deaf.name]))
    eventually(lambda: grid.session(waiting)["state"] == "reserved", within_s=2, what="room is given")
    assert grid.places(waiting) == [], "it was not told"
    grid.local.to_redis[deaf.name].heal()
    took = eventually(lambda: grid.places(waiting) == [deaf.name], within_s=2 * HEARTBEAT_S, what="it charges")
    print(f"\nit charges {took:.1f} s after the link")
    eventually(grid.is_in_balance, within_s=2 * HEARTBEAT_S)


def test_a_wiped_redis_learns_again_what_charges_and_nothing_is_overloaded(grid: Faulty) -> None:
    sessions = charge(grid, 20)
    grid.local.wipe()
    grid.ask_at_once(30)  # room for ten; a ledger that knows nothing yet has to be told so by the substations
    took = eventually(
        lambda: grid.is_in_balance() and all(grid.session(session)["state"] == "charging" for session in sessions),
        within_s=8,
    )
    print(f"\neverything is known again {took:.1f} s after the wipe; refused: {_refusals(grid)}")
    grid.assert_never_overloaded()


def test_a_redis_rolled_back_learns_what_happened_since(grid: Faulty) -> None:
    stay, leave = charge(grid, 6), charge(grid, 4)
    finish = [grid.ask(FINISHED_SOON).json()["session_id"] for _ in range(4)]
    eventually(lambda: all(grid.session(session)["state"] == "charging" for session in finish), within_s=2)
    image = grid.local.image()
    for session in leave:
        grid.cancel(session)
    eventually(lambda: all(grid.session(session)["state"] == "finished" for session in finish), within_s=5)
    came = charge(grid, 15)
    grid.local.roll_back(image)
    grid.ask_at_once(20)
    took = eventually(
        lambda: (
            grid.is_in_balance()
            and all(grid.session(session)["state"] == "charging" for session in stay + came)
            and all(grid.session(session)["state"] == "finished" for session in finish)
            and not any(grid.places(session) for session in leave)
        ),
        within_s=10,
    )
    print(f"\neverything is true again {took:.1f} s after the rollback; refused: {_refusals(grid)}")
    grid.assert_never_overloaded()


def _state(grid: Faulty, substation: Service) -> str:
    return str(next(row["state"] for row in grid.substations() if row["substation"] == substation.name))


def _number(grid: Faulty, substation: Service) -> int:
    """Of its last heartbeat that the ledger has taken in."""
    with grid.local.redis_client(decode_responses=True) as redis:
        about: str = redis.hget(key("default", "substations"), substation.name) or "{}"
    return int(json.loads(about)["number"])


def _refusals(grid: Faulty) -> int:
    """409s of all substations since they started."""
    return round(
        sum(grid.metric(substation, "grid_substation_refusals_total") for substation in grid.local.substations)
    )
