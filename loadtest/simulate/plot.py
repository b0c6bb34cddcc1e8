"""The figures on a slide."""

from collections.abc import Callable, Sequence
from itertools import cycle
from math import nan
from pathlib import Path

from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator, PercentFormatter, ScalarFormatter

from loadtest.panels import BLUE, GREEN, GREY, ORANGE, PURPLE, RED, SKY
from loadtest.report import STYLE
from loadtest.simulate import theory
from loadtest.simulate.cells import Result
from loadtest.simulate.estimate import Estimate
from loadtest.simulate.scenario import Scenario
from loadtest.simulate.table import grid

TITLE = "What each placement rule accepts"
COLOURS = (BLUE, GREEN, GREY, PURPLE, RED, ORANGE, SKY)
MARKERS = ("o", "s", "v", "^", "D", "X", "P")

Of = Callable[[Result], Estimate | None]


def draw(results: Sequence[Result], path: Path) -> None:
    """Against the offered load; or the number of substations if there is only one load."""
    with style.context(STYLE):
        figure = Figure(figsize=(16, 9))
        figure.text(0.045, 0.945, TITLE, size=22, weight="bold")
        figure.text(0.045, 0.91, _about(results), size=12, color=GREY)
        places = figure.add_gridspec(2, 5, left=0.055, right=0.975, top=0.85, bottom=0.17, hspace=0.42, wspace=0.9)
        main = figure.add_subplot(places[:, :3])
        _lines(main, results, "kW accepted", lambda result: result.figures.carried)
        _theory(main, results)
        biggest = figure.add_subplot(places[0, 3:])
        watts = max(each.watts for each in results[0].cell.scenario.classes)
        _lines(biggest, results, f"Accepted of {watts / 1000:g} kW", _of_biggest)
        jain = figure.add_subplot(places[1, 3:])
        _lines(jain, results, "Jain's index of the loads", lambda result: result.figures.jain)
        for axes in (main, biggest):
            axes.yaxis.set_major_formatter(PercentFormatter(1))
        handles, labels = main.get_legend_handles_labels()
        figure.legend(handles, labels, loc="lower center", ncols=5, fontsize=11)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=120)


def _about(results: Sequence[Result]) -> str:
    first = results[0].cell.scenario
    grids = list(dict.fromkeys(grid(result.cell.scenario) for result in results))
    shares = (share / sum(first.shares) for share in first.shares)
    mix = ", ".join(f"{share:.0%} {each.watts / 1000:g}" for share, each in zip(shares, first.classes, strict=True))
    known = any(result.figures.carried.error is not None for result in results)
    arrivals = f"{first.arrivals:,} arrivals for each point" + (", bars: 95 % intervals" if known else "")
    where = grids[0] if len(grids) == 1 else f"offered load {first.load:g}"
    return f"{where}; {mix} kW, {first.stays} stays; {arrivals}"


def _by_load(results: Sequence[Result]) -> bool:
    return len({result.cell.scenario.load for result in results}) > 1


def _x(scenario: Scenario, by_load: bool) -> float:
    return scenario.load if by_load else len(scenario.limits)


def _lines(axes: Axes, results: Sequence[Result], title: str, of: Of) -> None:
    axes.set_title(title)
    by_load = _by_load(results)
    arms = list(dict.fromkeys(result.cell.arm for result in results))
    for arm, colour, marker in zip(arms, cycle(COLOURS), cycle(MARKERS), strict=False):
        its = [result for result in results if result.cell.arm == arm]
        at = [_x(result.cell.scenario, by_load) for result in its]
        shares = [of(result) for result in its]
        values = [each.value if each else nan for each in shares]
        errors = [(each.half_width() if each else None) or 0.0 for each in shares]
        overloads = ", overloads" if any(result.figures.overloaded.value for result in its) else ""
        label = arm.name + overloads
        axes.errorbar(at, values, errors, color=colour, marker=marker, markersize=7, capsize=4, label=label)
    ticks = sorted({_x(result.cell.scenario, by_load) for result in results})
    if not by_load:
        axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.set_xlabel("offered load" if by_load else "substations")


def _theory(axes: Axes, results: Sequence[Result]) -> None:
    by_load = _by_load(results)
    scenarios = list(dict.fromkeys(result.cell.scenario for result in results))
    at = [_x(scenario, by_load) for scenario in scenarios]
    pooled = [theory.carried(scenario, theory.pooled(scenario)) for scenario in scenarios]
    bound = [theory.fluid_bound(scenario.load) for scenario in scenarios]
    axes.plot(at, pooled, color="black", linestyle="--", label="pooled (Kaufman-Roberts)")
    axes.plot(at, bound, color="black", linestyle=":", label="fluid bound")


def _of_biggest(result: Result) -> Estimate | None:
    classes = result.cell.scenario.classes
    biggest = max(range(len(classes)), key=lambda kind: classes[kind].watts)
    return result.figures.classes[biggest]
