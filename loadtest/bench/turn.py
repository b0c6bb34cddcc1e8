"""One turn of one arm: warmed up, measured as fast as it can, and at half of that."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from loadtest.bench.arms import Arm
from loadtest.bench.cpu import machine_busy_s
from loadtest.bench.open_loop import Answers, ask
from loadtest.bench.payloads import bodies
from loadtest.bench.saturate import Saturation, saturate

CLUSTER_MS = (38, 50)
"""Where answers are found that waited for a delayed ACK of TCP (40 ms)."""
WARM_UP_S = 1.0


@dataclass
class Used:
    """Processor time while something was measured, in s: the arm's by what its processes are, and everybody's."""

    arm: dict[str, float] = field(default_factory=dict)
    machine: float = 0.0
    seconds: float = 0.0


@dataclass(frozen=True)
class Turn:
    """What was measured. Times of the processor are µs per car, by what the processes are."""

    cars: int
    """In a call."""
    cars_per_s: float
    cpu_us: dict[str, float]
    cpu_us_at_half: dict[str, float]
    cpu_us_of_ends: dict[str, float]
    """From the end of the first measurement until nobody charges any more, per car that had begun in it."""
    p50_ms: float
    p99_ms: float
    in_cluster: int
    answers: int
    failed: int
    peak_mib: dict[str, float]
    generator_cores: float
    """Of wrk."""
    generator_cores_at_half: float
    generator_late_ms: float
    """The 99th percentile of how late a request was sent."""
    others_cores: float
    """What neither the arm nor the generator used: the system, and whoever else is on this machine."""


def take(arm: Arm, cars: int, connections: int, seconds: float, folder: Path) -> Turn:
    """Measure an arm that has just been started."""
    fleet = bodies(cars)
    saturate(arm.url, fleet, connections, WARM_UP_S, folder)
    arm.wait_until_empty()
    before = arm.cars_started()
    with measured(arm) as full:
        most = saturate(arm.url, fleet, connections, seconds, folder)
    with measured(arm) as ends:
        arm.wait_until_empty()
    begun = arm.cars_started() - before
    rate = most.calls_per_s / 2
    with measured(arm) as half:
        answers = ask(arm.url, rate, max(1, round(rate * seconds)), cars)
    return result(cars, begun, most, answers, full, half, ends, arm.peak_mib())


def result(
    cars: int,
    begun: int,
    most: Saturation,
    answers: Answers,
    full: Used,
    half: Used,
    ends: Used,
    peak_mib: dict[str, float],
) -> Turn:
    """The figures. `begun` cars charge after the first measurement: not all do if fleets were refused in part."""
    answered = (most.answered - most.failed) * cars
    latencies = sorted(answers.latencies_ms)
    low, high = CLUSTER_MS
    return Turn(
        cars=cars,
        cars_per_s=most.calls_per_s * cars,
        cpu_us=per_car(full.arm, answered),
        cpu_us_at_half=per_car(half.arm, len(latencies) * cars),
        cpu_us_of_ends=per_car(ends.arm, begun),
        p50_ms=percentile(latencies, 0.50),
        p99_ms=percentile(latencies, 0.99),
        in_cluster=sum(low <= latency <= high for latency in latencies),
        answers=len(latencies),
        failed=most.failed * cars + answers.failed * cars + max(0, answered - begun),
        peak_mib=peak_mib,
        generator_cores=most.generator_cpu_s / most.seconds,
        generator_cores_at_half=answers.generator_cpu_s / answers.seconds,
        generator_late_ms=percentile(sorted(answers.late_ms), 0.99),
        others_cores=(full.machine - sum(full.arm.values()) - most.generator_cpu_s) / full.seconds,
    )


def percentile(ordered: list[float], share: float) -> float:
    """The smallest value that is not below this share of them."""
    return ordered[max(0, -int(-len(ordered) * share // 1) - 1)]


def per_car(cpu_s: dict[str, float], cars: int) -> dict[str, float]:
    """µs."""
    return {name: seconds * 1e6 / cars for name, seconds in cpu_s.items()}


@contextmanager
def measured(arm: Arm) -> Iterator[Used]:
    """What is used in the block."""
    used = Used()
    began, machine, mine = time.monotonic(), machine_busy_s(), arm.cpu_s()
    yield used
    used.arm = {name: now - mine[name] for name, now in arm.cpu_s().items()}
    used.machine = machine_busy_s() - machine
    used.seconds = time.monotonic() - began
