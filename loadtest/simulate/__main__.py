"""`make simulate`: how well cars are placed by our rule, by other rules, and by what theory allows.

Poisson arrivals on a virtual clock; who finds no room goes away. Our rule is decided by the real scripts on a Redis of
their own. Studies: placement (10 substations), many (50 to 1,000), mixed (different limits), stale (old loads), shipped
(the grid of the demo), validation (the laboratory itself against known results; exits with 1 if one is missed).

An interval of the validation is one of 99.9 %: one seed in a thousand misses it by chance. There are dozens of lines,
so a few seeds in a hundred show a MISSED somewhere. A line that another seed misses, too, is hardly chance.
"""

import json
import os
import platform
import sys
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryFile

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from grid.local import LocalGridError, end_on_signals
from loadtest.own_redis import own_redis
from loadtest.simulate import options, table, validation
from loadtest.simulate.cells import Cell, Result
from loadtest.simulate.options import Asked
from loadtest.simulate.plot import draw
from loadtest.simulate.report import as_json
from loadtest.simulate.workers import WorkerError, run_all

WIDTH = 160
"""Of tables that go into a file."""


class OutError(Exception):
    """Nothing can be written where --out says; the message says why."""


def main() -> None:
    """Exits with 1 if the laboratory is not valid."""
    end_on_signals()
    asked = options.parse(sys.argv[1:], __doc__ or "")
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    try:
        valid = run(asked, console, Console(stderr=True))
    except (LocalGridError, OutError, WorkerError) as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("\nStopped.")
    sys.exit(0 if valid else 1)


def run(asked: Asked, console: Console, progress: Console) -> bool:
    """Simulate, show, write. False if the laboratory was validated and is not valid. Raises OutError at once."""
    started = time.perf_counter()
    make_writable(asked.folder)
    used = machine()
    about = {"study": asked.name, "machine": used}
    path = asked.folder / f"{asked.name}.json"
    valid = True
    if asked.study is None:
        checks = validation.checks(asked.arrivals or validation.ARRIVALS, asked.seed)
        results = simulate([check.cell for check in checks], asked.processes, progress)
        lines = validation.judge(checks, results, asked.seed)
        validation.show(lines, console)
        valid = all(line.holds for line in lines)
        path.write_text(json.dumps({**about, "lines": [line.as_json() for line in lines]}, indent=1))
        written = [path]
    else:
        results = simulate(asked.study.cells, asked.processes, progress)
        table.show(results, console)
        path.write_text(json.dumps(as_json(results, about), indent=1))
        written = [path, *draw(results, path.with_suffix(".png"))]
    seconds = time.perf_counter() - started
    arrivals = sum(result.cell.scenario.all_arrivals for result in results)
    processes = min(asked.processes, len(results))
    on = ", ".join(f"{name} {value}" for name, value in {"processes": processes, **used}.items())
    said = f"{arrivals:,} arrivals in {seconds:.0f} s ({arrivals / seconds:,.0f} a second)"
    console.print(f"{said}; {on}", highlight=False)
    console.print("Written:", *written, highlight=False, soft_wrap=True)  # a path can be copied as a whole
    return valid


def make_writable(folder: Path) -> None:
    """Raises OutError if there is no such folder to write into."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OutError(f"--out {folder}: nothing can be written there ({error.strerror})") from None


def simulate(cells: Sequence[Cell], processes: int, console: Console) -> list[Result]:
    """The results in the order of the cells. Raises WorkerError."""
    longest_first = sorted(cells, key=_work, reverse=True)
    found: dict[Cell, Result] = {}
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:.0f} %"))
    with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=console, transient=True) as bar:
        task = bar.add_task("", total=sum(map(_work, cells)))
        arrivals = 0
        for cell, said in run_all(longest_first, processes):
            if isinstance(said, Result):
                found[cell] = said
            else:
                arrivals += said
                text = f"{arrivals:,} arrivals, {len(found)} of {len(cells)} cells"
                bar.update(task, advance=said * cell.arm.cost(cell.scenario), description=text)
    return [found[cell] for cell in cells]


def _work(cell: Cell) -> float:
    return cell.scenario.all_arrivals * cell.arm.cost(cell.scenario)


def machine() -> dict[str, str]:
    """What was used. Raises LocalGridError without a Redis."""
    with own_redis() as (_, kind):
        server = kind
    cores = str(len(os.sched_getaffinity(0)))
    return {"cores": cores, "Python": platform.python_version(), "redis-py": version("redis"), "Redis": server}


if __name__ == "__main__":
    main()
