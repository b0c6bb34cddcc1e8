"""A recorded rush over time: what its figures show."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from loadtest.answers import Answer
from loadtest.balance import jain
from loadtest.percentiles import PERCENTILES, percentile
from loadtest.recording import Recording
from loadtest.samples import Load, names

OUTCOMES = ("charging", "waiting", "refused", "errors")
BINS = 48
SHORTEST_BIN_S = 0.5


@dataclass(frozen=True)
class Series:
    """Over seconds since the start. `limits_kw` and `loads` (committed ÷ limit) are by substation, `rates` (cars a
    second) by outcome, `latency_ms` by percentile; a bin in which nobody asked has no latency. None is unknown: a
    substation that was not up, or a moment at which the grid did not say. `used` is the share of the grid in use,
    `waiting` how many were in line, `jain` by zone Jain's index of its loads; None too while nothing is loaded there.
    """

    sampled_s: list[float]
    limits_kw: dict[str, float]
    loads: dict[str, list[float | None]]
    used: list[float | None]
    waiting: list[int | None]
    jain: dict[str, list[float | None]]
    bin_s: float
    bins_s: list[float]
    rates: dict[str, list[float]]
    latency_ms: dict[str, list[float | None]]

    @property
    def gaps(self) -> str:
        """How much is unknown, in words; empty if nothing is."""
        count = len(self.sampled_s)
        silent = sum(used is None for used in self.used)
        away = {name: loads.count(None) - silent for name, loads in self.loads.items()}
        said = [f"{silent} of {count} samples of GET /grid are missing"] if silent else []
        said += [f"{name} was not up in {missing} of {count} samples" for name, missing in away.items() if missing]
        return "; ".join(said)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def series(recording: Recording) -> Series:
    samples = recording.samples
    name = names(load for sample in samples for load in sample.loads)
    limits = {name[load.place]: load.limit_kw for sample in samples for load in sample.loads}
    shares = [{name[load.place]: load.share for load in sample.loads} for sample in samples]
    zones = [sample.by_zone for sample in samples]
    asked = [answer for answer in recording.answers if answer.asks]
    bin_s = max(SHORTEST_BIN_S, recording.lasted_s / BINS)
    bins = _bins(asked, bin_s, recording.lasted_s)
    return Series(
        sampled_s=[round(sample.at - recording.began_at, 3) for sample in samples],
        limits_kw=limits,
        loads={name: [_rounded(share.get(name)) for share in shares] for name in limits},
        used=[_rounded(sample.used) for sample in samples],
        waiting=[sample.waiting for sample in samples],
        jain={zone: [_jain(each.get(zone, ())) for each in zones] for zone in sorted({zone for zone, _ in name})},
        bin_s=bin_s,
        bins_s=[round(number * bin_s, 3) for number in range(len(bins))],
        rates=_rates(bins, bin_s),
        latency_ms={f"p{share * 100:g}": [_latency(each, share) for each in bins] for share in PERCENTILES},
    )


def _jain(loads: Sequence[Load]) -> float | None:
    shares = [load.share for load in loads]
    return _rounded(jain(shares)) if any(shares) else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _bins(asked: Sequence[Answer], bin_s: float, lasted_s: float) -> list[list[Answer]]:
    bins: list[list[Answer]] = [[] for _ in range(max(1, round(lasted_s / bin_s)))]
    for answer in asked:
        bins[min(int(answer.due_s / bin_s), len(bins) - 1)].append(answer)
    return bins


def _rates(bins: Sequence[Sequence[Answer]], bin_s: float) -> dict[str, list[float]]:
    counts = [Counter(_kind(answer.outcome) for answer in each) for each in bins]
    return {outcome: [round(count[outcome] / bin_s, 2) for count in counts] for outcome in OUTCOMES}


def _kind(outcome: str) -> str:
    return outcome if outcome in OUTCOMES else "errors"


def _latency(asked: Sequence[Answer], share: float) -> float | None:
    return percentile([answer.latency_ms for answer in asked], share) if asked else None
