"""What a rush did to the grid, in figures; and whether the grid kept its promise."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class SubstationFigures:
    """By the substation's own account. kW and s."""

    substation: str
    limit_kw: float
    peak_kw: float
    overload_s: float
    sessions: int


@dataclass(frozen=True)
class Verdict:
    """`jain` is the mean, over the rush, of Jain's index of the substations' loads: 1 if all are equally loaded.

    `errors` counts each answer that was neither a started session nor a refusal by a full grid.
    """

    substations: list[SubstationFigures]
    requests: int
    charging: int
    refused: int
    errors: dict[str, int]
    latency_ms: dict[str, float]
    requests_per_s: float
    jain: float

    @property
    def overloaded(self) -> list[str]:
        return [s.substation for s in self.substations if s.overload_s > 0 or s.peak_kw > s.limit_kw]

    @property
    def kept(self) -> bool:
        """No substation above its limit, no request answered by an error, and the rush did happen."""
        return not self.overloaded and not self.errors and self.charging > 0

    def as_json(self) -> dict[str, Any]:
        return {"kept": self.kept, **asdict(self)}


def judge(rush: dict[str, Any], substations: Sequence[SubstationFigures], loads: Sequence[Sequence[float]]) -> Verdict:
    """Put together what Locust saw (`rush`), what the substations say, and the loads sampled meanwhile."""
    outcomes = dict(rush["outcomes"])
    return Verdict(
        substations=list(substations),
        requests=rush["requests"],
        charging=outcomes.pop("charging", 0),
        refused=outcomes.pop("refused", 0),
        errors=outcomes,
        latency_ms=rush["latency_ms"],
        requests_per_s=rush["requests_per_s"],
        jain=mean_jain(loads),
    )


def jain(values: Sequence[float]) -> float:
    """Jain's index of fairness, (Σx)² ÷ (n·Σx²): 1 if all are equal, 1/n if one has everything.

    1 for no values or only zeros. Source: Jain, Chiu, Hawe (1984), DEC-TR-301.
    """
    squares = sum(value * value for value in values)
    return sum(values) ** 2 / (len(values) * squares) if squares else 1.0


def mean_jain(samples: Sequence[Sequence[float]]) -> float:
    """The mean index of the samples in which anything was loaded."""
    busy = [jain(sample) for sample in samples if any(sample)]
    return round(sum(busy) / len(busy), 4) if busy else 1.0
