"""The figures for a person, and for a program."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console

from loadtest.bench.ratios import TARGETS, Spread, Turns, cpu_us, cpu_us_at_half, spread
from loadtest.bench.turn import CLUSTER_MS, Turn

KINDS = ("nginx", "api", "balancer", "substation", "redis")
ROWS: dict[str, Callable[[Turn], float]] = {
    "cars per second": lambda turn: turn.cars_per_s,
    "p50 ms at half rate": lambda turn: turn.p50_ms,
    "p99 ms at half rate": lambda turn: turn.p99_ms,
    f"% of answers in {CLUSTER_MS[0]}-{CLUSTER_MS[1]} ms": lambda turn: 100 * turn.in_cluster / turn.answers,
    "CPU µs per car": cpu_us,
    "CPU µs per car at half rate": cpu_us_at_half,
    "CPU µs for a car's end": lambda turn: sum(turn.cpu_us_of_ends.values()),
    "failed": lambda turn: turn.failed,
    "cores: wrk": lambda turn: turn.generator_cores,
    "cores: generator at half rate": lambda turn: turn.generator_cores_at_half,
    "its own p99 ms too late": lambda turn: turn.generator_late_ms,
    "cores: others": lambda turn: turn.others_cores,
}

Bursts = Mapping[str, Sequence[int]]
"""By arm, how many cars were above a limit in each burst."""


def show(turns: Turns, bursts: Bursts, console: Console) -> None:
    _print("median (range of the rounds)", turns, ROWS, console)
    for title, of in (
        ("CPU µs per car", lambda turn: turn.cpu_us),
        ("CPU µs per car at half rate", lambda turn: turn.cpu_us_at_half),
        ("CPU µs for a car's end", lambda turn: turn.cpu_us_of_ends),
        ("peak MiB of the largest process", lambda turn: turn.peak_mib),
    ):
        _print(title, turns, {kind: _part(of, kind) for kind in KINDS}, console)
    for arm, above in bursts.items():
        console.print(f"{arm}: {sum(above)} cars above a limit in {len(above)} bursts of 30 cars for 30 places")
    for target in TARGETS:
        sign, met = ("≤" if target.at_most else "≥"), target.is_met(turns)
        ratio = _said(target.ratio(turns))
        console.print(
            f"{target.what}, {target.arm} ÷ {target.by}: {ratio}, to be {sign} {target.bound:.2f}: "
            f"{'met' if met else 'NOT MET'}",
            highlight=False,
        )


def as_json(turns: Turns, bursts: Bursts, about: Mapping[str, Any]) -> dict[str, Any]:
    """Everything, and the ratios."""
    ratios = [
        {"what": target.what, "arm": target.arm, "by": target.by, "bound": target.bound, "at_most": target.at_most}
        | {"ratio": target.ratio(turns)._asdict(), "met": target.is_met(turns)}
        for target in TARGETS
    ]
    return {
        **about,
        "turns": {arm: [asdict(turn) for turn in each] for arm, each in turns.items()},
        "above_a_limit": dict(bursts),
        "ratios": ratios,
    }


def _print(title: str, turns: Turns, rows: Mapping[str, Callable[[Turn], float]], console: Console) -> None:
    console.print(f"\n{title:<32}" + "".join(f"{arm:<24}" for arm in turns), highlight=False)
    for name, of in rows.items():
        said = (_said(spread([of(turn) for turn in each])) for each in turns.values())
        console.print(f"{name:<32}" + "".join(f"{value:<24}" for value in said), highlight=False)


def _part(of: Callable[[Turn], Mapping[str, float]], kind: str) -> Callable[[Turn], float]:
    return lambda turn: of(turn).get(kind, 0.0)


def _said(values: Spread) -> str:
    median, least, most = map(_number, values)
    return f"{median} ({least} to {most})"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.2f}"
