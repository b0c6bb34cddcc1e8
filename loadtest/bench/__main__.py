"""`python -m loadtest.bench`: runs the experiment, prints its tables, and writes build/bench/bench.json."""

import json
import sys
from argparse import ArgumentParser, Namespace
from collections import defaultdict
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from grid.local import LocalGridError, end_on_signals
from loadtest.bench import arms, machine, overload, payloads, table, turn
from loadtest.bench.arms import Arm, Workshop

FOLDER = Path("build/bench")
MARGIN_S = 1.5
"""By so much longer than a measurement every car charges."""
FLEET_CONNECTIONS = 4


class Load(NamedTuple):
    """An arm, how many cars are in a call, and on how many connections they come (None: as is asked for)."""

    arm: Callable[[Workshop], AbstractContextManager[Arm]]
    cars: int = 1
    connections: int | None = None


MEASURED = {
    "grid": Load(arms.grid),
    "floor": Load(arms.floor),
    "polling": Load(arms.polling),
    "alone": Load(arms.grid, connections=1),
    "batch": Load(arms.grid, payloads.FLEET, FLEET_CONNECTIONS),
}
RUSHED: dict[str, Callable[[Workshop], AbstractContextManager[Arm]]] = {
    "grid": lambda workshop: arms.grid(workshop, overload.LIMIT_KW),
    "polling": arms.polling,
}


def main() -> None:
    options = _options()
    if wrong := machine.missing():
        sys.exit(wrong)
    end_on_signals()
    progress = Console(stderr=True)
    about = {"versions": machine.versions(), "options": vars(options)}
    try:
        turns = _measure(options, progress)
        bursts = _rush(options, progress)
    except LocalGridError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("\nStopped.")
    console = Console(soft_wrap=True)
    console.print(", ".join(f"{name} {value}" for name, value in about["versions"].items()), highlight=False)
    console.print(", ".join(f"{name} {value}" for name, value in about["options"].items()), highlight=False)
    table.show(turns, bursts, console)
    file = FOLDER / "bench.json"
    file.write_text(json.dumps(table.as_json(turns, bursts, about), indent=1))
    console.print(f"All of it: {file}")


def _measure(options: Namespace, progress: Console) -> dict[str, list[turn.Turn]]:
    turns = defaultdict(list)
    for number in range(1, options.rounds + 1):
        for name, load in MEASURED.items():
            progress.print(f"round {number} of {options.rounds}: {name}")
            connections = load.connections or options.connections
            workshop = _workshop(name, options.seconds)
            with load.arm(workshop) as running:
                turns[name].append(turn.take(running, load.cars, connections, options.seconds, workshop.logs))
    return dict(turns)


def _rush(options: Namespace, progress: Console) -> dict[str, list[int]]:
    above = {}
    for name, arm in RUSHED.items():
        progress.print(f"{options.rounds} bursts: {name}")
        with arm(_workshop(f"{name}-burst", options.seconds)) as running:
            above[name] = [overload.above(overload.burst(running)) for _ in range(options.rounds)]
    return above


def _workshop(name: str, seconds: float) -> Workshop:
    logs = FOLDER / name
    logs.mkdir(parents=True, exist_ok=True)
    return Workshop(logs, seconds + MARGIN_S)


def _options() -> Namespace:
    parser = ArgumentParser(prog="python -m loadtest.bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="of every arm in turn (5)")
    parser.add_argument("--seconds", type=int, default=5, help="each measurement lasts (5)")
    parser.add_argument("--connections", type=int, default=64, help="of wrk, with single requests (64)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
