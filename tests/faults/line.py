"""`python -m tests.faults.line CARS SEED`: a full grid and a long line.

How soon is freed room used again, how full is the grid meanwhile, and does everybody start in turn? By the substations'
own account of what they ran, not the ledger's.
"""

import math
import random
import shutil
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import requests
from rich.console import Console
from rich.table import Table

from grid.local import end_on_signals
from tests.conftest import NO_REDIS

from . import load
from .harness import PATIENCE_MS, PRIORITY_SHIFT_MS, SETTINGS, TIME_SCALE, FaultyGrid, eventually
from .runs import Run
from .watch import Watch

CAPACITIES_KW = (110, 165, 220)
LOGS = Path("build/line")
FLEET = 20
SAMPLE_S = 0.03
HEARTBEAT_S = 1.1
"""The longest time between two heartbeats."""
TOGETHER_S = 0.05
"""Who starts within it starts together: one heartbeat's reply starts several, and a status is not more exact."""

SHIFT_MS = {"emergency": -PRIORITY_SHIFT_MS, "normal": 0, "flexible": PRIORITY_SHIFT_MS}
HURRY_SHARE, READY_WITHIN_H = 0.1, (1.0, 6.0)

SMALLER = "by a smaller one, for which there was room"
ELSEWHERE = "by one given to another substation, whose heartbeat came sooner"
BEFORE_IT_CAME = "by one that had been given a place when it came"
UNEXPLAINED = "for no known reason"


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody in line; `joined` by time.monotonic(). `latest`: when it should begin, in ms since the epoch."""

    session: str
    watts: int
    latest: int
    joined: float
    waited: bool
    """It was told 202."""

    @property
    def turn(self) -> tuple[int, str]:
        return self.latest, self.session


def cars(count: int, seed: int) -> list[dict[str, Any]]:
    """Of every power and urgency."""
    chance = random.Random(seed)
    powers, shares = zip(*load.CARS, strict=True)
    wanted = []
    for number in range(count):
        power = chance.choices(powers, shares)[0]
        seconds = chance.triangular(*load.SHORT_SECONDS)
        car = {
            "vehicle_id": f"ev-{number}",
            "power_kw": power,
            "energy_kwh": round(power * seconds * TIME_SCALE / 3600, 3),
            "priority": chance.choices(list(load.PRIORITIES), list(load.PRIORITIES.values()))[0],
        }
        if chance.random() < HURRY_SHARE:
            ready_by = datetime.now(UTC) + timedelta(hours=chance.uniform(*READY_WITHIN_H))
            car["ready_by"] = ready_by.isoformat(timespec="milliseconds")
        wanted.append(car)
    return wanted


def join(url: str, wanted: Sequence[Mapping[str, Any]]) -> list[Member]:
    """Ask for all of them, one fleet after the other."""
    members = []
    for first in range(0, len(wanted), FLEET):
        fleet = wanted[first : first + FLEET]
        answers = requests.post(f"{url}/request-charge", json=fleet, timeout=15).json()
        joined = time.monotonic()
        members += [
            _member(number, car, answer, joined)
            for number, (car, answer) in enumerate(zip(fleet, answers, strict=True))
        ]
    return members


def _member(number: int, car: Mapping[str, Any], answer: Mapping[str, Any], joined: float) -> Member:
    accepted = _ms(answer["accepted_at"])
    latest = accepted + PATIENCE_MS
    if "ready_by" in car:
        watts, energy_wh = round(car["power_kw"] * 1000), round(car["energy_kwh"] * 1000)
        latest = max(accepted, _ms(car["ready_by"]) - math.ceil(energy_wh * 3_600_000 / watts / TIME_SCALE))
    latest += SHIFT_MS[car.get("priority", "normal")] + number  # in its fleet
    waited = answer["status"] == 202
    return Member(answer["session_id"], round(car["power_kw"] * 1000), latest, joined, waited)


def _ms(time: str) -> int:
    return round(datetime.fromisoformat(time).timestamp() * 1000)


def reuse_s(runs: Sequence[Run], members: Mapping[str, Member], limits: Mapping[str, int]) -> list[float]:
    """For each that had waited: how long there had been room for it where it first started.

    There is room from the moment on at which all that has ended there, and the limit, are as much as all that has
    started there, this one included.
    """
    delays = []
    first = {id(run) for run in first_runs(runs)}
    for substation, limit in limits.items():
        here = [run for run in runs if run.substation == substation]
        ends = iter(sorted((run.lasted_until, run.watts) for run in here))
        room, since = limit, -math.inf
        for run in sorted(here, key=lambda run: run.started):
            while room < run.watts:
                since, freed = next(ends)
                room += freed
            room -= run.watts
            member = members[run.session]
            if member.waited and id(run) in first:
                delays.append(max(0.0, run.started - max(since, member.joined)))
    return delays


def utilisation(runs: Sequence[Run], since: float, until: float, limit: int) -> float:
    """Energy drawn ÷ energy that could have been drawn, between two times."""
    drawn = sum(run.watts * max(0.0, min(run.lasted_until, until) - max(run.started, since)) for run in runs)
    return drawn / (limit * (until - since))


def idle_share(
    runs: Sequence[Run], line: Sequence[Member], limits: Mapping[str, int], since: float, until: float
) -> float:
    """Of all room between two times, what was free though somebody in line would have fitted there."""
    changes: list[tuple[float, str, int, Run | None]] = [(run.started, run.substation, -run.watts, run) for run in runs]
    changes += [(run.lasted_until, run.substation, run.watts, None) for run in runs]
    free, waiting = dict(limits), Counter(member.watts for member in line)
    has_started: set[str] = set()
    idle, last = 0.0, since
    for at, substation, watts, begins in sorted(changes, key=lambda change: change[0]):
        if since < at < until:
            smallest = min(waiting, default=math.inf)
            idle += sum(room for room in free.values() if room >= smallest) * (at - last)
            last = at
        free[substation] += watts
        if begins and begins.session not in has_started:
            has_started.add(begins.session)
            waiting -= Counter([begins.watts])
    return idle / (sum(limits.values()) * (until - since))


def first_runs(runs: Sequence[Run]) -> list[Run]:
    """Of each session, in order of their start: another run of it was interrupted before."""
    first: dict[str, Run] = {}
    for run in sorted(runs, key=lambda run: run.started):
        first.setdefault(run.session, run)
    return list(first.values())


def overtaken(runs: Sequence[Run], members: Mapping[str, Member]) -> Iterator[tuple[str, str]]:
    """Every session in line that saw a later one start before it, and why: the worst of the reasons."""
    reasons = [SMALLER, ELSEWHERE, BEFORE_IT_CAME, UNEXPLAINED]
    for run in runs:
        me = members[run.session]
        why = [
            _why(run, me, other, members[other.session])
            for other in runs
            if members[other.session].turn > me.turn and me.joined < other.started < run.started - TOGETHER_S
        ]
        if me.waited and why:
            yield me.session, max(why, key=reasons.index)


def _why(run: Run, me: Member, other: Run, them: Member) -> str:
    if them.watts < me.watts:
        return SMALLER
    if other.started - me.joined < HEARTBEAT_S:
        return BEFORE_IT_CAME
    if other.substation != run.substation and run.started - other.started < HEARTBEAT_S:
        return ELSEWHERE
    return UNEXPLAINED


@dataclass(frozen=True)
class Figures:
    """Of one line, from when everybody had joined until the last had started. s."""

    waited: int
    lasted_s: float
    reuse_s: Sequence[float]
    utilisation: float
    idle_share: float
    """Of all room, what was free though somebody in line would have fitted."""
    overtaken: Mapping[str, int]
    interruptions: int
    never_started: Sequence[str]
    at_two_places: int

    @property
    def reuse_median_s(self) -> float:
        return median(self.reuse_s)

    @property
    def reuse_p99_s(self) -> float:
        return quantiles(self.reuse_s, n=100)[98]


def figures(watch: Watch, line: Sequence[Member]) -> Figures:
    """Put together what the substations ran of those who were in line."""
    limits = {substation: said.limit for (substation, _), said in watch.figures.items()}
    members = {member.session: member for member in line}
    mine = sorted((run for run in watch.runs.all if run.session in members), key=lambda run: run.started)
    starts: dict[str, float] = defaultdict(lambda: math.inf)
    for run in mine:
        starts[run.session] = min(starts[run.session], run.started)
    since = max(member.joined for member in line)
    until = max(start for session, start in starts.items() if members[session].waited)
    return Figures(
        waited=sum(member.waited for member in line),
        lasted_s=until - since,
        reuse_s=reuse_s(mine, members, limits),
        utilisation=utilisation(mine, since, until, sum(limits.values())),
        idle_share=idle_share(mine, line, limits, since, until),
        overtaken=Counter(why for _, why in overtaken(first_runs(mine), members)),
        interruptions=len(mine) - len(first_runs(mine)),
        never_started=[session for session in members if session not in starts],
        at_two_places=len(list(watch.runs.doubles())),
    )


def show(said: Figures, console: Console) -> None:
    """For a person."""
    table = Table(title=f"A line of {said.waited}, served in {said.lasted_s:.1f} s", show_header=False)
    table.add_row("freed room is used again after, median", f"{said.reuse_median_s * 1000:.0f} ms")
    table.add_row("99 % of it within", f"{said.reuse_p99_s * 1000:.0f} ms")
    table.add_row("slowest", f"{max(said.reuse_s) * 1000:.0f} ms")
    table.add_row("drawn ÷ limit while anybody waits", f"{said.utilisation:.1%}")
    table.add_row("room free though somebody in line would fit", f"{said.idle_share:.1%}")
    for why, count in said.overtaken.items():
        table.add_row(f"overtaken {why}", str(count))
    table.add_row("interrupted for a more urgent one", str(said.interruptions))
    table.add_row("never started", str(len(said.never_started)))
    table.add_row("at two places at once", str(said.at_two_places))
    console.print(table)


def measure(count: int, seed: int, redis_server: str) -> Figures:
    """Fill a grid of its own, let everybody else wait, and watch until the last is done."""
    with FaultyGrid(redis_server, LOGS, CAPACITIES_KW, settings=SETTINGS) as grid:
        watch = Watch(grid.substations, grid.balancers, sample_s=SAMPLE_S)
        watch.start()
        try:
            line = join(grid.url, cars(count, seed))
            ids = {member.session for member in line}

            def all_are_done() -> bool:
                over = (run for run in watch.runs.all if run.ended and run.due - run.ended < TOGETHER_S)
                return {run.session for run in over} >= ids

            eventually(all_are_done, within_s=count, what="all are done")
        finally:
            watch.stop()
        return figures(watch, line)


def main() -> None:
    """Exits with 1 if somebody never started, was charged twice at once, or was overtaken for no known reason."""
    end_on_signals()
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 540
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 7
    redis_server = shutil.which("redis-server")
    if redis_server is None:
        sys.exit(NO_REDIS)
    said = measure(count, seed, redis_server)
    show(said, Console())
    if said.never_started or said.at_two_places or UNEXPLAINED in said.overtaken:
        sys.exit(1)


if __name__ == "__main__":
    main()
