"""`python -m loadtest.bench.replicas`: what more balancers change. The rest of the grid is the same, in turns.

On a machine whose cores are all busy more replicas cannot bring more cars a second: what must not change is what a car
costs, and how good the decisions are. For those, thirty cars of 11 kW on average ask at once for 3 x 110 kW.
"""

import statistics
import sys
from argparse import ArgumentParser
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from grid.local import LocalGridError, end_on_signals
from loadtest.bench import arms, machine, overload, payloads, turn
from loadtest.bench.arms import Workshop
from loadtest.bench.ratios import spread
from loadtest.bench.saturate import saturate

FOLDER = Path("build/bench/replicas")
REPLICAS = (1, 2, 4, 8)
CONNECTIONS = 64
SECONDS = 5
MARGIN_S = 1.5
FLAT = 0.10
"""CPU per car may differ by so much from that of one balancer."""


@dataclass(frozen=True)
class Measured:
    """CPU in µs per car. Of the burst: what is `in_use` of all limits, how many cars are `above` one, and how far
    `apart` the fullest and the emptiest substation are, by their limit."""

    cars_per_s: float
    cpu_us: float
    balancer_cpu_us: float
    in_use: float
    above: int
    apart: float


def main() -> None:
    parser = ArgumentParser(prog="python -m loadtest.bench.replicas", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="of every number of balancers in turn (3)")
    rounds = parser.parse_args().rounds
    if wrong := machine.missing():
        sys.exit(wrong)
    end_on_signals()
    progress = Console(stderr=True)
    measured: dict[int, list[Measured]] = defaultdict(list)
    try:
        for number in range(1, rounds + 1):
            for replicas in REPLICAS:
                progress.print(f"round {number} of {rounds}: {replicas} balancers")
                measured[replicas].append(measure(replicas))
    except LocalGridError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("\nStopped.")
    console = Console(width=150)
    console.print(", ".join(f"{name} {value}" for name, value in machine.versions().items()), highlight=False)
    show(measured, console)


def measure(replicas: int) -> Measured:
    workshop = _workshop(replicas)
    with arms.grid(workshop, replicas=replicas) as arm:
        bodies = payloads.bodies(1)
        saturate(arm.url, bodies, CONNECTIONS, turn.WARM_UP_S, workshop.logs)
        arm.wait_until_empty()
        with turn.measured(arm) as used:
            most = saturate(arm.url, bodies, CONNECTIONS, SECONDS, workshop.logs)
    cpu_us = turn.per_car(used.arm, most.answered - most.failed)
    with arms.grid(workshop, overload.LIMIT_KW, replicas) as arm:
        drawn = overload.burst(arm)
    loads = [watts / 1000 / overload.LIMIT_KW for watts in drawn]
    return Measured(
        cars_per_s=most.calls_per_s,
        cpu_us=sum(cpu_us.values()),
        balancer_cpu_us=cpu_us["balancer"],
        in_use=statistics.mean(loads),
        above=overload.above(drawn),
        apart=max(loads) - min(loads),
    )


def show(measured: dict[int, list[Measured]], console: Console) -> None:
    one = statistics.median(each.cpu_us for each in measured[1])
    table = Table(title="median (range of the rounds)", title_justify="left")
    for column in ("balancers", "cars a second", "CPU µs per car", "of it the balancers", "÷ one balancer"):
        table.add_column(column, justify="right")
    for column in ("burst: above a limit", "in use", "loads apart"):
        table.add_column(column, justify="right")
    for replicas, rounds in measured.items():
        table.add_row(
            f"{replicas}",
            _said([each.cars_per_s for each in rounds]),
            _said([each.cpu_us for each in rounds]),
            _said([each.balancer_cpu_us for each in rounds]),
            f"{statistics.median(each.cpu_us for each in rounds) / one:.2f}",
            f"{sum(each.above for each in rounds)}",
            f"{min(each.in_use for each in rounds):.0%} or more",
            f"{max(each.apart for each in rounds):.0%} at most",
        )
    console.print(table)
    worst = max(abs(statistics.median(each.cpu_us for each in rounds) / one - 1) for rounds in measured.values())
    met = "met" if worst <= FLAT else "NOT MET"
    console.print(f"CPU per car of one balancer ± {FLAT:.0%}: {worst:.0%} at most, {met}", highlight=False)


def _said(values: list[float]) -> str:
    median, least, most = spread(values)
    return f"{median:,.0f} ({least:,.0f} to {most:,.0f})"


def _workshop(replicas: int) -> Workshop:
    logs = FOLDER / f"{replicas}"
    logs.mkdir(parents=True, exist_ok=True)
    return Workshop(logs, SECONDS + MARGIN_S)


if __name__ == "__main__":
    main()
