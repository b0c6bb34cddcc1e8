"""`make demo`: a grid on this machine, a rush that asks for more than it can carry, and a verdict."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import requests
from rich.console import Console
from rich.live import Live
from rich.table import Table

from grid.local import LocalGrid, LocalGridError, end_on_signals
from loadtest.drivers import locust_command
from loadtest.verdict import SubstationFigures, Verdict, judge

BUILD = Path("build")
RUSH_S = 20
DRIVERS = 120
# One simulated hour in two seconds: a 10 kWh session at 11 kW lasts 1.8 s, so the grid fills and turns over.
TIME_SCALE = 1800
SAMPLE_S = 0.25
PLAIN_LINE_EVERY_S = 2.0


def main() -> None:
    """Run the demo. Exits with 1 if a substation was overloaded or a request was answered by an error."""
    end_on_signals()
    console = Console()
    BUILD.mkdir(exist_ok=True)
    try:
        console.print("Starting 3 substations (100, 150 and 250 kW), 3 balancers and the api ...")
        with LocalGrid(settings={"TIME_SCALE": str(TIME_SCALE), "LOG_LEVEL": "WARNING"}) as grid:
            console.print(f"The grid is up at {grid.url} on {grid.redis_kind}.")
            console.print(f"Rush: {DRIVERS} cars a second for {RUSH_S} s, 3.7 to 150 kW each.\n")
            verdict = rush(grid, console)
    except LocalGridError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("\nStopped.")
    (BUILD / "demo.json").write_text(json.dumps(verdict.as_json(), indent=2) + "\n")
    show(verdict, console)
    sys.exit(0 if verdict.kept else 1)


def rush(grid: LocalGrid, console: Console) -> Verdict:
    """Let Locust loose on the grid; watch it until it is done."""
    result = BUILD / "rush.json"
    result.unlink(missing_ok=True)
    command = [*locust_command(grid.url, DRIVERS), "--run-time", f"{RUSH_S}s", "--result", str(result)]
    loads: list[list[float]] = []
    with (BUILD / "locust.log").open("w") as log, requests.Session() as session:
        locust = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        try:
            _watch(grid, session, locust, loads, console)
        finally:
            locust.terminate()
            locust.wait()
        if not result.exists():
            raise LocalGridError(f"Locust did not finish; see {log.name}")
        statuses = [session.get(f"{service.url}/status", timeout=5).json() for service in grid.substations]
    return judge(json.loads(result.read_text()), [_figures(status) for status in statuses], loads)


def _watch(
    grid: LocalGrid,
    session: requests.Session,
    locust: "subprocess.Popen[bytes]",
    loads: list[list[float]],
    console: Console,
) -> None:
    started = time.monotonic()
    said = started
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while locust.poll() is None and time.monotonic() - started < RUSH_S + 30:
            state = session.get(f"{grid.url}/grid", timeout=5).json()
            loads.append([row["load"] for row in state["substations"]])
            elapsed = time.monotonic() - started
            if console.is_terminal:
                live.update(_table(state, elapsed), refresh=True)
            elif time.monotonic() - said >= PLAIN_LINE_EVERY_S:
                said = time.monotonic()
                console.print(_line(state, elapsed), soft_wrap=True)
            time.sleep(SAMPLE_S)


def _table(state: dict[str, Any], elapsed: float) -> Table:
    table = Table(title=f"{elapsed:.0f} of {RUSH_S} s", title_justify="left")
    for heading in ("substation", "load", "committed kW", "limit kW", "cars"):
        table.add_column(heading, justify="left" if heading in ("substation", "load") else "right")
    for row in state["substations"]:
        bar = "█" * round(row["load"] * 30)
        table.add_row(
            row["substation"],
            f"{bar:<30} {row['load']:4.0%}",
            f"{row['committed_kw']:.1f}",
            f"{row['limit_kw']:g}",
            str(row["sessions"]),
        )
    return table


def _line(state: dict[str, Any], elapsed: float) -> str:
    rows = [f"{row['substation']} {row['committed_kw']:.0f}/{row['limit_kw']:g} kW" for row in state["substations"]]
    return f"{elapsed:3.0f} s  " + "   ".join(rows)


def _figures(status: dict[str, Any]) -> SubstationFigures:
    return SubstationFigures(
        substation=status["substation"],
        limit_kw=status["limit_watts"] / 1000,
        peak_kw=status["peak_watts"] / 1000,
        overload_s=status["overload_seconds"],
        sessions=status["started"],
    )


def show(verdict: Verdict, console: Console) -> None:
    """The verdict, for a person."""
    table = Table(title="What each substation measured", title_justify="left")
    for heading in ("substation", "limit kW", "peak kW", "peak ÷ limit", "overload s", "sessions"):
        table.add_column(heading, justify="left" if heading == "substation" else "right")
    for s in verdict.substations:
        table.add_row(
            s.substation,
            f"{s.limit_kw:g}",
            f"{s.peak_kw:.1f}",
            f"{s.peak_kw / s.limit_kw:.1%}",
            f"{s.overload_s:.3f}",
            str(s.sessions),
        )
    console.print(table)
    console.print(f"requests    {verdict.requests}   ({verdict.requests_per_s:g} a second)")
    console.print(f"charging    {verdict.charging}")
    console.print(f"refused     {verdict.refused}   (503: the grid was full)")
    errors = ", ".join(f"{count} x {what}" for what, count in verdict.errors.items())
    console.print(f"errors      {sum(verdict.errors.values())}   {errors}")
    latency = "   ".join(f"{name} {value:g} ms" for name, value in verdict.latency_ms.items())
    console.print(f"latency     {latency}")
    console.print(f"Jain index  {verdict.jain}   (1 = all substations equally loaded)\n")
    if verdict.kept:
        console.print("[bold green]Kept:[/] no substation was ever above its limit, and no request failed.")
    else:
        why = f"overloaded: {', '.join(verdict.overloaded)}" if verdict.overloaded else "requests failed"
        console.print(f"[bold red]NOT kept:[/] {why}. See {BUILD / 'demo.json'} and build/local/*.log")


if __name__ == "__main__":
    main()
