"""From what was asked for, and what the grid can carry, to the calls that will be made."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from loadtest import shapes, trace
from loadtest.options import Options
from loadtest.shapes import Due


@dataclass(frozen=True)
class Plan:
    """`intensity` says in words how many come, `notes` what is worth knowing about it."""

    arrivals: Iterator[Due]
    intensity: str
    notes: tuple[str, ...] = ()


def plan(options: Options, limit_kw: float) -> Plan:
    """What to do to a grid of this limit. Raises TraceError."""
    rng = random.Random(options.seed)
    lasts_s = options.lasts_s
    if options.shape == "trace":
        return _replay(options, limit_kw, rng)
    if options.shape == "burst":
        cars = round(options.peak) or shapes.burst_size(options.load, limit_kw)
        return Plan(shapes.bursts(lasts_s, cars, rng), f"{cars} cars at once, every {shapes.BURST_EVERY_S:g} s")
    rate = options.peak or shapes.peak_rate(options.load, limit_kw, options.time_scale, lasts_s)
    if options.shape == "steady":
        return Plan(shapes.parties(shapes.steady(lasts_s, rate), options.fleets, rng), f"{rate:.1f} cars a second")
    rates = shapes.day(options.shape, lasts_s, rate)
    said = f"24 h in {lasts_s:g} s, {rate:.1f} cars a second in the busiest hour"
    return Plan(shapes.parties(rates, options.fleets, rng), said)


def _replay(options: Options, limit_kw: float, rng: random.Random) -> Plan:
    read = trace.read(Path(options.trace))
    visits = trace.one_day(read, options.day)
    replay = trace.Replay(visits, options.lasts_s, options.time_scale)
    copies = options.peak or replay.copies(options.load, limit_kw)
    said = f"{len(visits)} visits of {visits[0].arrived.date()} in {options.lasts_s:g} s, each made {copies:.1f} times"
    bad = f"{len(read.bad)} rows of the trace cannot be replayed: " + "; ".join(read.bad[: trace.NAMED])
    return Plan(replay.arrivals(copies, rng), said, (bad,) if read.bad else ())
