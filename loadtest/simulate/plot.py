"""The figures on a slide."""

import textwrap
from collections.abc import Callable, Sequence
from itertools import cycle
from math import nan
from pathlib import Path
from textwrap import fill

from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from loadtest.panels import BLUE, GREEN, GREY, ORANGE, PURPLE, RED, SKY
from loadtest.report import STYLE
from loadtest.simulate import theory
from loadtest.simulate.cells import Result
from loadtest.simulate.estimate import Estimate
from loadtest.simulate.scenario import Scenario
from loadtest.simulate.table import grid

TITLE = "What each placement rule accepts"
ABOUT_CHARACTERS = 150
"""In a line that ends on the slide."""
COLOURS = (BLUE, GREEN, GREY, PURPLE, RED, ORANGE, SKY)
MARKERS = ("o", "s", "v", "^", "D", "X")
"""One less than colours, so that no two of 42 arms look alike."""
SPREAD = 0.6
"""Of the arms around a grid, where grids are one unit apart."""
LONGEST = 24
"""Characters of a grid's name in one line."""

Of = Callable[[Result], Estimate | None]


def draw(results: Sequence[Result], path: Path) -> list[Path]:
    """The pictures, numbered if there are several: at one load of all grids, else of each grid against the load."""
    path.parent.mkdir(parents=True, exist_ok=True)
    drawn = pictures(results)
    paths = [path.with_stem(f"{path.stem}-{number}") if len(drawn) > 1 else path for number in range(1, len(drawn) + 1)]
    for its, where in zip(drawn, paths, strict=True):
        with style.context(STYLE):
            picture(its).savefig(where, dpi=120)
    return paths


def pictures(results: Sequence[Result]) -> list[Sequence[Result]]:
    """What belongs in one picture, in the order of its x axis."""
    if not _by_load(results):
        return [results]
    grids = dict.fromkeys(result.cell.scenario.limits for result in results)
    rising = sorted(results, key=lambda result: result.cell.scenario.load)
    return [[result for result in rising if result.cell.scenario.limits == limits] for limits in grids]


def picture(results: Sequence[Result]) -> Figure:
    """Of one grid, or at one load."""
    figure = Figure(figsize=(16, 9))
    figure.text(0.045, 0.945, TITLE, size=22, weight="bold")
    about = textwrap.fill(_about(results), ABOUT_CHARACTERS)
    figure.text(0.045, 0.932, about, size=12, color=GREY, verticalalignment="top")
    places = figure.add_gridspec(2, 5, left=0.055, right=0.975, top=0.85, bottom=0.17, hspace=0.42, wspace=0.9)
    main = figure.add_subplot(places[:, :3])
    _arms(main, results, "kW accepted", lambda result: result.figures.carried)
    _theory(main, results)
    biggest = figure.add_subplot(places[0, 3:])
    watts = max(each.watts for each in results[0].cell.scenario.classes)
    _arms(biggest, results, f"Accepted of {watts / 1000:g} kW", _of_biggest)
    jain = figure.add_subplot(places[1, 3:])
    _arms(jain, results, "Jain's index of the loads", lambda result: result.figures.jain)
    for axes in (main, biggest):
        axes.yaxis.set_major_formatter(PercentFormatter(1))
    handles, labels = main.get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncols=5, fontsize=11)
    return figure


def _about(results: Sequence[Result]) -> str:
    first = results[0].cell.scenario
    scenarios = _scenarios(results)
    shares = (share / sum(first.shares) for share in first.shares)
    mix = ", ".join(f"{share:.0%} {each.watts / 1000:g}" for share, each in zip(shares, first.classes, strict=True))
    known = any(result.figures.carried.error is not None for result in results)
    arrivals = f"{first.arrivals:,} arrivals for each point" + (", bars: 95 % intervals" if known else "")
    where = [grid(first)] if len({scenario.limits for scenario in scenarios}) == 1 else []
    load = [] if _by_load(results) else [f"offered load {first.load:g}"]
    return f"{', '.join(where + load)}; {mix} kW, {first.stays} stays; {arrivals}"


def _scenarios(results: Sequence[Result]) -> list[Scenario]:
    return list(dict.fromkeys(result.cell.scenario for result in results))


def _by_load(results: Sequence[Result]) -> bool:
    return len({result.cell.scenario.load for result in results}) > 1


def _arms(axes: Axes, results: Sequence[Result], title: str, of: Of) -> None:
    axes.set_title(title)
    scenarios, by_load = _scenarios(results), _by_load(results)
    arms = list(dict.fromkeys(result.cell.arm for result in results))
    for number, (arm, colour, marker) in enumerate(zip(arms, cycle(COLOURS), cycle(MARKERS), strict=False)):
        its = [result for result in results if result.cell.arm == arm]
        if by_load:
            at = [result.cell.scenario.load for result in its]
        else:
            beside = SPREAD * ((number + 0.5) / len(arms) - 0.5)
            at = [scenarios.index(result.cell.scenario) + beside for result in its]
        shares = [of(result) for result in its]
        values = [each.value if each else nan for each in shares]
        errors = [(each.half_width() if each else None) or 0.0 for each in shares]
        label = arm.name + (", overloads" if any(result.figures.overloaded.value for result in its) else "")
        line = "-" if by_load else "none"
        axes.errorbar(
            at, values, errors, color=colour, marker=marker, linestyle=line, markersize=7, capsize=4, label=label
        )
    if by_load:
        loads = [scenario.load for scenario in scenarios]
        axes.set_xticks(loads, [f"{load:g}" for load in loads])
        axes.set_xlabel("offered load")
    else:
        axes.set_xticks(range(len(scenarios)), [fill(grid(scenario), LONGEST) for scenario in scenarios])
        axes.set_xlim(-0.5, len(scenarios) - 0.5)


def _theory(axes: Axes, results: Sequence[Result]) -> None:
    scenarios = _scenarios(results)
    pooled = [theory.carried(scenario, theory.pooled(scenario)) for scenario in scenarios]
    bound = [theory.fluid_bound(scenario.load) for scenario in scenarios]
    for values, line, label in ((pooled, "--", "pooled (Kaufman-Roberts)"), (bound, ":", "fluid bound")):
        if _by_load(results):
            axes.plot([scenario.load for scenario in scenarios], values, color="black", linestyle=line, label=label)
        else:
            starts = [number - SPREAD / 2 for number in range(len(scenarios))]
            ends = [start + SPREAD for start in starts]
            axes.hlines(values, starts, ends, color="black", linestyle=line, label=label)


def _of_biggest(result: Result) -> Estimate | None:
    classes = result.cell.scenario.classes
    biggest = max(range(len(classes)), key=lambda kind: classes[kind].watts)
    return result.figures.classes[biggest]
