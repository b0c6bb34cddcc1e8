"""What is counted of a run, and the figures that come of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from loadtest.simulate.books import Books
from loadtest.simulate.estimate import BATCHES, Estimate, ratio
from loadtest.simulate.scenario import WARM_UP, Scenario
from loadtest.simulate.timeline import Event


@dataclass(frozen=True)
class Figures:
    """Shares from 0 to 1, of the arrivals that were counted."""

    arrivals: int
    carried: Estimate
    """kW accepted ÷ kW offered, each for its mean stay."""
    classes: tuple[Estimate | None, ...]
    """Accepted ÷ asked of each power class; None if nobody asked."""
    jain: Estimate
    """Jain's index of the loads, on average over time."""
    overloaded: Estimate
    """Substations above their limit, on average over time."""
    load: Estimate
    """Committed ÷ limit, on average over substations and time."""
    peak: float
    """The highest load of a substation at any time."""
    peak_at_ticks: float | None
    """The highest load among the substations as a period ends, on average over the periods; None without periods."""
    refused: int
    refused_though_it_fitted: int
    """There was a substation with room for it."""

    @property
    def fairness(self) -> float | None:
        """The acceptance of the power class that fares worst ÷ that of the one that fares best."""
        shares = [each.value for each in self.classes if each]
        return min(shares) / max(shares) if max(shares) else None


@dataclass
class _Batch:
    """Sums over the same number of arrivals."""

    asked: list[int]
    accepted: list[int]
    arrivals: int = 0
    jain: float = 0.0
    overloaded: float = 0.0
    load: float = 0.0


@dataclass
class Tally:
    """Counts what arrivals meet. As arrivals are Poisson, they see what is so on average over time (Wolff 1982)."""

    scenario: Scenario
    counted: int = 0
    refused: int = 0
    refused_though_it_fitted: int = 0
    peak: float = 0.0
    _peaks_at_ticks: float = 0.0
    _ticks: int = 0
    _batches: list[_Batch] = field(default_factory=list)

    def __post_init__(self) -> None:
        kinds = len(self.scenario.classes)
        self._batches = [_Batch([0] * kinds, [0] * kinds) for _ in range(BATCHES)]

    def ask(self, event: Event, substation: int | None, books: Books) -> None:
        """`books` as they are before anything is done about the decision."""
        if event.at < WARM_UP:
            books.peak = 0.0
            return
        batch = self._batches[self.counted * BATCHES // self.scenario.arrivals]
        self.counted += 1
        batch.arrivals += 1
        batch.asked[event.kind] += 1
        batch.jain += books.jain
        batch.load += books.mean_load
        batch.overloaded += books.overloaded
        if substation is not None:
            batch.accepted[event.kind] += 1
        else:
            self.refused += 1
            self.refused_though_it_fitted += books.fits_somewhere(event.watts)

    def tick(self, event: Event, books: Books) -> None:
        if event.at >= WARM_UP:
            self._ticks += 1
            self._peaks_at_ticks += books.highest_load

    def figures(self, books: Books) -> Figures:
        substations = len(self.scenario.limits)
        arrivals = [batch.arrivals for batch in self._batches]
        weights = [each.watts * each.stay for each in self.scenario.classes]
        return Figures(
            arrivals=self.counted,
            carried=_known(
                [_weighed(batch.accepted, weights) for batch in self._batches],
                [_weighed(batch.asked, weights) for batch in self._batches],
            ),
            classes=tuple(
                ratio([batch.accepted[kind] for batch in self._batches], [batch.asked[kind] for batch in self._batches])
                for kind in range(len(weights))
            ),
            jain=_known([batch.jain for batch in self._batches], arrivals),
            overloaded=_known([batch.overloaded / substations for batch in self._batches], arrivals),
            load=_known([batch.load for batch in self._batches], arrivals),
            peak=books.peak,
            peak_at_ticks=self._peaks_at_ticks / self._ticks if self._ticks else None,
            refused=self.refused,
            refused_though_it_fitted=self.refused_though_it_fitted,
        )


def _weighed(counts: Sequence[int], weights: Sequence[float]) -> float:
    return sum(count * weight for count, weight in zip(counts, weights, strict=True))


def _known(parts: Sequence[float], wholes: Sequence[float]) -> Estimate:
    found = ratio(parts, wholes)
    assert found, "there are arrivals"
    return found
