"""`make replay`: who would have waited, and who would have got how much, had these sessions shared these limits.

Months of real sessions on a virtual clock, through the real ledger, in seconds or minutes. A car asks for its energy
when it arrives, and takes what it has when it leaves. Orders: refuse (nobody waits), arrival (first come, first
served), least-laxity (who must begin earliest to be ready by the end of the stay comes first). Which substation it is
depends on PROTECT_KW, as everywhere.
"""

import csv
import platform
import sys
import time
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from grid.ledger import LedgerConfig
from grid.local import LocalGridError, end_on_signals
from grid.settings import load_settings
from loadtest import trace
from loadtest.own_redis import own_redis
from loadtest.replay.orders import Order, replay
from loadtest.replay.satisfaction import Satisfaction, Served, judge
from loadtest.trace import Visit

BUILD = Path("build") / "replay"
ALL = "all"
NONE = "\N{EN DASH}"
COLUMNS = (
    *("session", "arrived", "departed"),
    *("power_kw", "asked_kwh", "delivered_kwh", "waited_s"),
    *("substation", "outcome", "interruptions"),
)


@dataclass(frozen=True)
class Asked:
    """`limits` in W."""

    trace: Path
    visits: Sequence[Visit]
    limits: Sequence[int]
    config: LedgerConfig
    orders: Sequence[Order]
    folder: Path


def main() -> None:
    """Exits with 1 if a substation was overloaded."""
    end_on_signals()
    asked = parse(sys.argv[1:])
    try:
        figures = run(asked, Console(), Console(stderr=True))
    except LocalGridError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("\nStopped.")
    sys.exit(0 if all(each.kept for each in figures.values()) else 1)


def parse(arguments: Sequence[str]) -> Asked:
    """What was typed, made complete; or a message that says what is wrong with it."""
    parser = ArgumentParser(
        "python -m loadtest.replay", description=__doc__, formatter_class=RawDescriptionHelpFormatter
    )
    parser.add_argument("--trace", type=Path, required=True, help="a file of sessions; see loadtest/trace.py")
    how = parser.add_mutually_exclusive_group(required=True)
    how.add_argument("--limit-kw", help="the limit of the substation, or of each: 40 or 100,150")
    how.add_argument("--share", type=float, help="all limits together, by the installed power: 0.2")
    text = "with --share: so many, each with an equal part (default: 1)"
    parser.add_argument("--substations", type=int, help=text)
    choices = [*(order.value for order in Order), ALL]
    parser.add_argument("--order", choices=choices, default=ALL, help="default: %(default)s, side by side")
    text = "where to write each order's sessions as CSV (default: %(default)s)"
    parser.add_argument("--csv", type=Path, default=BUILD, metavar="FOLDER", help=text)
    parsed = parser.parse_args(arguments)
    if parsed.substations is not None and parsed.share is None:
        parser.error("--substations goes with --share; --limit-kw has a limit for each substation")
    try:
        read = trace.read(parsed.trace)
        if parsed.share is None:
            limits = limits_of(parsed.limit_kw)
        else:
            limits = shared_limits(read.visits, parsed.share, parsed.substations)
    except (trace.TraceError, ValueError) as error:
        parser.error(str(error))
    if read.bad:
        print(f"{len(read.bad)} rows are left out: {'; '.join(read.bad[: trace.NAMED])}", file=sys.stderr)
    orders = list(Order) if parsed.order == ALL else [Order(parsed.order)]
    settings = load_settings()
    # On the clock of the sessions, where a simulated ms is a ms.
    config = LedgerConfig(
        patience=settings.patience_ms, preemption_slack=settings.preemption_slack_ms, protect=settings.protect_watts
    )
    return Asked(parsed.trace, read.visits, limits, config, orders, parsed.csv)


def limits_of(typed: str) -> list[int]:
    """In W. Raises ValueError."""
    try:
        limits = [round(float(limit) * 1000) for limit in typed.split(",")]
    except (ValueError, OverflowError):
        limits = []
    if not limits or min(limits) <= 0:
        raise ValueError(f"--limit-kw must be kW above 0 like 40 or 100,150, not {typed!r}")
    return limits


def shared_limits(visits: Sequence[Visit], share: float, substations: int | None) -> list[int]:
    """In W; one substation if `substations` is None. Raises ValueError."""
    substations = 1 if substations is None else substations
    if not (0 < share < float("inf") and substations > 0):
        raise ValueError(f"--share must be above 0 and --substations 1 or more, not {share:g} and {substations}")
    limit = int(installed_kw(visits) * 1000 * share / substations)
    if limit == 0:
        raise ValueError(f"--share {share:g}: the file does not say where anybody was plugged in")
    return [limit] * substations


def installed_kw(visits: Sequence[Visit]) -> float:
    """What all outlets could deliver at once: two connectors of a charge point serve two cars at the same time."""
    outlets: dict[str, float] = {}
    for visit in visits:
        if visit.outlet:
            outlets[visit.outlet] = max(visit.car.power_kw, outlets.get(visit.outlet, 0.0))
    return sum(outlets.values())


def run(asked: Asked, console: Console, progress: Console) -> dict[Order, Satisfaction]:
    """Replay in each order, write the sessions, show the figures side by side."""
    figures: dict[Order, Satisfaction] = {}
    took_s: dict[Order, float] = {}
    with own_redis() as (redis, kind), Progress(console=progress, transient=True) as bar:
        for order in asked.orders:
            task = bar.add_task(order, total=len(asked.visits))
            started = time.perf_counter()
            step = partial(bar.advance, task)
            replayed = replay(asked.visits, asked.limits, order, redis, step, asked.config)
            took_s[order] = time.perf_counter() - started
            figures[order] = judge(replayed.served, replayed.carried)
            write_csv(replayed.served, asked.folder / f"{order}.csv")
    show(asked, figures, console)
    took = ", ".join(f"{order} {seconds:.1f} s" for order, seconds in took_s.items())
    console.print(f"PREEMPTION_SLACK_MS {asked.config.preemption_slack}. Sessions: {asked.folder}/*.csv")
    console.print(f"Took {took}, on {kind}, Python {platform.python_version()}.")
    return figures


def write_csv(served: Sequence[Served], path: Path) -> None:
    """One row for each visit. The times are the file's own, local ones."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(COLUMNS)
        for each in served:
            visit = each.visit
            departed = visit.arrived + timedelta(seconds=visit.car.stay_s or 0.0)
            times = (visit.arrived.isoformat(), departed.isoformat())
            figures = (each.watts / 1000, each.asked_wh / 1000, each.delivered_wh / 1000, round(each.waited_s))
            rows.writerow((visit.session, *times, *figures, each.substation, each.outcome, each.interruptions))


def show(asked: Asked, figures: dict[Order, Satisfaction], console: Console) -> None:
    limits = " + ".join(f"{count} x {limit / 1000:g}" for limit, count in Counter(asked.limits).items())
    energy_kwh = sum(visit.car.energy_kwh for visit in asked.visits)
    kept = ", ".join(f"{watts / 1000:g}" for watts in asked.config.protect) or "none"
    about = f"{asked.trace.name}: {len(asked.visits):,} sessions, {energy_kwh:,.1f} kWh, {limits} kW, PROTECT_KW {kept}"
    table = Table(title=about, title_justify="left")
    table.add_column("")
    for order in figures:
        table.add_column(order, justify="right")
    columns = [_column(each) for each in figures.values()]
    for name in columns[0]:
        table.add_row(name, *(column[name] for column in columns))
    console.print(table)


def _column(figures: Satisfaction) -> dict[str, str]:
    """The same rows for every order: it changes neither what is too big nor which powers there are."""
    return {
        "energy delivered": f"{figures.energy:.2%}",
        "energy that fits the stays": f"{figures.fits:.2%}",
        "sessions fully met": f"{figures.met:.2%}",
        "sessions with nothing": f"{figures.unserved:.2%}",
        **({"too big for every substation": f"{figures.too_big:,}"} if figures.too_big else {}),
        **{f"waited, p50 / p95 / max min, {_kw(name)}": _minutes(waited) for name, waited in figures.waited_s.items()},
        "interruptions per session, most": f"{figures.interruptions:.3f}, {figures.most_interruptions}",
        "Jain's index of delivered ÷ asked": NONE if figures.jain is None else f"{figures.jain:.4f}",
        "highest peak ÷ limit": f"{figures.peak:.1%}",
        "overload s": f"{figures.overload_s:g}",
    }


def _minutes(waited_s: tuple[float, ...] | None) -> str:
    return NONE if waited_s is None else " / ".join(f"{seconds / 60:.0f}" for seconds in waited_s)


def _kw(power_class: str) -> str:
    return f"up to {power_class} kW" if power_class.isdigit() else "above"


if __name__ == "__main__":
    main()
