"""The fault table's substation rows on real processes: dead, hung, restarted, cut off in one direction."""

import json
import time
from collections.abc import Iterator

import pytest

from grid.ledger.keys import key
from grid.local import Service

from .conftest import LONG, Faulty
from .harness import eventually
from .line import HEARTBEAT_S
from .proxy import Direction
from .three_substations import LOST_S, ROOM_EACH, charge, each_charges_once, first, run_three_substations
from .watch import Watch


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faulty]:
    with run_three_substations(tmp_path_factory.mktemp("logs")) as grid:
        yield grid


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


def _state(grid: Faulty, substation: Service) -> str:
    return str(next(row["state"] for row in grid.substations() if row["substation"] == substation.name))


def _number(grid: Faulty, substation: Service) -> int:
    """Of its last heartbeat that the ledger has taken in."""
    with grid.local.redis_client(decode_responses=True) as redis:
        about: str = redis.hget(key("default", "substations"), substation.name) or "{}"
    return int(json.loads(about)["number"])
