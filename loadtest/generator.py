"""What the generator itself costs: if it is the bottleneck, it measures itself."""

import os
import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

import gevent

from loadtest.percentiles import percentile

BUSY = 0.6
LATE_MS = 50.0


@dataclass
class Generator:
    """Its CPU time, second by second."""

    shares: list[float] = field(default_factory=list)
    cpu_s: float = 0.0
    wall_s: float = 0.0

    def watch(self) -> None:
        """For ever; in a greenlet."""
        began_cpu, began = cpu, now = time.process_time(), time.perf_counter()
        while True:
            gevent.sleep(1)
            earlier_cpu, earlier = cpu, now
            cpu, now = time.process_time(), time.perf_counter()
            self.shares.append(round((cpu - earlier_cpu) / (now - earlier), 3))
            self.cpu_s, self.wall_s = cpu - began_cpu, now - began

    def as_json(self, calls: int, late_s: Sequence[float], all_busy: int) -> dict[str, Any]:
        """`share` and `busiest_share` are of one core: the mean, and the busiest second's.

        `late_ms_p99` is how late calls were sent, `all_busy` how many were due when no user was free.
        """
        return {
            "cpu_s": round(self.cpu_s, 2),
            "wall_s": round(self.wall_s, 2),
            "calls": calls,
            "share": round(self.cpu_s / self.wall_s, 3) if self.wall_s else 0.0,
            "busiest_share": max(self.shares, default=0.0),
            "late_ms_p99": round(percentile(late_s, 0.99) * 1000, 1),
            "all_busy": all_busy,
            "cpu_us_per_call": round(self.cpu_s / calls * 1e6) if calls else 0,
            "locust": version("locust"),
            "python": platform.python_version(),
            "cores": os.cpu_count(),
        }


def describe(figures: dict[str, Any]) -> str:
    text = (
        f"{figures['share']:.0%} of a core ({figures['busiest_share']:.0%} in its busiest second), "
        f"{figures['cpu_us_per_call']} µs of CPU per call; "
        f"99 % of the calls were sent within {figures['late_ms_p99']:.0f} ms of when they were due"
    )
    signs = {
        f"it used more than {BUSY:.0%} of a core": figures["busiest_share"] > BUSY,
        f"1 % of its calls were sent more than {LATE_MS:g} ms late": figures["late_ms_p99"] > LATE_MS,
        f"all of its users were busy when {figures['all_busy']} calls were due": figures["all_busy"] > 0,
    }
    if said := [sign for sign, shows in signs.items() if shows]:
        text += f". WARNING, it may have measured itself: {'; '.join(said)}. A smaller load or a longer run is cleaner"
    return text
