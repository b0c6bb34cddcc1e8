"""What it costs to protect charger sizes: the same grid asked with four protected, and with none.

Once empty, where all substations are alike: then most of them are looked at in vain, which is the dearest there is. And
once as a busy grid is, where each is nearly full of cars of the same powers as those that come. Limits, powers
and sizes are those that the laboratory of placement studies.
"""

import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from statistics import median

from redis import Redis
from rich.console import Console
from rich.progress import track

from grid.ledger import Ledger, LedgerConfig
from grid.ledger.records import Listed, Outcome, Request
from loadtest.bench.micro.cost import Cost, measure
from loadtest.bench.micro.table import show
from loadtest.bench.micro.zone import FIRST, HOUR_MS, Substation, car
from loadtest.simulate.studies import LIMIT, MIX, PROTECT

SUBSTATIONS = (10, 100_000)
BUSY = (0.8, 1.0)
"""Of its limit, that a substation carries at least and at most."""
BATCHES: Mapping[int, int] = {1: 40, 100: 2}
"""Cars in a call, and calls in a round."""
ROUNDS = 21

Announce = Callable[[Sequence[int], str], Iterable[int]]


class ProtectedZone:
    """One grid, asked in two ways in turns."""

    def __init__(self, redis: Redis, name: str, substations: int, busy: bool, announce: Announce) -> None:
        self.name = name
        self._random = random.Random(substations)
        self.none, self.four = (
            Ledger(redis, name, LedgerConfig(heartbeat_ttl=HOUR_MS, longest_line=0, protect=sizes))
            for sizes in ((), PROTECT.protect)
        )
        for number in announce(range(substations), name):
            carries = self._carried() if busy else 0
            runs = [Listed(f"{name}-{number}", FIRST, carries, 1, 0, "car")] if carries else []
            self.none.heartbeat(Substation(f"substation-{number}", LIMIT, runs).heartbeat())
        held: list[str] = []
        self._ask(self.none, [car(name, LIMIT)], held)  # and so Redis has been given the script before any round
        self._cancel(held)

    def _carried(self) -> int:
        most = LIMIT * self._random.uniform(*BUSY)
        carried = 0
        while carried + (watts := self._some_power()) <= most:
            carried += watts
        return carried

    def _some_power(self) -> int:
        (one,) = self._random.choices(MIX, [each.share for each in MIX])
        return one.watts

    def cost(self, redis: Redis, ledger: Ledger, batch: int, calls: int) -> Cost:
        """Of a request, if so many come at once. Those who find room leave again before anybody else asks."""
        fleets = [[car(self.name, self._some_power()) for _ in range(batch)] for _ in range(calls)]
        held: list[str] = []
        cost = measure(redis, [partial(self._ask, ledger, fleet, held) for fleet in fleets]).shared_by(batch)
        self._cancel(held)
        return cost

    def _ask(self, ledger: Ledger, cars: Sequence[Request], held: list[str]) -> None:
        for request, placed in zip(cars, ledger.reserve(cars), strict=True):
            if placed.outcome is Outcome.PLACED:
                held.append(request.session)

    def _cancel(self, sessions: Iterable[str]) -> None:
        for session in sessions:
            self.none.cancel(session, stopped=FIRST)


def by_what_is_protected(redis: Redis, console: Console, progress: Console) -> None:
    """Print the fifth table: server µs per request, and how many times the cost with none that with four is."""

    def announce(numbers: Sequence[int], name: str) -> Iterable[int]:
        return track(numbers, f"{name}: heartbeats", console=progress, transient=True)

    rows = []
    for substations in SUBSTATIONS:
        for busy in (False, True):
            redis.flushall()
            zone = ProtectedZone(redis, "busy" if busy else "empty", substations, busy, announce)
            for batch, (none, four) in take_turns(redis, zone, ROUNDS).items():
                ratio = f"{median(four) / median(none):.2f}"
                rows.append((zone.name, f"{substations:,}", str(batch), none, four, ratio))
    head = ("grid", "substations", "batch", "none protected: server µs", "four sizes", "÷")
    show(console, "reserve, by what is protected", head, rows)


def take_turns(redis: Redis, zone: ProtectedZone, rounds: int) -> dict[int, tuple[list[float], list[float]]]:
    """Server µs per request in each round, with none and with four protected, by batch."""
    server_us: dict[int, tuple[list[float], list[float]]] = defaultdict(lambda: ([], []))
    for number in range(rounds):
        for batch, calls in BATCHES.items():
            arms = [(zone.none, server_us[batch][0]), (zone.four, server_us[batch][1])]
            for ledger, costs in arms if number % 2 else reversed(arms):
                costs.append(zone.cost(redis, ledger, batch, calls).server_us)
    return dict(server_us)
