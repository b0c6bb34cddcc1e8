"""What a rush did to the grid, in figures; and whether the grid kept its promise."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from loadtest.acceptance import Acceptance, acceptance, by_zone
from loadtest.answers import GOOD, GOOD_VISITS, Answer
from loadtest.balance import Balance, balances
from loadtest.line import FORGOTTEN, KNOWN, RETENTION_S, STARTED, Fate, Line
from loadtest.percentiles import PERCENTILES, percentiles
from loadtest.samples import Sample


@dataclass(frozen=True)
class SubstationFigures:
    """By the substation's own account, or as GET /grid showed it. kW and s."""

    substation: str
    limit_kw: float
    peak_kw: float
    overload_s: float
    sessions: int


@dataclass(frozen=True)
class Verdict:
    """Two kinds of fairness: `balance`, to the substations of each zone, and `acceptance`, to cars of every power: in
    the whole grid, and where there are several zones in each of them.

    `due` cars should have asked; `requests` are cars of which the outcome is known, in a call of their own or in a
    fleet's. `errors` counts the wrong answers to cars, so that charging (at once), waiting, refused and errors are all
    of them; `visit_errors` those to look-ups and cancels. `interruptions` are per accepted session,
    `most_interruptions` those of one. Latency is each car's, from the instant its call was due.
    """

    substations: list[SubstationFigures]
    due: int
    requests: int
    charging: int
    waiting: int
    refused: int
    errors: dict[str, int]
    visit_errors: dict[str, int]
    line: Line
    interruptions: float
    most_interruptions: int
    acceptance: Acceptance
    acceptance_by_zone: dict[str, Acceptance]
    latency_ms: dict[str, float]
    requests_per_s: float
    balance: list[Balance]

    @property
    def overloaded(self) -> list[str]:
        return [s.substation for s in self.substations if s.overload_s > 0 or s.peak_kw > s.limit_kw]

    @property
    def kept(self) -> bool:
        """No substation above its limit, every car that was due answered and not by an error, nobody who waited lost,
        and it did happen.
        """
        return not self.why_not

    @property
    def why_not(self) -> str:
        """What broke the promise; empty if it was kept."""
        overloaded = f"overloaded: {', '.join(self.overloaded)}" if self.overloaded else ""
        failed = f"{sum(self.errors.values())} cars were answered by an error" if self.errors else ""
        visits = f"{sum(self.visit_errors.values())} look-ups or cancels failed" if self.visit_errors else ""
        unknown = f"{self.due - self.requests} cars are not accounted for" if self.due != self.requests else ""
        lost = ", ".join(f"{count} x {what}" for what, count in self.line.lost.items())
        lost = f"of those who waited, some are lost: {lost}" if lost else ""
        broken = "; ".join(filter(None, (overloaded, failed, visits, unknown, lost)))
        return broken or ("" if self.charging else "nobody charged")

    def as_json(self) -> dict[str, Any]:
        facts = {"kept": self.kept, **asdict(self)}
        if not self.acceptance_by_zone:
            del facts["acceptance_by_zone"]
        return facts


def judge(
    due: int,
    answers: Sequence[Answer],
    lasted_s: float,
    substations: Sequence[SubstationFigures],
    samples: Sequence[Sample],
    fates: Mapping[str, Fate],
    interruptions: Sequence[int],
    looked_up_after_s: float,
    time_scale: float,
) -> Verdict:
    """Put together what the drivers were answered, what the substations say, the loads sampled meanwhile, and what
    became of those who waited, by session, and how often each accepted session was interrupted.
    """
    outcomes = Counter(answer.outcome for answer in answers if answer.asks)
    visits = Counter(f"{answer.call}: {answer.outcome}" for answer in answers if wrong_visit(answer))
    asked = [answer.latency_ms for answer in answers if answer.asks]
    largest_kw = _largest_kw(samples)
    return Verdict(
        substations=list(substations),
        due=due,
        requests=len(asked),
        charging=outcomes["charging"],
        waiting=outcomes["waiting"],
        refused=outcomes["refused"],
        errors={outcome: count for outcome, count in outcomes.items() if outcome not in GOOD},
        visit_errors=dict(visits),
        line=_line(fates.values(), looked_up_after_s, samples, lasted_s, time_scale),
        interruptions=round(sum(interruptions) / len(interruptions), 4) if interruptions else 0.0,
        most_interruptions=max(interruptions, default=0),
        acceptance=acceptance(answers, fates, largest_kw),
        acceptance_by_zone=by_zone(answers, fates, largest_kw),
        latency_ms={name: round(ms, 1) for name, ms in percentiles(asked).items()},
        requests_per_s=round(len(asked) / lasted_s, 1),
        balance=balances(samples),
    )


def wrong_visit(answer: Answer) -> bool:
    return not answer.asks and answer.outcome not in GOOD_VISITS


def _largest_kw(samples: Sequence[Sample]) -> dict[str, float]:
    """By zone: the largest limit of a substation that was seen there."""
    largest: dict[str, float] = {}
    for load in (load for sample in samples for load in sample.loads):
        largest[load.zone] = max(largest.get(load.zone, 0.0), load.limit_kw)
    return largest


def _line(
    fates: Collection[Fate], after_s: float, samples: Sequence[Sample], lasted_s: float, time_scale: float
) -> Line:
    counts = Counter(fate.what for fate in fates)
    known = (*KNOWN, FORGOTTEN) if lasted_s > RETENTION_S else KNOWN
    waited_s = [fate.waited_s for fate in fates if fate.what == STARTED and fate.waited_s is not None]
    longest = {"longest": max(waited_s)} if waited_s else {}
    return Line(
        fates=dict(counts),
        lost={what: count for what, count in counts.items() if what not in known},
        after_s=round(after_s, 1),
        waited_s=percentiles(waited_s, PERCENTILES[:2]) | longest,
        used=_mean([sample.drawn for sample in samples if sample.waiting and sample.drawn is not None]),
        time_scale=time_scale,
    )


def _mean(values: Sequence[float]) -> float | None:
    return round(sum(values) / len(values), 4) if values else None
