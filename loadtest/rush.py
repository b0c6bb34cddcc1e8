"""`make rush`: rush a grid in one of several shapes, and report what that did to it.

Against --host; or, without one, against a grid on this machine that is started for it. Unless a TIME_SCALE is given,
that grid's is the one with which a day of arrivals is a day of charging too: 86400 / duration; for burst and steady,
1800.
"""

import os
import platform
import re
import shlex
import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import NoReturn

import matplotlib
from rich.console import Console

from grid.local import BALANCERS, CAPACITIES_KW, LocalGrid, LocalGridError, end_on_signals
from loadtest import trace
from loadtest.generator import describe
from loadtest.limits import NoGridError, limits_kw
from loadtest.options import DEFAULT_TIME_SCALE, Options, add_options
from loadtest.own import own_target, simulated
from loadtest.recording import Recording, RushError, Target, record
from loadtest.report import headline, write_report
from loadtest.series import series
from loadtest.shapes import DAY_S
from loadtest.show import show

BUILD = Path("build") / "rush"
DURATION_S = 60.0
# As in the demo: one simulated hour in two seconds.
TIME_SCALE = 1800.0
VARIABLES = {
    "shape": "SHAPE",
    "load": "LOAD",
    "duration": "DURATION",
    "host": "HOST",
    "peak": "PEAK",
    "time-scale": "TIME_SCALE",
    "trace": "FILE",
    "day": "DAY",
    "substations": "SUBSTATIONS_KW",
}
"""Of `make rush`, by the option that each is here."""
OPTION = re.compile(rf"--({'|'.join(VARIABLES)})\b")


@dataclass(frozen=True)
class Asked:
    """`host` may be empty; `substations_kw` are for a grid of our own."""

    host: str
    substations_kw: Sequence[float]
    options: Options


def main() -> None:
    """Exits with 1 if the promise was not kept."""
    end_on_signals()
    asked = parse(sys.argv[1:])
    folder = BUILD / asked.options.shape
    console = Console()
    try:
        with target_of(asked, console) as target:
            recording = rush(target, asked.options, folder, console)
    except (LocalGridError, RushError) as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("\nStopped.")
    console.print(f"\n{folder}/report.html, report.png, report.json")
    sys.exit(0 if recording.verdict.kept else 1)


class Parser(ArgumentParser):
    """Its last word is what is wrong, in a sentence that names the variable of make too."""

    def error(self, message: str) -> NoReturn:
        self.exit(1, f"{in_make(message)}\n")


def make_line(arguments: Sequence[str]) -> str:
    """The same with make; empty if an option has no variable there."""
    flags = [part for argument in arguments for part in argument.split("=", 1)[: 1 + argument.startswith("--")]]
    pairs = list(zip(flags[::2], flags[1::2], strict=False))
    if len(flags) % 2 or any(flag.removeprefix("--") not in VARIABLES for flag, _ in pairs):
        return ""
    return shlex.join(["make", "rush", *(f"{VARIABLES[flag.removeprefix('--')]}={value}" for flag, value in pairs)])


def in_make(message: str) -> str:
    """With the variable of make before each option that has one."""
    return OPTION.sub(lambda found: f"{VARIABLES[found[1]]} ({found[0]})", message)


def parse(arguments: Sequence[str]) -> Asked:
    """What was typed, made complete; or a message that says what is wrong with it."""
    parser = Parser("python -m loadtest.rush", description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("--host", default="", help="the api of a running grid")
    text = "without --host: the limits in kW of the substations to start (default: %(default)s)"
    parser.add_argument("--substations", default=",".join(map(str, CAPACITIES_KW)), help=text)
    add_options(parser, Options(duration=DURATION_S, time_scale=0.0))
    parsed = parser.parse_args(arguments)
    options = Options.of(parsed)
    if not options.time_scale:
        options = replace(options, time_scale=DEFAULT_TIME_SCALE if parsed.host else fitting_time_scale(options))
    if wrong := options.wrong():
        parser.error(wrong)
    if not 0 < options.lasts_s < float("inf"):
        parser.error(f"--shape {options.shape} needs a --duration")
    if options.shape == "trace":
        if not Path(options.trace).is_file():
            parser.error(f"--trace must name a file of sessions, not {options.trace!r}")
        try:
            read = trace.read(Path(options.trace))
        except trace.TraceError as error:
            parser.error(f"--trace: {error}")
        try:
            trace.one_day(read, options.day)
        except trace.TraceError as error:
            parser.error(str(error))
    try:
        substations_kw = _limits(parsed.substations)
    except ValueError:
        parser.error(f"--substations must be limits above 0 in kW like 100,150,250, not {parsed.substations!r}")
    return Asked(parsed.host.rstrip("/"), substations_kw, options)


def _limits(typed: str) -> list[float]:
    limits = [float(limit) for limit in typed.split(",")]
    if not all(0 < limit < float("inf") for limit in limits):
        raise ValueError(typed)
    return limits


def fitting_time_scale(options: Options) -> float:
    return DAY_S / options.duration if options.is_a_day and options.duration else TIME_SCALE


@contextmanager
def target_of(asked: Asked, console: Console) -> Iterator[Target]:
    """The grid at the host; or one that runs as long as this does."""
    scale = f"TIME_SCALE {asked.options.time_scale:g}"
    if asked.host:
        try:
            limits_kw(asked.host)
        except NoGridError as error:
            raise RushError(in_make(f"--host: {error}")) from None
        yield Target(asked.host, f"running already, and taken to have {scale}")
        return
    console.print(f"Starting {len(asked.substations_kw)} substations, {BALANCERS} balancers and the api ...")
    with LocalGrid(asked.substations_kw, settings=simulated(asked.options.time_scale)) as grid:
        limits = ", ".join(f"{limit:g}" for limit in asked.substations_kw)
        what = f"substations of {limits} kW and {BALANCERS} balancers on {grid.redis_kind}, started for this, {scale}"
        yield own_target(grid, what)


def rush(target: Target, options: Options, folder: Path, console: Console) -> Recording:
    """Run it, show the verdict, write the report."""
    console.print(f"{options.shape}, {options.lasts_s:g} s, on {target.url}: {target.what}.\n")
    recording = record(target, options, folder, console)
    how = how_it_was_run(target, recording)
    write_report(recording, how, folder)
    show(recording.verdict, recording.accounts, console)
    console.print(f"Rush: {recording.intensity}. {headline(recording)}.")
    if gaps := series(recording).gaps:
        console.print(f"Unknown: {gaps}.")
    console.print(f"Generator: {how['generator']}.")
    return recording


def how_it_was_run(target: Target, recording: Recording) -> dict[str, str]:
    """For the report: enough to run it again, and to know what the figures are worth."""
    generator = recording.generator
    users = "the grid and the generator together" if target.status_urls else "the generator; the grid may have others"
    versions = {
        "Python": platform.python_version(),
        "Locust": generator["locust"],
        "matplotlib": matplotlib.__version__,
    }
    with_make = make_line(sys.argv[1:])
    return {
        "command": shlex.join(["python", "-m", "loadtest.rush", *sys.argv[1:]]),
        **({"with make": with_make} if with_make else {}),
        "grid": f"{target.url}: {target.what}",
        "arrivals": f"{recording.intensity}; an open Poisson process, seed {recording.options.seed}",
        "latency": "of each car, from the instant its call was due until its answer was read",
        "generator": describe(generator),
        "machine": f"{os.cpu_count()} cores for {users}, {platform.platform()}",
        "versions": ", ".join(f"{name} {version}" for name, version in versions.items()),
        "when": datetime.now().astimezone().isoformat(timespec="seconds"),
    }


if __name__ == "__main__":
    main()
