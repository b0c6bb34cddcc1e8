"""What the generator itself costs: if it is the bottleneck, it measures itself."""

import os
import platform
import time
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

import gevent

BUSY = 0.6


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

    def as_json(self, calls: int) -> dict[str, Any]:
        """`share` and `busiest_share` are of one core: the mean, and the busiest second's."""
        return {
            "cpu_s": round(self.cpu_s, 2),
            "wall_s": round(self.wall_s, 2),
            "calls": calls,
            "share": round(self.cpu_s / self.wall_s, 3) if self.wall_s else 0.0,
            "busiest_share": max(self.shares, default=0.0),
            "cpu_us_per_call": round(self.cpu_s / calls * 1e6) if calls else 0,
            "locust": version("locust"),
            "python": platform.python_version(),
            "cores": os.cpu_count(),
        }


def describe(figures: dict[str, Any]) -> str:
    text = (
        f"{figures['share']:.0%} of a core ({figures['busiest_share']:.0%} in its busiest second), "
        f"{figures['cpu_us_per_call']} µs of CPU per call"
    )
    if figures["busiest_share"] > BUSY:
        text += f". WARNING: above {BUSY:.0%} it measures itself: a smaller load, or a longer run"
    return text
