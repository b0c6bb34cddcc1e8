"""What each substation really ran, and from when to when, by its own account: nothing of it is the ledger's."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

NOISE_S = 0.1
"""Two runs that overlap by less may be one after the other: a status is as old as its reply was long under way."""


@dataclass(slots=True)
class Run:
    """One attempt at one substation process; times by time.monotonic(), exact to `error_s`.

    `seen`: when it was surely still running. `ended`: when it surely was over, None if it still runs; for one with all
    its energy that is when it had it.
    """

    substation: str
    pid: int
    session: str
    attempt: int
    watts: int
    started: float
    due: float
    error_s: float
    seen: float
    ended: float | None = None

    @property
    def lasted_until(self) -> float:
        return self.seen if self.ended is None else self.ended


class Runs:
    """Filled from each look at a substation's GET /status; sessions shorter than the time between looks are missed."""

    def __init__(self) -> None:
        self.all: list[Run] = []
        self._now: dict[str, dict[tuple[int, str, int], Run]] = defaultdict(dict)

    def look(self, substation: str, pid: int, said: Mapping[str, Any], asked: float, answered: float) -> None:
        """Take in a status that was asked for and answered at these times."""
        now, error_s = (asked + answered) / 2, (answered - asked) / 2
        before = self._now[substation]
        runs: dict[tuple[int, str, int], Run] = {}
        for row in said["sessions"]:
            which = (pid, row["session_id"], row["attempt"])
            run = before.pop(which, None)
            if run is None:
                run = Run(substation, *which, row["watts"], now, now, float("inf"), now)
                self.all.append(run)
            if error_s < run.error_s:
                lasts_s = row["energy_wh"] / row["watts"] * 3600 / said["time_scale"]
                run.started = now - lasts_s * row["delivered_wh"] / row["energy_wh"]
                run.due, run.error_s = run.started + lasts_s, error_s
            run.seen = asked
            runs[which] = run
        for run in before.values():
            run.ended = min(run.due, answered)
        self._now[substation] = runs

    def killed(self, substation: str, at: float) -> None:
        """Its process is gone, and what ran there."""
        for run in self._now.pop(substation, {}).values():
            run.ended = min(run.due, at)

    def of(self, session: str) -> list[Run]:
        return sorted((run for run in self.all if run.session == session), key=lambda run: run.started)

    def doubles(self) -> Iterator[tuple[Run, Run]]:
        """Every two runs of one session that surely overlap: the car is charged at two places."""
        by_session: dict[str, list[Run]] = defaultdict(list)
        for run in self.all:
            by_session[run.session].append(run)
        for runs in by_session.values():
            for earlier, later in combinations(sorted(runs, key=lambda run: run.started), 2):
                if min(earlier.seen, earlier.due) - later.started > NOISE_S:
                    yield earlier, later
