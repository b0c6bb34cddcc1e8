"""What a full grid's queue costs, with 10 and with 10,000 in it: to join it, to give room to it, to preempt for it.

Each queue is in a zone of its own, and they take turns, so that whatever else the machine does meets all.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count
from statistics import fmean, median

from redis import Redis
from rich.console import Console

from grid.ledger import Ledger, LedgerConfig
from grid.ledger.records import Ended, Grant, Outcome, Placement
from loadtest.bench.micro import cost
from loadtest.bench.micro.table import show
from loadtest.bench.micro.zone import HOUR_MS, Substation, car

LINES = (10, 10_000)
ROUNDS = 9
TURNS = 20
"""In a round."""
CALLS = 5
"""In a turn, of each kind: what joins is given room, so a line is never more than this longer than it is called."""
SUBSTATIONS = 10
WATTS = 3_700
CARS_AT_EACH = 27
LIMIT = CARS_AT_EACH * WATTS
POWERS = (WATTS, 7_400, 11_000, 22_000, 50_000)
"""In line. All but the first are looked at, too big for what room comes free, and passed."""
AT_ONCE = 1_000


@dataclass
class FullGrid:
    """A zone whose substations are all full."""

    ledger: Ledger
    first: Substation = field(default_factory=lambda: Substation("substation-0", LIMIT))
    stopped: list[Ended] = field(default_factory=list)
    """What the last reply stopped, to be reported."""

    def fill(self, waiting: int) -> None:
        self._beat([])
        for number in range(1, SUBSTATIONS):
            self.ledger.heartbeat(Substation(f"substation-{number}", LIMIT).heartbeat())
        self._ask([WATTS] * SUBSTATIONS * CARS_AT_EACH)
        self._beat([])
        for begin in range(0, waiting, AT_ONCE):
            self._ask([POWERS[number % len(POWERS)] for number in range(begin, min(begin + AT_ONCE, waiting))])

    def join(self) -> None:
        (placed,) = self._ask([WATTS])
        assert placed.outcome == Outcome.WAITING

    def beat_in_vain(self) -> None:
        assert not self._beat([])

    def beat_that_gives_one(self) -> None:
        gone = self.first.cars.pop(0)
        (grant,) = self._beat([Ended(gone.session, gone.attempt, "finished", gone.energy_wh, gone.attempt)])
        self.first.plug_in(grant, grant.attempt)

    def beat_that_preempts(self) -> None:
        """It reports what the one before has stopped, gives that room away, and stops again."""
        reply = self.ledger.heartbeat(self.first.heartbeat(self.stopped))
        assert reply.stops
        for grant in reply.grants:
            self.first.plug_in(grant, grant.attempt)
        self.stopped = [Ended(stop.session, stop.attempt, "stopped", 0, stop.attempt) for stop in reply.stops]
        gone = {end.session for end in self.stopped}
        self.first.cars = [car for car in self.first.cars if car.session not in gone]

    def _ask(self, powers: Sequence[int]) -> list[Placement]:
        cars = [car(self.ledger.zone, watts) for watts in powers]
        placements = self.ledger.reserve(cars)
        for request, placed in zip(cars, placements, strict=True):
            if placed.substation == self.first.name:
                self.first.plug_in(request, placed.attempt)
        return placements

    def _beat(self, ended: list[Ended]) -> list[Grant]:
        return self.ledger.heartbeat(self.first.heartbeat(ended)).grants


ALWAYS = LedgerConfig(preemption_slack=1, patience=1, give_up=10**12)
"""Each heartbeat preempts, on a clock that moves on by a second with each call: what is queued is late by more."""
STEP_MS = 1_000
PREEMPTS = "heartbeat: preempts"
STEPS: Mapping[str, Callable[[FullGrid], None]] = {
    "reserve: joins the line": FullGrid.join,
    "heartbeat: gives nobody": FullGrid.beat_in_vain,
    "heartbeat: gives to one": FullGrid.beat_that_gives_one,
}


def measure(redis: Redis, console: Console) -> None:
    """Print the fourth table: server µs per call, and how many times the short line's the long one's is."""
    redis.flushall()
    grids = {waiting: full_grid(redis, waiting) for waiting in LINES}
    urgent = {waiting: urgent_grid(redis, waiting) for waiting in LINES}
    server_us = take_turns(redis, grids, urgent, ROUNDS)
    rows = []
    for step in (*STEPS, PREEMPTS):
        short, long = (server_us[step, waiting] for waiting in LINES)
        rows.append((step, short, long, f"{median(long) / median(short):.2f}"))
    head = ("server µs per call", *(f"{waiting:,} in line" for waiting in LINES), f"÷ with {LINES[0]}")
    show(console, f"Who waits for {SUBSTATIONS} full substations with {CARS_AT_EACH} cars each", head, rows)


def full_grid(redis: Redis, waiting: int) -> FullGrid:
    config = LedgerConfig(heartbeat_ttl=HOUR_MS, longest_line=2 * waiting)
    grid = FullGrid(Ledger(redis, f"line-{waiting}", config))
    grid.fill(waiting)
    return grid


def urgent_grid(redis: Redis, waiting: int) -> FullGrid:
    config = replace(ALWAYS, heartbeat_ttl=10**12, longest_line=2 * waiting)
    clock = count(10**12, STEP_MS).__next__
    grid = FullGrid(Ledger(redis, f"urgent-{waiting}", config, clock=clock))
    grid.fill(waiting)
    for _ in range(5):  # until the first in the queue has less time than what charges
        grid.beat_in_vain()
    return grid


def take_turns(
    redis: Redis, grids: Mapping[int, FullGrid], urgent: Mapping[int, FullGrid], rounds: int
) -> dict[tuple[str, int], list[float]]:
    """Server µs per call in each round, by step and line. The round before the first warms up."""
    server_us = defaultdict(list)
    for number in range(rounds + 1):
        for key, mean in _round(redis, grids, urgent).items():
            if number > 0:
                server_us[key].append(mean)
    return dict(server_us)


def _round(redis: Redis, grids: Mapping[int, FullGrid], urgent: Mapping[int, FullGrid]) -> dict[tuple[str, int], float]:
    spent = defaultdict(list)
    for turn in range(TURNS):
        for waiting, grid in sorted(grids.items(), reverse=turn % 2 == 1):
            for name, step in STEPS.items():
                spent[name, waiting].append(cost.measure(redis, [partial(step, grid)] * CALLS).server_us)
            calls = [partial(FullGrid.beat_that_preempts, urgent[waiting])] * CALLS
            spent[PREEMPTS, waiting].append(cost.measure(redis, calls).server_us)
    return {key: fmean(each) for key, each in spent.items()}
