"""A recorded rush over time: what its figures show."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from loadtest.answers import Answer
from loadtest.line import STARTED, Fate
from loadtest.recording import Recording
from loadtest.verdict import PERCENTILES, jain, percentile

OUTCOMES = ("charging", "waiting", "refused", "errors")
BINS = 48
SHORTEST_BIN_S = 0.5
# The upper ends of the classes, in kW: home, wallbox, three-phase, public AC, fast, motorway.
CLASSES_KW = (4, 8, 12, 25, 60, 1_000)


@dataclass(frozen=True)
class Acceptance:
    """How many cars of these powers asked, how many charged at once, and how many after they had waited."""

    powers: str
    asked: int
    charging: int
    started: int

    @property
    def share(self) -> float:
        return (self.charging + self.started) / self.asked


@dataclass(frozen=True)
class Series:
    """Over seconds since the start. `limits_kw` and `loads` (committed ÷ limit) are by substation, `rates` (cars a
    second) by outcome, `latency_ms` by percentile; a bin in which nobody asked has no latency. None is unknown: a
    substation that was not up, or a moment at which the grid did not say. `used` is the share of the grid in use,
    `waiting` how many were in line.
    """

    sampled_s: list[float]
    limits_kw: dict[str, float]
    loads: dict[str, list[float | None]]
    used: list[float | None]
    waiting: list[int | None]
    jain: list[float | None]
    bin_s: float
    bins_s: list[float]
    rates: dict[str, list[float]]
    latency_ms: dict[str, list[float | None]]
    acceptance: list[Acceptance]

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
    limits = {load.substation: load.limit_kw for sample in samples for load in sample.loads}
    shares = [{load.substation: load.share for load in sample.loads} for sample in samples]
    asked = [answer for answer in recording.answers if answer.asks]
    bin_s = max(SHORTEST_BIN_S, recording.lasted_s / BINS)
    bins = _bins(asked, bin_s, recording.lasted_s)
    return Series(
        sampled_s=[round(sample.at - recording.began_at, 3) for sample in samples],
        limits_kw=limits,
        loads={name: [_rounded(share.get(name)) for share in shares] for name in limits},
        used=[_rounded(sample.used) for sample in samples],
        waiting=[sample.waiting for sample in samples],
        jain=[_rounded(jain(list(share.values()))) if share else None for share in shares],
        bin_s=bin_s,
        bins_s=[round(number * bin_s, 3) for number in range(len(bins))],
        rates=_rates(bins, bin_s),
        latency_ms={f"p{share * 100:g}": [_latency(each, share) for each in bins] for share in PERCENTILES},
        acceptance=acceptance(asked, recording.fates),
    )


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


def acceptance(asked: Sequence[Answer], fates: Mapping[str, Fate]) -> list[Acceptance]:
    """By power class, without the classes of which nobody came."""
    classes: defaultdict[int, list[Answer]] = defaultdict(list)
    for answer in asked:
        classes[next(number for number, upto in enumerate(CLASSES_KW) if answer.power_kw <= upto)].append(answer)
    return [_acceptance(classes[number], fates) for number in sorted(classes)]


def _acceptance(asked: Sequence[Answer], fates: Mapping[str, Fate]) -> Acceptance:
    powers = sorted({answer.power_kw for answer in asked})
    named = f"{powers[0]:g} kW" if len(powers) == 1 else f"{powers[0]:g} to {powers[-1]:g} kW"
    waited = [fates.get(answer.session or "") for answer in asked if answer.outcome == "waiting"]
    return Acceptance(
        named,
        len(asked),
        charging=sum(answer.outcome == "charging" for answer in asked),
        started=sum(fate is not None and fate.what == STARTED for fate in waited),
    )
