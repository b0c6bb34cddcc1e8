"""The report of a rush: a slide (PNG), one page with everything (HTML), and the same for a program (JSON)."""

import base64
import io
import json
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path

import jinja2
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from loadtest import panels
from loadtest.balance import in_words
from loadtest.line import Line
from loadtest.panels import OVER_TIME, Panel
from loadtest.recording import BY_THE_LEDGER, OWN_ACCOUNT, Recording
from loadtest.series import Series, series
from loadtest.verdict import Verdict

TEMPLATE = Path(__file__).with_name("report.html.j2")
STYLE = Path(__file__).with_name("report.mplstyle")
TITLES = {
    "rush-hour": "Rush hour at homes",
    "workplace": "A morning at work",
    "public": "A day at public chargers",
    "burst": "All at once",
    "steady": "A steady rush",
    "trace": "A recorded day, replayed",
}
BOLD, PLAIN = 1_850.0, 2_080.0
"""The width of the slide: so many characters, times their size."""
FOOTER_CHARACTERS = 215
KEPT, BROKEN = panels.GREEN, panels.RED


def write_report(recording: Recording, how: Mapping[str, str], folder: Path) -> None:
    """`how` is how it was run: what it says, by what it is about."""
    folder.mkdir(parents=True, exist_ok=True)
    over_time, verdict = series(recording), recording.verdict
    facts = {
        "shape": recording.options.shape,
        "verdict": verdict.as_json(),
        "accounts": recording.accounts,
        "intensity": recording.intensity,
        "options": asdict(recording.options),
        "generator": recording.generator,
        "how": dict(how),
        "series": over_time.as_json(),
    }
    (folder / "report.json").write_text(json.dumps(facts, indent=2) + "\n")
    with style.context(STYLE):
        _slide(recording, over_time, verdict, how).savefig(folder / "report.png", dpi=120)
        figures = [_svg(partial(_over_time, panel, recording, over_time)) for panel in OVER_TIME]
        figures.append(_svg(partial(panels.accepted, verdict.acceptance)))
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    page = environment.from_string(TEMPLATE.read_text())
    html = page.render(
        title=title(recording),
        headline=headline(recording),
        summary=summary(recording, verdict, over_time),
        verdict=verdict,
        recording=recording,
        series=over_time,
        figures=figures,
        how=how,
    )
    (folder / "report.html").write_text(html)


def title(recording: Recording) -> str:
    limit_kw = sum(each.limit_kw for each in recording.substations)
    return f"{TITLES[recording.options.shape]}: {recording.verdict.requests:,} cars ask a grid of {limit_kw:,g} kW"


def headline(recording: Recording) -> str:
    """The promise, and on whose word."""
    verdict = recording.verdict
    overload_s = sum(each.overload_s for each in verdict.substations)
    peak = max((each.peak_kw / each.limit_kw for each in verdict.substations), default=0.0)
    kept = "Kept" if verdict.kept else f"NOT kept ({verdict.why_not})"
    whose = "" if recording.accounts == OWN_ACCOUNT else f" ({BY_THE_LEDGER})"
    return f"{kept}: {overload_s:g} s of overload, highest peak {peak:.1%} of its limit{whose}"


def _slide(recording: Recording, over_time: Series, verdict: Verdict, how: Mapping[str, str]) -> Figure:
    figure = Figure(figsize=(16, 9))
    figure.text(0.045, 0.95, title(recording), size=22, weight="bold")
    colour = KEPT if verdict.kept else BROKEN
    said, more = headline(recording), summary(recording, verdict, over_time)
    figure.text(0.045, 0.912, said, size=fitting(said, 15, BOLD), weight="bold", color=colour)
    size = fitting(more, 12, PLAIN)
    figure.text(0.045, 0.9, more, size=size, color=panels.GREY, linespacing=1.4, verticalalignment="top")
    grid = figure.add_gridspec(2, 12, left=0.055, right=0.975, top=0.77, bottom=0.135, hspace=0.48, wspace=2.4)
    places = (grid[0, :8], grid[1, :3], grid[1, 3:6], grid[1, 6:9], grid[1, 9:])
    for place, panel in zip(places, OVER_TIME, strict=True):
        _over_time(panel, recording, over_time, figure.add_subplot(place))
    panels.accepted(verdict.acceptance, figure.add_subplot(grid[0, 8:]))
    footer = [f"{name}: {how[name]}" for name in ("command", "machine", "generator") if name in how]
    footer = [row for line in footer for row in textwrap.wrap(line, FOOTER_CHARACTERS)]
    figure.text(0.045, 0.008, "\n".join(footer), size=9.5, color=panels.GREY, linespacing=1.4)
    return figure


def fitting(text: str, size: float, width: float) -> float:
    """This size, or the smaller one at which the longest line still ends on the slide."""
    return min(size, width / max(len(line) for line in text.splitlines()))


def summary(recording: Recording, verdict: Verdict, over_time: Series) -> str:
    latency = ", ".join(f"{name} {value:g} ms" for name, value in verdict.latency_ms.items())
    jain = f"; Jain's index {evenness}" if (evenness := in_words(verdict.balance)) else ""
    gaps = f"; {over_time.gaps}" if over_time.gaps else ""
    errors = sum(verdict.errors.values())
    outcomes = f"{verdict.charging:,} charging at once, {verdict.waiting:,} waiting, "
    outcomes += f"{verdict.refused:,} refused, {errors:,} errors"
    if verdict.visit_errors:
        outcomes += f" (and {sum(verdict.visit_errors.values()):,} to look-ups and cancels)"
    interrupted = f"interruptions {verdict.interruptions:.2f} per session, {verdict.most_interruptions} at most"
    said = [f"{recording.intensity}{gaps}", f"{outcomes}; {interrupted}; latency {latency}{jain}"]
    said += line_summary(verdict.line)
    return "\n".join(said)


def line_summary(line: Line) -> list[str]:
    """What had become of those who waited, how long it took, and whether the grid was in use meanwhile."""
    became = f"of those who waited: {line.became}" if line.became else ""
    waits = f"waiting time: {line.waits}" if line.waits else ""
    used = f"while any was queued, {line.used:.1%} of the limits was drawn" if line.used is not None else ""
    return [said for said in (became, "; ".join(filter(None, (waits, used)))) if said]


def _over_time(panel: Panel, recording: Recording, over_time: Series, axes: Axes) -> None:
    panel(axes, over_time)
    panels.time_axis(axes, recording.lasted_s, recording.options.is_a_day)


def _svg(draw: Callable[[Axes], None]) -> dict[str, str]:
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    draw(figure.add_subplot())
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg")
    source = "data:image/svg+xml;base64," + base64.b64encode(buffer.getvalue()).decode()
    return {"source": source, "title": figure.axes[0].get_title("left")}
