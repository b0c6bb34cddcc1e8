"""The figures for a person: what was accepted and how the grid was loaded, for each scenario, theory beside them."""

from collections import Counter
from collections.abc import Sequence
from itertools import groupby

from rich.console import Console
from rich.table import Table

from loadtest.simulate import theory
from loadtest.simulate.cells import Result
from loadtest.simulate.estimate import Estimate
from loadtest.simulate.scenario import Scenario

NONE = "\N{EN DASH}"


def show(results: Sequence[Result], console: Console) -> None:
    """`results` in the order of their scenarios."""
    for scenario, of in groupby(results, key=lambda result: result.cell.scenario):
        its = list(of)
        console.print(accepted(scenario, its), loaded(scenario, its))


def accepted(scenario: Scenario, results: Sequence[Result]) -> Table:
    head = ("kW accepted %", "\N{PLUS-MINUS SIGN}", "of pooled %")
    classes = [f"{each.watts / 1000:g} kW" for each in scenario.classes]
    table = _table(f"{describe(scenario)}: accepted, in %", *head, *classes, "min \N{DIVISION SIGN} max")
    pooled = theory.pooled(scenario)
    reference = theory.carried(scenario, pooled)
    for result in results:
        figures = result.figures
        carried = (*_with_interval(figures.carried), _percent(figures.carried.value / reference))
        shares = [_percent(each.value) if each else NONE for each in figures.classes]
        table.add_row(result.cell.arm.name, *carried, *shares, _number(figures.fairness))
    table.add_section()
    said = map(_percent, pooled)
    spread = _number(min(pooled) / max(pooled))
    table.add_row("pooled (Kaufman-Roberts)", _percent(reference), "", _percent(1.0), *said, spread, style="dim")
    one_size = theory.one_size(scenario)
    if one_size is not None:
        said_once = _percent(one_size)
        table.add_row("places (Erlang B)", said_once, "", _percent(one_size / reference), said_once, "", style="dim")
    bound = theory.fluid_bound(scenario.load)
    table.add_row("within limits (fluid bound)", _percent(bound), "", _percent(bound / reference), style="dim")
    return table


def loaded(scenario: Scenario, results: Sequence[Result]) -> Table:
    loads = ("Jain", "load %", "overloaded %", "peak %", "herd", "by formula")
    table = _table("how it was loaded", *loads, "refused though it fitted", "arrivals", "s")
    for result in results:
        figures, arm = result.figures, result.cell.arm
        herd = figures.peak_at_ticks.value / figures.load.value if arm.is_herd and figures.peak_at_ticks else None
        table.add_row(
            arm.name,
            _number(figures.jain.value),
            _percent(figures.load.value),
            _percent(figures.overloaded.value),
            _percent(figures.peak),
            _number(herd),
            _number(theory.herd_of(scenario, arm.period(scenario)) if arm.is_herd else None),
            f"{figures.refused_though_it_fitted:,} of {figures.refused:,}",
            f"{figures.arrivals:,}",
            f"{result.seconds:.1f}",
        )
    return table


def describe(scenario: Scenario) -> str:
    return f"{grid(scenario)}, offered load {scenario.load:g}, {scenario.stays} stays"


def grid(scenario: Scenario) -> str:
    """Its limits."""
    counts = Counter(scenario.limits).items()
    return " + ".join((f"{count} x " if count > 1 else "") + f"{limit / 1000:,g}" for limit, count in counts) + " kW"


def _table(title: str, *head: str) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("")
    for name in head:
        table.add_column(name, justify="right")
    return table


def _with_interval(estimate: Estimate) -> tuple[str, str]:
    half = estimate.half_width()
    return _percent(estimate.value), NONE if half is None else f"{half:.2%}".rstrip("%")


def _percent(share: float) -> str:
    return f"{share * 100:.2f}" if share < 10 else f"{share * 100:.0f}"


def _number(value: float | None) -> str:
    return NONE if value is None else f"{value:.4f}"
