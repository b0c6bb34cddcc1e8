"""A grid of three balancers and three substations with room for ten cars each, and what tests do with it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from grid.local import Service

from .conftest import LONG, Faulty, run_faulty_grid
from .harness import eventually

CAR_KW = 11
ROOM_EACH = 10
STARTED_S = 1.5
"""After its answer, a heartbeat later at most, a car charges."""
SWEEP_S = 0.55
LOST_S = 3.8 + 2 * SWEEP_S
"""From its last heartbeat until its cars are in line again: silent for 2.5 s, for 1.3 s more, each seen by a sweep."""


@contextmanager
def run_three_substations(logs: Path) -> Iterator[Faulty]:
    """An hour in a second. All cars have the one size that is protected, so each goes to the least loaded, and every
    substation has some.
    """
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
