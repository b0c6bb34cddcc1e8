"""A full grid, five hundred cars in line, and then something dies: nobody is forgotten, nobody loses his place."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from grid.ledger.keys import key
from grid.local import Service

from . import line
from .conftest import Faulty, run_faulty_grid
from .harness import eventually
from .line import HEARTBEAT_S
from .watch import Watch, Wound

CARS = 560
LEFT = 250
"""So many still wait when the blow falls: long before the line is empty, and long after it began to move."""
ALL_STARTED_WITHIN_S = 60.0
UNTOLD_S = 2.0
"""What ended at a substation shortly before it was killed may not have been told."""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faulty]:
    """Three balancers, three substations with room for some forty cars; a session lasts 1 to 3 s."""
    with run_faulty_grid(tmp_path_factory.mktemp("logs"), list(line.CAPACITIES_KW)) as grid:
        yield grid


class Waiting:
    """A line on a grid, and all that is seen of it."""

    def __init__(self, grid: Faulty, seed: int) -> None:
        self.grid = grid
        self.watch = Watch(grid.local.substations, grid.local.balancers, sample_s=line.SAMPLE_S)
        self.watch.start()
        self.members = line.join(grid.local.url, line.cars(CARS, seed))
        self.promised = {member.session for member in self.members}
        self.turns = {member.session: member.turn for member in self.members}
        self.wounded: set[str] = set()

    def assert_in_order(self, queued: Sequence[str]) -> None:
        """Of the sessions that have not charged: the latest start of the others has moved."""
        records = _records(self.grid)
        new = [session for session in queued if records[session]["attempt"] == 0]
        assert new == sorted(new, key=self.turns.__getitem__)

    def until_left(self, count: int) -> None:
        eventually(lambda: len(self.grid.line()) <= count, within_s=ALL_STARTED_WITHIN_S, what="the line moves")

    def kill_substation(self, substation: Service) -> Wound:
        """With whom it was charging, and whom it had been given."""
        given = _given(self.grid, substation)
        self.watch.look(substation)
        self.grid.local.kill(substation)
        self.watch.killed(substation)
        wound = self.watch.wounds[-1]
        wound.sessions |= given
        untold = [run for run in self.watch.runs.all if run.lasted_until > wound.at - UNTOLD_S]
        self.wounded |= set(wound.sessions) | {run.session for run in untold if run.substation == substation.name}
        return wound

    def until_all_are_done(self) -> None:
        """By the ledger and by the substations: each has charged to its end, and nobody waits.

        What a substation had finished when it was killed, and had not told, is finished again elsewhere.
        """
        eventually(lambda: not self.grid.line(), within_s=ALL_STARTED_WITHIN_S, what="an empty line")
        eventually(lambda: not any(self.grid.committed_kw()), within_s=10, what="an empty grid", every_s=0.1)
        states = Counter(self.grid.session(session)["state"] for session in self.promised)
        assert states == {"finished": len(self.promised)}
        self.watch.ends.read()
        times = {session: self.watch.ends.times_finished(session) for session in self.promised}
        assert not [session for session, count in times.items() if count < 1]
        assert not [session for session, count in times.items() if count > 1 and session not in self.wounded]


@contextmanager
def a_line(grid: Faulty, seed: int) -> Iterator[Waiting]:
    """Everybody has joined; at the end everybody has been served, once."""
    waiting = Waiting(grid, seed)
    try:
        assert sum(member.waited for member in waiting.members) >= CARS - 100, "else the grid is not full"
        yield waiting
        waiting.until_all_are_done()
    finally:
        waiting.watch.stop()
    assert list(waiting.watch.runs.doubles()) == []


def test_the_line_moves_on_without_its_balancers_and_nobody_in_it_is_lost(grid: Faulty) -> None:
    with a_line(grid, seed=1) as waiting:
        waiting.until_left(LEFT)
        one, *others = grid.local.balancers
        grid.local.kill(one)
        waiting.until_left(LEFT - 50)
        for other in others:
            grid.local.kill(other)
        waiting.until_left(LEFT - 150)
        grid.local.restart_what_ended()


@pytest.mark.parametrize("returns", [False, True], ids=["stays away", "returns at once"])
def test_cars_of_a_substation_that_dies_with_one_it_was_given_and_not_told_of_are_in_line_at_their_old_place(
    grid: Faulty, returns: bool
) -> None:
    with a_line(grid, seed=2 + returns) as waiting:
        waiting.until_left(LEFT)
        dying = grid.local.substations[1]
        grid.local.to_redis[dying.name].swallow_replies(only=b"*")  # of scripts: its heartbeats go on
        eventually(lambda: bool(_given(grid, dying)), within_s=5, what="it is given somebody")
        wound = waiting.kill_substation(dying)
        grid.local.to_redis[dying.name].heal()
        if returns:
            grid.local.restart(dying)
        in_line_again: set[str] = set()

        def is_over() -> bool:
            now = grid.line()
            waiting.assert_in_order(now)
            in_line_again.update(set(wound.sessions) & set(now))
            return wound.recovered_after_s is not None

        eventually(is_over, within_s=ALL_STARTED_WITHIN_S, what="its cars charge again")
        print(f"\n{len(wound.sessions)} cars of it; {len(in_line_again)} seen in line again; {_again(waiting, wound)}")
        assert in_line_again or returns, "else this would show nothing"
        if not returns:
            grid.local.restart(dying)


def _given(grid: Faulty, substation: Service) -> dict[str, int]:
    """Session → attempt, of those that the ledger has given to it and it has not confirmed."""
    return {
        session: record["attempt"]
        for session, record in _records(grid).items()
        if record["state"] == "reserved" and record["substation"] == substation.name
    }


def _records(grid: Faulty) -> dict[str, dict[str, Any]]:
    with grid.local.redis_client(decode_responses=True) as redis:
        return {s: json.loads(text) for s, text in redis.hgetall(key("default", "sessions")).items()}


def _again(waiting: Waiting, wound: Wound) -> str:
    """How long after the blow its cars charged again."""
    again = [
        run.started - wound.at for s in wound.sessions for run in waiting.watch.runs.of(s) if run.started > wound.at
    ]
    return f"they charge again {min(again):.1f} to {max(again):.1f} s after the kill"


def test_a_redis_that_is_killed_comes_back_with_everybody_in_line_in_the_same_order(grid: Faulty) -> None:
    with a_line(grid, seed=4) as waiting:
        waiting.until_left(LEFT)
        links = [grid.local.to_redis[substation.name] for substation in grid.local.substations]
        for link in links:
            link.cut()  # so that nobody leaves the line meanwhile
        before = grid.line()
        grid.local.kill(grid.local.redis)
        grid.local.restart(grid.local.redis)
        after = grid.line()
        for link in links:
            link.heal()
        print(f"\n{len(before)} waited when Redis was killed, {len(after)} when it was back")
        assert len(before) > LEFT / 2
        assert after == before
        waiting.assert_in_order(after)


def test_freed_room_is_given_to_the_next_at_once_and_in_turn(grid: Faulty) -> None:
    with a_line(grid, seed=6) as waiting:
        waiting.until_left(0)
    said = line.figures(waiting.watch, waiting.members)
    print(
        f"\n{said.waited} waited; freed room was used after {said.reuse_median_s * 1000:.0f} ms (median),"
        f" {said.reuse_p99_s * 1000:.0f} ms (99 %); room left free {said.idle_share:.1%}; overtaken {said.overtaken}"
    )
    assert said.reuse_median_s < HEARTBEAT_S / 4, "not with the next heartbeat, but with one at once"
    assert said.reuse_p99_s < HEARTBEAT_S
    assert said.idle_share < 0.03
    assert line.UNEXPLAINED not in said.overtaken
