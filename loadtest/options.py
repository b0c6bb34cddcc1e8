"""How a rush is asked for, on the command line and in Locust's web page alike."""

import os
from argparse import ArgumentParser, Namespace
from dataclasses import asdict, dataclass
from typing import Self

from loadtest.shapes import DAY_S, DAYS, SHAPES

DEFAULT_TIME_SCALE = 60.0  # TIME_SCALE in grid/settings.py


@dataclass(frozen=True)
class Options:
    """Times in real seconds."""

    shape: str = "rush-hour"
    duration: float = 0.0
    load: float = 2.0
    peak: float = 0.0
    time_scale: float = DEFAULT_TIME_SCALE
    trace: str = ""
    day: str = ""
    fleets: float = 0.02
    look_ups: float = 0.1
    cancels: float = 0.05
    seed: int = 1

    @property
    def is_a_day(self) -> bool:
        return self.shape in DAYS or self.shape == "trace"

    @property
    def lasts_s(self) -> float:
        if self.duration:
            return self.duration
        return DAY_S / self.time_scale if self.is_a_day else float("inf")

    @classmethod
    def of(cls, parsed: Namespace) -> Self:
        return cls(**{name: getattr(parsed, name) for name in asdict(cls())})

    def wrong(self) -> str:
        """The first option that cannot be, and why; empty if all can."""
        for name, (least, most) in LIMITS.items():
            if not least <= getattr(self, name) <= most:
                return f"--{name.replace('_', '-')} must be {least:g} to {most:g}"
        return ""

    def arguments(self) -> list[str]:
        """As they are typed."""
        pairs = ((f"--{name.replace('_', '-')}", str(value)) for name, value in asdict(self).items() if value != "")
        return [each for pair in pairs for each in pair]


DEFAULTS = Options()
LIMITS = {
    "duration": (0, DAY_S),
    "load": (0, 1_000),
    "peak": (0, 100_000),
    "time_scale": (0.001, 100_000),
    "fleets": (0, 1),
    "look_ups": (0, 1),
    "cancels": (0, 1),
}
HELP = {
    "shape": "rush-hour, workplace and public are 24 hours of arrivals at homes, at work and in public; "
    "trace replays a day of --trace; burst is many at the same instant, every 5 s; steady is one rate",
    "duration": "real seconds. rush-hour, workplace, public and trace: the 24 hours are compressed into them; "
    "if 0, by the grid's TIME_SCALE, that is into 86400 / TIME_SCALE seconds. burst and steady: how long they last; "
    "if 0, until stopped",
    "load": "as many cars come as would, if nobody had to wait, at the worst moment commit this many times the power "
    "that the grid can give: the arrivals of the shape, each for as long as its session lasts at the grid's "
    "TIME_SCALE, against the limits in GET /grid. Several zones share the cars in proportion to their limits. "
    "trace: each visit is made as often as that takes. burst: those of one instant draw this many times the limits",
    "peak": "instead of --load: cars a second in the busiest hour; burst: cars at once; trace: how often each visit "
    "is made",
    "time_scale": "the grid's TIME_SCALE: simulated seconds that pass in one real second. By default the variable of "
    "that name, as for the grid itself",
    "trace": "a CSV file for --shape trace: arrival_local or arrival_utc, departure_utc, energy_kwh, max_kw; or start, "
    "end, energy_kwh, charger_kw; may be .csv.gz",
    "day": "the day of the trace, YYYY-MM-DD; by default the one with the most visits",
    "fleets": "share of the calls that are for a fleet of 5 to 25 cars, all in one array",
    "look_ups": "share of the sessions whose driver looks them up",
    "cancels": "share of the sessions whose driver cancels them soon after asking, in line or charging",
    "seed": "the same seed, the same cars at the same instants",
}


def add_options(parser: ArgumentParser, defaults: Options = DEFAULTS) -> None:
    for name, default in asdict(defaults).items():
        kind = type(default)
        if name == "time_scale":
            default = os.environ.get("TIME_SCALE") or default
        choices = SHAPES if name == "shape" else None
        text = f"{HELP[name]} (default: {default})" if default != "" else HELP[name]
        flag = f"--{name.replace('_', '-')}"
        parser.add_argument(flag, type=kind, default=default, choices=choices, help=text)
