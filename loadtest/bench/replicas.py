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

from grid.local import LocalGridError, end_on_signals
from loadtest.bench import arms, machine, overload, payloads, turn
from loadtest.bench.arms import Workshop
from loadtest.bench.ratios import spread
from loadtest.bench.saturate import saturate

FOLDER = Path("build/bench/replicas")
REPLICAS = (1, 2, 4, 8)
CONNECTIONS = 16
SECONDS = 5
MARGIN_S = 1.5
FLAT = 0.10
"""CPU per car may differ by so much from that of one balancer."""


@dataclass(frozen=True)
class Measured:
    """CPU in µs per car. Of the burst: what is `in_use` of all limits, how many cars are `above` one, and how far `apart`
    the fullest and the emptiest substation are, by their limit."""

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
    console = Console(soft_wrap=True)
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
    console.print(
        f"\n{'balancers':>9}  {'cars a second':<22}{'CPU µs per car':<26}{'of it the balancers':<26}"
        f"{'÷ one balancer':<16}30 cars at once"
    )
    one = statistics.median(each.cpu_us for each in measured[1])
    for replicas, rounds in measured.items():
        ratio = statistics.median(each.cpu_us for each in rounds) / one
        least, above = min(e.in_use for e in rounds), sum(e.above for e in rounds)
        console.print(
            f"{replicas:>9}  {_said([e.cars_per_s for e in rounds]):<22}{_said([e.cpu_us for e in rounds]):<26}"
            f"{_said([e.balancer_cpu_us for e in rounds]):<26}{ratio:<16.2f}"
            f"{above} above a limit, at least {least:.0%} in use, loads {max(e.apart for e in rounds):.0%} apart at most",
            highlight=False,
        )
    worst = max(abs(statistics.median(e.cpu_us for e in rounds) / one - 1) for rounds in measured.values())
    console.print(
        f"CPU per car within {FLAT:.0%}: {'met' if worst <= FLAT else 'NOT MET'} ({worst:.0%})", highlight=False
    )


def _said(values: list[float]) -> str:
    median, least, most = spread(values)
    return f"{median:,.0f} ({least:,.0f} to {most:,.0f})"


def _workshop(replicas: int) -> Workshop:
    logs = FOLDER / f"{replicas}"
    logs.mkdir(parents=True, exist_ok=True)
    return Workshop(logs, SECONDS + MARGIN_S)


if __name__ == "__main__":
    main()
