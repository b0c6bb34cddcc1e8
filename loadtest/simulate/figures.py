"""What is counted of a run, and the figures that come of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from loadtest.simulate.books import Books
from loadtest.simulate.estimate import BATCHES, SHORTEST_BATCH, Estimate, ratio
from loadtest.simulate.scenario import Scenario
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
    peak_at_ticks: Estimate | None
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
    ticks: int = 0
    peaks: float = 0.0


Of = Callable[[_Batch], float]


@dataclass
class Tally:
    """Counts what arrivals meet. As arrivals are Poisson, they see what is so on average over time (Wolff 1982)."""

    scenario: Scenario
    counted: int = 0
    refused: int = 0
    refused_though_it_fitted: int = 0
    _batches: list[_Batch] = field(default_factory=list)

    def __post_init__(self) -> None:
        kinds = len(self.scenario.classes)
        self._warm_up = self.scenario.warm_up
        self._batches = [_Batch([0] * kinds, [0] * kinds) for _ in range(BATCHES)]

    def ask(self, event: Event, substation: int | None, books: Books) -> None:
        """`books` as they are before anything is done about the decision."""
        if event.at < self._warm_up:
            books.peak = 0.0
            return
        batch = self._batch
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
        if event.at >= self._warm_up:
            batch = self._batch
            batch.ticks += 1
            batch.peaks += books.highest_load

    @property
    def _batch(self) -> _Batch:
        return self._batches[self.counted * BATCHES // self.scenario.arrivals]

    def figures(self, books: Books) -> Figures:
        substations = len(self.scenario.limits)
        kinds = range(len(self.scenario.classes))
        weights = [each.watts * each.stay for each in self.scenario.classes]
        return Figures(
            arrivals=self.counted,
            carried=self._mean(lambda b: _weighed(b.accepted, weights), lambda b: _weighed(b.asked, weights)),
            classes=tuple(map(self._accepted, kinds)),
            jain=self._mean(lambda b: b.jain),
            overloaded=self._mean(lambda b: b.overloaded / substations),
            load=self._mean(lambda b: b.load),
            peak=books.peak,
            peak_at_ticks=self._ratio(lambda b: b.peaks, lambda b: b.ticks),
            refused=self.refused,
            refused_though_it_fitted=self.refused_though_it_fitted,
        )

    def _accepted(self, kind: int) -> Estimate | None:
        return self._ratio(lambda b: b.accepted[kind], lambda b: b.asked[kind])

    def _mean(self, part: Of, whole: Of = lambda batch: batch.arrivals) -> Estimate:
        found = self._ratio(part, whole)
        assert found, "there are arrivals"
        return found

    def _ratio(self, part: Of, whole: Of) -> Estimate | None:
        found = ratio([part(batch) for batch in self._batches], [whole(batch) for batch in self._batches])
        shortest = SHORTEST_BATCH * self.scenario.longest_stay
        if self.scenario.arrivals < BATCHES * shortest * self.scenario.rate and found:
            return found._replace(error=None)
        return found


def _weighed(counts: Sequence[int], weights: Sequence[float]) -> float:
    return sum(count * weight for count, weight in zip(counts, weights, strict=True))
