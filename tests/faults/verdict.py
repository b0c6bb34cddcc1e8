"""What became of every promise: each accepted session is followed to its end, and each watt is accounted for."""

import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import requests

from .harness import FaultyGrid
from .load import Load
from .watch import Watch

DRAIN_WITHIN_S = 60.0
UNKNOWN = "unknown"
REFUSED_SHARE = 0.01


@dataclass(frozen=True)
class Verdict:
    """`lost`: accepted session → its state, of those that did not end as they should.

    `refusals`: all that substations refused, also late copies of requests that were served elsewhere meanwhile.
    `unproven`: called finished by the ledger, but by no substation. `twice`: finished by a substation more than once.
    `recovery_s`: the longest, by kind of fault; None if it never came. Powers in W.
    """

    faults: dict[str, int]
    requests: dict[str, int]
    accepted: int
    given_up: int
    refusals: dict[str, int]
    placements: int
    placements_refused: int
    overload_s: float
    overloads: list[str]
    highest_load: float
    lost: dict[str, str]
    unproven: list[str]
    twice: list[str]
    unaccounted_w: int
    drained_after_s: float | None
    longest_gap_s: float
    recovery_s: dict[str, float | None]

    @property
    def kept(self) -> bool:
        """Nothing overloaded, lost, unaccounted, hardly refused, no unexpected error, recovered; and there was load.

        How long a recovery takes is judged by the named tests, where one fault comes alone.
        """
        broken = self.overloads or self.overload_s or self.lost or self.unaccounted_w or self.unexpected
        recovered = None not in self.recovery_s.values()
        good = self.highest_load <= 1 and self.refused_share < REFUSED_SHARE and recovered
        return self.accepted > 0 and good and not broken

    @property
    def unexpected(self) -> dict[str, int]:
        """Answers no driver should ever get."""
        fine = ("charging", "full", "no answer", "503 ")
        return {outcome: count for outcome, count in self.requests.items() if not outcome.startswith(fine)}

    @property
    def refused_share(self) -> float:
        return self.placements_refused / max(self.placements, 1)

    def as_json(self) -> dict[str, Any]:
        return {"kept": self.kept, "refused_share": round(self.refused_share, 5), **asdict(self)}


class Ledger:
    """The ledger as a client of the api sees it."""

    def __init__(self, grid: FaultyGrid) -> None:
        self._grid = grid

    def state(self, session: str) -> str:
        answer = requests.get(f"{self._grid.url}/sessions/{session}", timeout=15)
        if answer.status_code == 404:
            return UNKNOWN
        state: str = answer.json().get("state", f"{answer.status_code} {answer.json().get('type')}")
        return state

    def states(self, sessions: Sequence[str]) -> dict[str, str]:
        with ThreadPoolExecutor(8) as pool:
            return dict(zip(sessions, pool.map(self.state, sessions), strict=True))

    def watts(self) -> int:
        """What is committed, or drawn, whichever is more, at all substations together."""
        answer = requests.get(f"{self._grid.url}/grid", timeout=15)
        if answer.status_code != 200:
            return -1
        committed = {row["substation"]: round(row["committed_kw"] * 1000) for row in answer.json()["substations"]}
        drawn = {
            substation.name: requests.get(f"{substation.url}/status", timeout=15).json()["drawn_watts"]
            for substation in self._grid.substations
        }
        return sum(max(committed.get(name, 0), watts) for name, watts in drawn.items())


@dataclass(frozen=True)
class Drained:
    """How a grid without load ended."""

    after_s: float | None
    unaccounted_w: int
    lost: dict[str, str]


def drain(grid: FaultyGrid, load: Load, watch: Watch) -> Drained:
    """Wait, with everything up again, until nothing is committed, nothing drawn and every accepted session over."""
    ledger = Ledger(grid)
    started = time.monotonic()
    pending = list(load.accepted)
    while True:
        watts = ledger.watts()
        elapsed = time.monotonic() - started
        lost: dict[str, str] = {}
        if watts == 0 or elapsed > DRAIN_WITHIN_S:
            watch.ends.read()
            states = ledger.states(pending)
            lost = {s: state for s, state in states.items() if not _ended_well(s, state, load, watch)}
            pending = list(lost)
        if elapsed > DRAIN_WITHIN_S:
            return Drained(None, watts, lost)
        if watts == 0 and not lost:
            return Drained(elapsed, 0, {})
        time.sleep(0.5)


def _ended_well(session: str, state: str, load: Load, watch: Watch) -> bool:
    """What a wiped or rolled back ledger no longer knows, or not as ended, a substation or the owner must have said."""
    if state == "finished" or session in load.cancelled:
        return True
    return state != "cancelled" and watch.ends.times_finished(session) > 0


def longest_gap_s(load: Load, started: float, ended: float) -> float:
    """The longest time in which no car began to charge."""
    times = [started, *(at for at in load.good() if started < at < ended), ended]
    return max(later - earlier for earlier, later in pairwise(times))


def give(
    load: Load,
    watch: Watch,
    drained: Drained,
    faults: Counter[str],
    recovery_s: dict[str, float | None],
    started: float,
    ended: float,
) -> Verdict:
    """Put together what was seen from outside and what the services said."""
    watch.ends.read()
    finished = [session for session in load.accepted if session not in load.cancelled and session not in drained.lost]
    return Verdict(
        faults=dict(faults),
        requests=dict(Counter(answer.outcome for answer in load.answers)),
        accepted=len(load.accepted),
        given_up=load.given_up,
        refusals=dict(watch.refused),
        placements=watch.placed,
        placements_refused=watch.placements_refused,
        overload_s=round(watch.overload_s, 3),
        overloads=watch.overloads,
        highest_load=round(watch.highest_load, 4),
        lost=drained.lost,
        unproven=[session for session in finished if not watch.ends.times_finished(session)],
        twice=[session for session in finished if watch.ends.times_finished(session) > 1],
        unaccounted_w=drained.unaccounted_w,
        drained_after_s=None if drained.after_s is None else round(drained.after_s, 1),
        longest_gap_s=round(longest_gap_s(load, started, ended), 2),
        recovery_s=recovery_s,
    )
