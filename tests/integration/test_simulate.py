"""The laboratory with the real scripts: however they are told, they decide the same; and what a whole run leaves."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import chain, takewhile
from math import inf
from pathlib import Path

import pytest
from redis import Redis
from rich.console import Console

from loadtest.simulate import validation
from loadtest.simulate.__main__ import run
from loadtest.simulate.arms import Arm, Rule
from loadtest.simulate.cells import Cell
from loadtest.simulate.cells import run as run_cell
from loadtest.simulate.options import parse
from loadtest.simulate.policies import PlainRule, Policy
from loadtest.simulate.scenario import PowerClass, Scenario, Stays
from loadtest.simulate.scripts import FORGET_AFTER, DisagreementError, LedgerPolicy, Scripts, ScriptsWithHeartbeats
from loadtest.simulate.simulation import simulate
from loadtest.simulate.timeline import Event, What, chunks

from .conftest import eventually, obey_ctrl_c

CLASSES = (PowerClass(11_000, 0.6), PowerClass(50_000, 0.3), PowerClass(150_000, 0.1))
LIMITS = (400_000, 250_000, 100_000)
PROTECT = (150_000, 50_000)


UNTIL = {"redis-server": 8.0, "fakeredis": 0.6}
"""Mean stays."""


def scenario(arrivals: int, load: float = 1.0) -> Scenario:
    return Scenario(LIMITS, CLASSES, load, Stays.EXPONENTIAL, arrivals, seed=1)


RUSH = scenario(1_000, load=2.0)


def decisions(policy: Policy, events: Sequence[list[Event]]) -> list[int | None]:
    return [decision for chunk in events for decision in policy.decide(chunk)]


@pytest.fixture
def until(redis: Redis, request: pytest.FixtureRequest) -> float:
    """fakeredis is slow."""
    return UNTIL[request.node.callspec.params["redis_url"]]


def rush(until: float, period: float = inf) -> list[Event]:
    """What happens by then on a grid that is offered twice what it carries."""
    return list(takewhile(lambda event: event.at < until, chain(*chunks(RUSH, period))))


@pytest.mark.parametrize("protect", [(), PROTECT], ids=["least loaded", "protected"])
def test_however_the_scripts_are_told_they_decide_the_same(
    redis: Redis, until: float, protect: tuple[int, ...]
) -> None:
    together = [rush(until)]
    one_by_one = [[event] for event in together[0]]
    often = [rush(until, period=1 / RUSH.rate)]
    seldom = [rush(until, period=20 / RUSH.rate)]

    told: list[tuple[type[Scripts | ScriptsWithHeartbeats], Sequence[list[Event]]]] = [
        *((Scripts, events) for events in (together, one_by_one)),
        *((ScriptsWithHeartbeats, events) for events in (often, seldom)),
    ]
    found = []
    for kind, events in told:
        redis.flushall()
        policy = kind(redis, LIMITS, protect)
        found.append((decisions(policy, events), policy.committed))

    assert all(each == found[0] for each in found)
    assert None in found[0][0], "somebody is refused"
    assert set(found[0][0]) == {None, 0, 1, 2}


def test_late_news_of_ends_costs_room_and_no_limit(redis_server_url: str) -> None:
    """Watts of those who have left are held until the next heartbeat, so less is accepted; nothing is given twice."""

    def accepted(period: float, late: bool) -> int:
        with Redis.from_url(redis_server_url, decode_responses=True) as redis:
            redis.flushall()
            policy = ScriptsWithHeartbeats(redis, LIMITS, PROTECT, late)
            figures, books = simulate(replace(RUSH, arrivals=120), policy, period / RUSH.rate)
            assert policy.committed == books.committed
        assert figures.peak <= 1
        return figures.arrivals - figures.refused

    assert accepted(40, late=True) < 0.9 * accepted(40, late=False)


class LeastLoaded(PlainRule):
    """By looking at all."""

    def choose(self, watts: int) -> int | None:
        fitting = [number for number, free in enumerate(self.free) if free >= watts]
        return min(fitting, key=self.load, default=None)


def test_with_nothing_protected_it_is_the_least_loaded(redis: Redis, until: float) -> None:
    events = [rush(until)]

    assert decisions(Scripts(redis, LIMITS), events) == decisions(LeastLoaded(LIMITS), events)


def test_what_is_to_be_protected_is(redis: Redis) -> None:
    """It breaks a slot of the first, which is as loaded as the others, and none of the second."""
    car = [Event(0.0, What.ASKS, 1, 0, 11_000)]

    assert Scripts(redis, LIMITS, protect=(100_000,)).decide(car) == [1]
    redis.flushall()
    assert Scripts(redis, LIMITS).decide(car) == [0]


def test_what_has_ended_is_forgotten(redis_server_url: str) -> None:
    grid = scenario(4 * FORGET_AFTER, load=0.3)
    with Redis.from_url(redis_server_url, decode_responses=True) as redis:
        redis.flushall()
        policy = Scripts(redis, LIMITS)
        most = 0
        for chunk in chunks(grid):
            policy.decide(chunk)
            most = max(most, redis.hlen("{grid:laboratory}:sessions"))

    assert most < 1.5 * FORGET_AFTER


def test_an_answer_that_nobody_asked_for_ends_the_run(redis: Redis) -> None:
    policy = Scripts(redis, LIMITS)
    redis.flushall()

    with pytest.raises(DisagreementError, match="nowhere"):
        policy.decide([Event(0.0, What.ASKS, 1, 0, 11_000)])


@pytest.mark.parametrize("per_period", [None, 5.0])
def test_the_ledger_must_say_what_the_books_say(
    redis_server_url: str, per_period: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = Cell(Arm(Rule.LEAST_LOADED, per_period=per_period), scenario(500))
    assert run_cell(cell).figures.refused > 0

    monkeypatch.setattr(LedgerPolicy, "committed", [0, 0, 1])
    with pytest.raises(DisagreementError, match="committed"):
        run_cell(cell)


def test_the_scripts_reproduce_known_results(redis_server_url: str) -> None:
    """All checks of the validation that the real scripts decide, with fewer arrivals."""
    grid, wide = (300_000, 150_000), scenario(4_000)
    ours = [check for check in validation.checks(1_000, seed=1) if check.cell.arm.rule.is_ours]
    small = [
        replace(check, cell=Cell(check.cell.arm, replace(check.cell.scenario, limits=limits, arrivals=wide.arrivals)))
        for check, limits in ((ours[0], grid), (ours[-2], (1_000_000,)))
    ]
    lines = [line for check in small for line in check.lines(run_cell(check.cell))]

    assert len(lines) == 1 + 6
    assert all(line.holds for line in lines)
    assert max(line.within for line in lines) < 0.15


def test_a_study_is_shown_drawn_and_written(tmp_path: Path) -> None:
    typed = "--substations 3x200 --sizes 11:0.8,150:0.2 --loads 0.8,1 --arrivals 2000 --processes 2 --protect 150"
    arms = "--arms protect,polling@20,best-fit,random"
    out = io.StringIO()
    asked = parse([*typed.split(), *arms.split(), "--out", str(tmp_path / "new")], "about")
    assert run(asked, Console(file=out, width=160), Console(quiet=True))

    shown = out.getvalue()
    assert "3 x 200 kW, offered load 0.8, exponential stays" in shown
    for said in ("protect 150", "polling @20", "pooled (Kaufman-Roberts)", "within limits (fluid bound)", "min ÷ max"):
        assert shown.count(said) >= 2
    assert "arrivals in" in shown.splitlines()[-1] + shown.splitlines()[-2]
    assert (tmp_path / "new" / "placement.png").stat().st_size > 10_000
    written = json.loads((tmp_path / "new" / "placement.json").read_text())
    assert written["machine"].keys() == {"cores", "Python", "redis-py", "Redis"}
    for load, of in zip((0.8, 1.0), written["scenarios"], strict=True):
        assert (of["load"], of["limits_w"], of["stays"], of["seed"]) == (load, [200_000] * 3, "exponential", 1)
        assert of["theory"]["fluid_bound"] == 1
        assert 0.5 < of["theory"]["kaufman_roberts"]["carried"] < 1
        names = [arm["arm"] for arm in of["arms"]]
        assert names == ["protect 150", "polling @20", "best-fit", "random"]
        ours, polling, best, _ = of["arms"]
        assert ours["arrivals"] == 2_000
        assert ours["refused_though_it_fitted"] == best["refused_though_it_fitted"] == 0
        assert ours["of_pooled"] == ours["carried"]["value"] / of["theory"]["kaufman_roberts"]["carried"]
        assert ours["carried"]["plus_minus"] > 0
        assert len(ours["classes"]) == 2
        assert ours["overloaded"]["value"] == 0 < polling["overloaded"]["value"]
        assert ours["peak"] <= 1 < polling["peak"]
        assert polling["herd_formula"] > 1
        assert ours["protect_w"] == [150_000]


def test_without_redis_server_it_runs_on_fakeredis(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    cell = Cell(Arm(Rule.LEAST_LOADED), Scenario((50_000,), CLASSES, 0.5, Stays.EXPONENTIAL, 20, seed=1))

    assert run_cell(cell).figures.arrivals == 20


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_nothing_lives_after_it(redis_server_url: str, tmp_path: Path, number: signal.Signals) -> None:
    command = [sys.executable, "-m", "loadtest.simulate", "--arms", "least-loaded", "--arrivals", "10000000"]
    command += ["--processes", "2", "--out", str(tmp_path / "out")]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    ours = subprocess.Popen(
        command,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=obey_ctrl_c,
    )
    try:
        eventually(lambda: sum("redis-server" in each for each in _commands(tmp_path)) == 2, within_s=30)
        if number is signal.SIGINT:
            os.killpg(ours.pid, number)  # as a terminal does
        else:
            ours.kill()
        _, said = ours.communicate(timeout=30)
    finally:
        ours.kill()
        ours.wait()

    eventually(lambda: not _commands(tmp_path), within_s=30)
    assert "Traceback" not in said
    assert ("Stopped." in said) == (number is not signal.SIGKILL)


def _commands(folder: Path) -> list[str]:
    """Of all processes that were given this folder for what is temporary; Redis hides that, and works in it."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            given = str(folder).encode() in process.joinpath("environ").read_bytes()
            if given or process.joinpath("cwd").readlink().is_relative_to(folder):
                found.append(process.joinpath("cmdline").read_text())
    return found
