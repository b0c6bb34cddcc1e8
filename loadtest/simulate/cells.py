"""One rule in one scenario: a cell of the table."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from loadtest.simulate.arms import Arm
from loadtest.simulate.figures import Figures
from loadtest.simulate.scenario import Scenario
from loadtest.simulate.scripts import DisagreementError, LedgerPolicy
from loadtest.simulate.simulation import simulate


@dataclass(frozen=True)
class Cell:
    arm: Arm
    scenario: Scenario


@dataclass(frozen=True)
class Result:
    cell: Cell
    figures: Figures
    seconds: float
    """How long it took."""


def run(cell: Cell, on_arrivals: Callable[[int], None] = lambda arrivals: None) -> Result:
    """Raises LocalGridError without a Redis, and DisagreementError if ledger and books differ at the end."""
    started = time.perf_counter()
    with cell.arm.running(cell.scenario) as policy:
        figures, books = simulate(cell.scenario, policy, cell.arm.period(cell.scenario), on_arrivals)
        if isinstance(policy, LedgerPolicy) and policy.committed != books.committed:
            raise DisagreementError(f"{cell.arm.name}: committed are {policy.committed}, to be {books.committed}")
    return Result(cell, figures, time.perf_counter() - started)
