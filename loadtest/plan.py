"""From what was asked for, and what the grid can carry, to the calls that will be made."""

import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from loadtest import expected, shapes, trace
from loadtest.options import Options
from loadtest.shapes import Due, Rate


@dataclass(frozen=True)
class Plan:
    """`intensity` says in words how many come, `notes` what is worth knowing about it.

    `expected_peak` is the most power that would be committed if nobody had to wait, in limits of the grid.
    """

    arrivals: Iterator[Due]
    intensity: str
    expected_peak: float
    notes: tuple[str, ...] = ()


def plan(options: Options, limits_kw: Mapping[str, float]) -> Plan:
    """What to do to a grid whose zones have these limits. Raises TraceError."""
    whole = _without_zones(options, sum(limits_kw.values()))
    # A generator of its own: the same seed is the same cars at the same instants, whatever the zones.
    rng = random.Random(f"zones {options.seed}")
    return replace(whole, arrivals=_in_zones(whole.arrivals, limits_kw, rng))


def _in_zones(arrivals: Iterable[Due], limits_kw: Mapping[str, float], rng: random.Random) -> Iterator[Due]:
    """Each call, a fleet's as well, in one zone: so many in each as it can carry, in proportion."""
    zones, weights = list(limits_kw), list(limits_kw.values())
    for due in arrivals:
        (zone,) = rng.choices(zones, weights)
        yield replace(due, zone=zone)


def _without_zones(options: Options, limit_kw: float) -> Plan:
    rng = random.Random(options.seed)
    lasts_s, scale = options.lasts_s, options.time_scale
    if options.shape == "trace":
        return _replay(options, limit_kw, rng)
    if options.shape == "burst":
        cars = round(options.peak) or shapes.burst_size(options.load, limit_kw)
        peak = expected.peak_kw(expected.of_bursts(cars, lasts_s, scale), scale, lasts_s) / limit_kw
        said = f"{cars} cars at once, every {shapes.BURST_EVERY_S:g} s"
        return Plan(shapes.bursts(lasts_s, cars, rng), _with_peak(said, peak), peak)
    rate = options.peak or expected.peak_rate(options.load, limit_kw, _rates(options, 1.0), scale, lasts_s)
    rates = _rates(options, rate)
    peak = expected.peak_kw(expected.of_rates(rates), scale, lasts_s) / limit_kw
    said = f"{rate:.1f} cars a second"
    if options.shape != "steady":
        said = f"24 h in {lasts_s:g} s, {said} in the busiest hour"
    return Plan(shapes.parties(rates, options.fleets, rng), _with_peak(said, peak), peak)


def _rates(options: Options, peak: float) -> list[Rate]:
    lasts_s = options.lasts_s
    return shapes.steady(lasts_s, peak) if options.shape == "steady" else shapes.day(options.shape, lasts_s, peak)


def _with_peak(said: str, peak: float) -> str:
    return f"{said}; expected peak: {peak:.2f} x the limit, if nobody had to wait"


def _replay(options: Options, limit_kw: float, rng: random.Random) -> Plan:
    read = trace.read(Path(options.trace))
    visits = trace.one_day(read, options.day)
    replay = trace.Replay(visits, options.lasts_s, options.time_scale)
    copies = options.peak or replay.copies(options.load, limit_kw)
    said = f"{len(visits)} visits of {visits[0].arrived.date()} in {options.lasts_s:g} s, each made {copies:.3g} times"
    bad = f"{len(read.bad)} rows of the trace cannot be replayed: " + "; ".join(read.bad[: trace.NAMED])
    peak = replay.peak_kw(copies) / limit_kw
    return Plan(replay.arrivals(copies, rng), _with_peak(said, peak), peak, (bad,) if read.bad else ())
