"""The figures of a report, each drawn on axes that it is given. Colours: Okabe and Ito's, for every kind of sight."""

import math
from collections.abc import Callable, Sequence
from itertools import cycle

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, MultipleLocator, NullLocator, PercentFormatter

from loadtest.acceptance import Acceptance
from loadtest.balance import SATURATED
from loadtest.series import Series

BLUE, ORANGE, GREEN, RED, SKY, PURPLE, GREY = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#D55E00",
    "#56B4E9",
    "#CC79A7",
    "#666666",
)
SUBSTATIONS = (BLUE, ORANGE, GREEN, PURPLE, SKY)
ZONES = (GREEN, BLUE, PURPLE, SKY)
OUTCOMES = {
    "charging": (BLUE, "charge at once"),
    "waiting": (SKY, "wait"),
    "refused": ("#F0C674", "refused"),
    "errors": (RED, "errors"),
}
LATENCIES = {"p99": (RED, 7), "p95": (ORANGE, 5), "p50": (BLUE, 4)}  # where two are the same, both can be seen

FEWEST_BARS = 4

Panel = Callable[[Axes, Series], None]


def _with_gaps(values: Sequence[float | None]) -> list[float]:
    """What is unknown is not drawn, and no line is drawn across it."""
    return [math.nan if value is None else value for value in values]


def loads(axes: Axes, series: Series) -> None:
    axes.set_title("Load of every substation")
    few = len(series.loads) <= len(SUBSTATIONS)
    for number, (name, values) in enumerate(series.loads.items()):
        colour = SUBSTATIONS[number] if few else GREY
        label = f"{name} ({series.limits_kw[name]:g} kW)" if few else None
        axes.plot(series.sampled_s, _with_gaps(values), color=colour, label=label, alpha=0.9 if few else 0.3)
    axes.axhline(1, color=RED, linestyle="--", linewidth=1.8, label="limit")
    axes.set_ylim(0, 1.4)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1])
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.set_ylabel("committed ÷ limit")
    axes.legend(loc="upper left", ncols=4)


def outcomes(axes: Axes, series: Series) -> None:
    axes.set_title("Cars that asked, by outcome")
    edges = [*series.bins_s, series.bins_s[-1] + series.bin_s]
    below = [0.0] * len(series.bins_s)
    for outcome, (colour, label) in OUTCOMES.items():
        above = [low + rate for low, rate in zip(below, series.rates[outcome], strict=True)]
        axes.stairs(above, edges, baseline=below, fill=True, color=colour, label=label)
        below = above
    axes.set_ylim(0, max(below) * 1.4 or 1)
    axes.set_ylabel("cars a second")
    axes.legend(loc="upper left", ncols=2)


def line(axes: Axes, series: Series) -> None:
    axes.set_title("Cars in line")
    axes.plot(series.sampled_s, _with_gaps(series.waiting), color=BLUE)
    axes.set_ylim(0, max((waiting or 0 for waiting in series.waiting), default=0) * 1.15 or 1)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylabel("cars")


def latency(axes: Axes, series: Series) -> None:
    axes.set_title("Latency, since a call was due")
    middles = [begins + series.bin_s / 2 for begins in series.bins_s]
    for name, (colour, size) in LATENCIES.items():
        axes.plot(middles, _with_gaps(series.latency_ms[name]), color=colour, marker="o", markersize=size, label=name)
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    axes.set_ylim(low / 1.2, high * 2.5)
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda ms, _: f"{ms:g}"))
    axes.set_ylabel("ms (log)")
    axes.legend(loc="upper left", ncols=3)


def fairness(axes: Axes, series: Series) -> None:
    axes.set_title("Jain's index of the loads")
    for (zone, values), colour in zip(series.jain.items(), cycle(ZONES), strict=False):
        label = zone if len(series.jain) > 1 else None
        axes.plot(series.sampled_s, _with_gaps(values), color=colour, label=label)
    saturated = [(share or 0) >= SATURATED for share in series.used]
    label = f"{SATURATED:.0%} of the grid in use"
    axes.fill_between(
        series.sampled_s, 0, 1, where=saturated, color=ORANGE, alpha=0.3, step="mid", linewidth=0, label=label
    )
    axes.set_ylim(0, 1.3)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1])
    axes.set_ylabel("1 = all equal")
    axes.legend(loc="upper left")


def accepted(acceptance: Acceptance, axes: Axes) -> None:
    axes.set_title("Who could charge, by power")
    names = [each.powers for each in acceptance.classes]
    at_once = [each.at_once for each in acceptance.classes]
    later = [each.in_all - each.at_once for each in acceptance.classes]
    axes.barh(names, at_once, color=BLUE, label="at once")
    bars = axes.barh(names, later, left=at_once, color=SKY, label="after a wait")
    axes.bar_label(bars, [f"{each.in_all:.0%} of {each.asked}" for each in acceptance.classes], padding=4)
    axes.legend(loc="lower left", ncols=2)
    axes.set_xlim(0, 1.35)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1])
    axes.xaxis.set_major_formatter(PercentFormatter(1))
    axes.set_xlabel(f"of the cars that asked{_fairness(acceptance)}")
    axes.set_ylim(max(len(names), FEWEST_BARS) + 0.6, -0.5)  # from the top; one bar is not a wall; below is the legend
    axes.grid(visible=False, axis="y")


def _fairness(acceptance: Acceptance) -> str:
    """The classes' smallest share ÷ the largest, and the shares of the kW."""
    served = {"at once": acceptance.at_once, "in all": acceptance.in_all}
    ratios = [f"{each.min_by_max:.2f} {when}" for when, each in served.items() if each and each.min_by_max is not None]
    kw = f"\nof the kW asked for: {acceptance.of_the_power}"
    return f"; min ÷ max: {', '.join(ratios)}{kw}" if ratios else ""


OVER_TIME: tuple[Panel, ...] = (loads, outcomes, line, latency, fairness)


def time_axis(axes: Axes, lasts_s: float, is_a_day: bool) -> None:
    """Seconds of the run; or, if a day was compressed into it, that day's hours."""
    axes.set_xlim(0, lasts_s)
    if is_a_day:
        axes.xaxis.set_major_locator(MultipleLocator(lasts_s / 4))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda at, _: f"{at / lasts_s * 24:.0f} h"))
        axes.set_xlabel(f"hour of the day (24 h in {lasts_s:g} s)")
    else:
        axes.set_xlabel("s since the start")
