"""`make demo`: a grid on this machine, a rush that asks for more than it can carry, and a verdict."""

import json
import sys
from pathlib import Path

from rich.console import Console

from grid.local import LocalGrid, LocalGridError, end_on_signals
from loadtest.options import Options
from loadtest.own import own_target, simulated
from loadtest.recording import RushError, record
from loadtest.show import show

BUILD = Path("build")
# One simulated hour in two seconds: a 10 kWh session at 11 kW lasts 1.8 s, so the grid fills and turns over.
RUSH = Options(shape="steady", duration=20, peak=120, time_scale=1800)


def main() -> None:
    """Run the demo. Exits with 1 if a substation was overloaded or a request was answered by an error."""
    end_on_signals()
    console = Console()
    try:
        console.print("Starting 3 substations (100, 150 and 250 kW), 3 balancers and the api ...")
        with LocalGrid(settings=simulated(RUSH.time_scale)) as grid:
            console.print(f"The grid is up at {grid.url} on {grid.redis_kind}.")
            console.print(f"Rush: {RUSH.peak:g} cars a second for {RUSH.duration:g} s, 3.7 to 150 kW each.\n")
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
