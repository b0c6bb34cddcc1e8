"""`make demo`: a grid on this machine, a rush that asks for more than it can carry, and a verdict."""

import json
import sys
from pathlib import Path

from rich.console import Console

from grid.local import LocalGrid, LocalGridError, end_on_signals
from loadtest.options import Options
from loadtest.own import own_target, simulated
from loadtest.recording import RushError, record
from loadtest.shapes import DAY_S
from loadtest.show import show

BUILD = Path("build")
# A day in half a minute: everybody comes to work at the same time, and by the evening all have gone.
RUSH = Options(shape="workplace", duration=30, load=2, time_scale=DAY_S / 30)


def main() -> None:
    """Run the demo. Exits with 1 if a substation was overloaded or a request was answered by an error."""
    end_on_signals()
    console = Console()
    try:
        console.print("Starting 3 substations (100, 150 and 250 kW), 3 balancers and the api ...")
        with LocalGrid(settings=simulated(RUSH.time_scale)) as grid:
            console.print(f"The grid is up at {grid.url} on {grid.redis_kind}.")
            console.print(f"Rush: a day at work in {RUSH.duration:g} s, cars of 3.7 to 150 kW.")
            console.print(f"In the morning they would draw {RUSH.load:g} times what the grid can give.\n")
            recording = record(own_target(grid, "the demo's"), RUSH, BUILD / "demo", console)
    except (LocalGridError, RushError) as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("\nStopped.")
    verdict = recording.verdict
    (BUILD / "demo.json").write_text(json.dumps(verdict.as_json(), indent=2) + "\n")
    show(verdict, recording.accounts, console)
    if not verdict.kept:
        console.print(f"See {BUILD / 'demo.json'} and build/local/*.log")
    sys.exit(0 if verdict.kept else 1)


if __name__ == "__main__":
    main()
