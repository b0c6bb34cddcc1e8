"""`make chaos DURATION=60 SEED=7`: containers die, hang and lose their network under load; is anything lost?"""

import argparse
import random
import sys

from rich.console import Console
from rich.table import Table

from grid.local import end_on_signals

from ..stack import missing
from .run import LOG, chaos
from .verdict import Verdict


def main() -> None:
    """Exits with 1 if a promise was broken."""
    end_on_signals()
    parser = argparse.ArgumentParser(prog="make chaos")
    parser.add_argument("--duration", type=float, default=60, help="seconds in which faults begin")
    parser.add_argument("--seed", type=int, default=None, help="what to do when; by default another every time")
    options = parser.parse_args()
    if reason := missing():
        sys.exit(f"{reason}, then `make chaos`")
    seed = random.randrange(10**6) if options.seed is None else options.seed
    console = Console()
    console.print(f"The same faults again: make chaos DURATION={options.duration:g} SEED={seed}", highlight=False)
    console.print("Starting 3 balancers, 3 substations and all they need in containers ...")
    try:
        verdict = chaos(seed, options.duration, lambda line: console.print(line, highlight=False, soft_wrap=True))
    except AssertionError as error:
        sys.exit(f"The run did not come to a verdict: {error}")
    except KeyboardInterrupt:
        sys.exit("\nStopped.")
    show(verdict, console)
    sys.exit(1 if verdict.broken else 0)


def show(verdict: Verdict, console: Console) -> None:
    """The verdict, for a person."""
    table = Table(title="What chaos did", title_justify="left", show_header=False)
    share = sum(verdict.refusals.values()) / max(verdict.orders, 1)
    for what, figure in {
        "faults": f"{sum(verdict.faults.values())}: {_counted(verdict.faults)}",
        "requests": str(verdict.requests),
        "accepted": f"{verdict.accepted}, {verdict.waited} of them to wait in line",
        "refused, the line was full too": str(verdict.refused),
        "other answers": f"{sum(verdict.errors.values())}: {_counted(verdict.errors)}",
        "overload": f"{verdict.overload_s:.3f} s",
        "highest peak ÷ limit": f"{verdict.peak_of_limit:.1%}",
        "sessions lost": str(len(verdict.lost)),
        "charged after errors only": str(len(verdict.charged_after_errors)),
        "left in line": str(verdict.left_waiting),
        "watts left over": f"{verdict.committed_kw:g} kW committed, {verdict.drawn_kw:g} kW drawn",
        "refused by substations": f"{share:.2%} of {verdict.orders} orders: {_counted(verdict.refusals)}",
        "longest time without a good answer": f"{verdict.longest_gap_s} s, from {verdict.gap_at_s} s on",
    }.items():
        table.add_row(what, figure)
    console.print(table)
    if verdict.broken:
        console.print(f"[bold red]NOT kept:[/] {'; '.join(verdict.broken)}. See build/chaos.json and {LOG}")
    else:
        console.print("[bold green]Kept:[/] nobody overloaded, nothing lost, nothing left over.")


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} x {what}" for what, count in sorted(counts.items())) or "none"


if __name__ == "__main__":
    main()
