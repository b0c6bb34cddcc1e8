"""What a full grid's line costs, with 10 and with 10,000 in it: to join it, and to look in it for whom there is room.

The two lines are in zones of their own and take turns, so that whatever else the machine does meets both.
"""

import statistics
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from redis import Redis
from rich.console import Console

from grid.ledger import Ended, Heartbeat, Ledger, Listed, Outcome, Request

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
BIGGER = (7_400, 11_000, 22_000, 50_000)
"""Others in line: looked at, too big for what room comes free, and passed."""
WH = 10_000


@dataclass
class FullGrid:
    """A zone whose substations are all full. `cars` are those at the first one, the longest there first."""

    redis: Redis
    ledger: Ledger
    cars: deque[tuple[str, int]] = field(default_factory=deque)
    asked: int = 0
    beats: int = 0

    def fill(self, waiting: int) -> None:
        for number in range(SUBSTATIONS):
            self.ledger.heartbeat(Heartbeat(f"substation-{number}", "http://x", 1, 1, LIMIT, LIMIT))
        self.beats = 1
        for placed in self._ask([WATTS] * SUBSTATIONS * CARS_AT_EACH):
            if placed[0] == "substation-0":
                self.cars.append(placed[1:])
        powers = (WATTS, *BIGGER)
        for first in range(0, waiting, 1_000):
            self._ask([powers[number % len(powers)] for number in range(first, min(first + 1_000, waiting))])

    def join(self) -> None:
        ((outcome, *_),) = self._ask([WATTS])
        assert outcome == Outcome.WAITING

    def beat_in_vain(self) -> None:
        assert not self._beat([])

    def beat_that_gives_one(self) -> None:
        session, attempt = self.cars.popleft()
        (given,) = self._beat([Ended(session, attempt, "finished", WH)])
        self.cars.append(given)

    def _ask(self, powers: list[int]) -> list[tuple[str, str, int]]:
        """Substation, or the outcome if there is none; session and attempt."""
        requests = [Request(f"s{self.asked + number}", "ev-1", watts, WH) for number, watts in enumerate(powers)]
        self.asked += len(powers)
        placements = self.ledger.reserve(requests)
        return [
            (placement.substation or placement.outcome, request.session, placement.attempt)
            for request, placement in zip(requests, placements, strict=True)
        ]

    def _beat(self, ended: list[Ended]) -> list[tuple[str, int]]:
        self.beats += 1
        listed = [Listed(session, attempt, WATTS, WH, 0, "ev-1") for session, attempt in self.cars]
        reply = self.ledger.heartbeat(
            Heartbeat("substation-0", "http://x", 1, self.beats, LIMIT, LIMIT, sessions=listed, ended=ended)
        )
        return [(grant.session, grant.attempt) for grant in reply.grants]


STEPS: dict[str, Callable[[FullGrid], None]] = {
    "reserve: joins the line": FullGrid.join,
    "heartbeat: gives nobody": FullGrid.beat_in_vain,
    "heartbeat: gives to one": FullGrid.beat_that_gives_one,
}


def measure(redis: Redis, console: Console) -> None:
    """Print the table: server µs per call, and how many times the short line's the long one's is."""
    redis.flushall()
    grids = {}
    for waiting in LINES:
        ledger = Ledger(redis, f"line-{waiting}", heartbeat_ttl_ms=3_600_000, longest_line=2 * waiting)
        grids[waiting] = FullGrid(redis, ledger)
        grids[waiting].fill(waiting)
    _round(grids)  # warm
    rounds = [_round(grids) for _ in range(ROUNDS)]
    console.print(f"\n{'server µs, in line':<24} {LINES[0]:<24,} {LINES[1]:<24,} ratio")
    for step in STEPS:
        short, long = ([each[step, waiting] for each in rounds] for waiting in LINES)
        ratio = statistics.median(long) / statistics.median(short)
        console.print(f"{step:<24} {spread(short):<24} {spread(long):<24} {ratio:.2f}", highlight=False)


def _round(grids: dict[int, FullGrid]) -> dict[tuple[str, int], float]:
    """Server µs per call, by step and line."""
    spent: dict[tuple[str, int], float] = dict.fromkeys(((step, waiting) for step in STEPS for waiting in grids), 0.0)
    for turn in range(TURNS):
        for waiting, grid in sorted(grids.items(), reverse=turn % 2 == 1):
            for name, step in STEPS.items():
                grid.redis.config_resetstat()
                for _ in range(CALLS):
                    step(grid)
                spent[name, waiting] += grid.redis.info("commandstats")["cmdstat_evalsha"]["usec"]
    return {key: us / (TURNS * CALLS) for key, us in spent.items()}


def spread(values: list[float]) -> str:
    """The median, and the range."""
    return f"{statistics.median(values):.1f} ({min(values):.1f} to {max(values):.1f})"
