"""The laboratory against what is known: a figure that it must reproduce, the one that it does, and how sure that is."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import log, log2
from statistics import fmean
from typing import Any

from rich.console import Console
from rich.table import Table

from loadtest.simulate import theory
from loadtest.simulate.arms import Arm, Rule
from loadtest.simulate.cells import Cell, Result
from loadtest.simulate.estimate import T999, Estimate
from loadtest.simulate.policies import PowerOfTwo
from loadtest.simulate.scenario import PowerClass, Scenario, Stays
from loadtest.simulate.studies import BEST_FIT, LEAST_LOADED, LIMIT, MIX, PROTECT

ARRIVALS = 200_000
LOAD = 0.9
ONE_SIZE = (PowerClass(50_000, 1.0),)

HERD = (1_000_000_000,) * 5
"""W. Many small cars: so the herd is nearly a fluid, which the formula is about."""
HERD_SIZE = (PowerClass(3_600_000, 1.0),)
HERD_PERIOD, HERD_LASTS = 0.4, 120.0
"""Mean stays."""

BINS, BALLS, THROWS = 100, 10_000, 100


@dataclass(frozen=True)
class Line:
    """It holds if the measured figure is not further from the expected one than `within`."""

    what: str
    expected: float
    measured: float
    within: float

    @property
    def holds(self) -> bool:
        return abs(self.measured - self.expected) <= self.within

    def as_json(self) -> dict[str, Any]:
        figures = {"expected": self.expected, "measured": self.measured, "within": self.within}
        return {"what": self.what, **figures, "holds": self.holds}


@dataclass(frozen=True)
class Check:
    """A cell, and what its result is to say."""

    cell: Cell
    lines: Callable[[Result], Iterator[Line]]


def checks(arrivals: int, seed: int) -> list[Check]:
    grid, one = (LIMIT,) * 10, (LIMIT,)

    def erlang(arm: Arm, stays: Stays = Stays.EXPONENTIAL) -> Check:
        return Check(Cell(arm, Scenario(grid, ONE_SIZE, LOAD, stays, arrivals, seed)), _erlang)

    def kaufman(arm: Arm, stays: Stays = Stays.EXPONENTIAL) -> Check:
        return Check(Cell(arm, Scenario(one, MIX, LOAD, stays, arrivals, seed)), _kaufman)

    protect_one = Arm(Rule.PROTECT, (ONE_SIZE[0].watts,))
    return [
        *(erlang(arm) for arm in (LEAST_LOADED, protect_one, BEST_FIT)),
        *(erlang(LEAST_LOADED, stays) for stays in (Stays.CONSTANT, Stays.LOGNORMAL)),
        *(kaufman(arm) for arm in (LEAST_LOADED, PROTECT)),
        kaufman(LEAST_LOADED, Stays.LOGNORMAL),
        Check(herd(seed), herd_line),
    ]


def herd(seed: int) -> Cell:
    scenario = Scenario(HERD, HERD_SIZE, LOAD, Stays.EXPONENTIAL, 0, seed)
    arrivals, per_period = HERD_LASTS * scenario.rate, HERD_PERIOD * scenario.rate
    return Cell(Arm(Rule.POLLING, per_period=per_period), replace(scenario, arrivals=round(arrivals)))


def judge(checks: Sequence[Check], results: Sequence[Result], seed: int) -> list[Line]:
    found = [line for check, result in zip(checks, results, strict=True) for line in check.lines(result)]
    return [*found, _nothing_missed(results), power_of_two(seed)]


def power_of_two(seed: int) -> Line:
    """By how much the fullest bin is above the mean: ln ln n ÷ ln 2 for n bins, give or take a constant, however many
    balls there are (Berenbrink et al. 2006). With one choice it would be √(2 m ln n ÷ n), about 30.
    """
    gaps = []
    for throw in range(THROWS):
        bins = PowerOfTwo([BALLS] * BINS, seed * THROWS + throw)
        for _ in range(BALLS):
            chosen = bins.choose(1)
            assert chosen is not None, "there is room for every ball in any bin"
            bins.give(chosen, 1)
        gaps.append(BALLS - min(bins.free) - BALLS / BINS)
    return Line(f"power of two: {BALLS:,} balls in {BINS} bins, fullest - mean", log2(log(BINS)), fmean(gaps), 1.0)


def show(lines: Sequence[Line], console: Console) -> None:
    table = Table(title="The laboratory against known results; 99.9 % intervals", title_justify="left")
    for heading in ("", "expected", "measured", "\N{PLUS-MINUS SIGN}", ""):
        table.add_column(heading, justify="right" if heading else "left")
    for line in lines:
        figures = (f"{value:.5f}" for value in (line.expected, line.measured, line.within))
        table.add_row(line.what, *figures, "holds" if line.holds else "[bold red]MISSED[/]")
    console.print(table)


def _erlang(result: Result) -> Iterator[Line]:
    expected = theory.one_size(result.cell.scenario)
    assert expected is not None, "everybody needs the same power"
    yield _line(f"Erlang B, {_said(result)}", expected, result.figures.carried)


def _kaufman(result: Result) -> Iterator[Line]:
    scenario = result.cell.scenario
    for each, expected, measured in zip(scenario.classes, theory.pooled(scenario), result.figures.classes, strict=True):
        yield _line(f"Kaufman-Roberts, {each.watts / 1000:g} kW, {_said(result)}", expected, measured)


def herd_line(result: Result) -> Iterator[Line]:
    scenario, arm = result.cell.scenario, result.cell.arm
    # Nobody is refused, so the mean load is what is offered.
    expected = theory.herd(len(scenario.limits), arm.period(scenario)) * scenario.load
    yield _line(f"herd: peak load, {_said(result)}", expected, result.figures.peak_at_ticks)


def _nothing_missed(results: Sequence[Result]) -> Line:
    missed = sum(result.figures.refused_though_it_fitted for result in results)
    return Line("refused though it fitted, in all of these", 0, missed, 0)


def _said(result: Result) -> str:
    scenario = result.cell.scenario
    return f"{result.cell.arm.name}, {len(scenario.limits)} x {scenario.limits[0] / 1000:,.0f} kW, {scenario.stays}"


def _line(what: str, expected: float, measured: Estimate | None) -> Line:
    """99.9 % intervals: of twenty lines, one would be outside of its 95 % interval in most runs."""
    half_width = measured.half_width(T999) if measured else None
    assert measured, "every class comes"
    assert half_width is not None, "so many arrivals are enough"
    return Line(what, expected, measured.value, half_width)
