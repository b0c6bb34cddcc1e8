"""From requests to charging cars: reserve, forward, and what to do when a substation says no or nothing."""

import logging
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from balancer.substation import Started, SubstationClient
from grid.ledger import (
    Ledger,
    LedgerUnavailable,
    Outcome,
    Placement,
    Release,
    ReleaseOutcome,
    Request,
    SessionRecord,
)
from grid.metrics import POWER_CLASSES, balancer_metrics, power_class, start_at_zero

log = logging.getLogger(__name__)

_GIVE_BACK = {Started.NO: ReleaseOutcome.REFUSED, Started.UNKNOWN: ReleaseOutcome.UNKNOWN}
_HOLDS_WATTS = {"reserved", "charging", "unsettled"}
_CANCEL_TRIES = 3

_Placed = tuple[int, Placement]


class Result(StrEnum):
    """What became of one request."""

    CHARGING = "charging"
    WAITING = "waiting"
    """In line: a substation starts it as soon as there is room and its turn has come."""
    ENDED = "ended"
    """Known from before, and over."""
    FULL = "full"
    """The line too."""
    TOO_BIG = "too-big"
    TOO_LATE = "too-late"
    CONFLICT = "conflict"
    UNANSWERED = "unanswered"
    """The substations with room refused or did not answer, or there is none at all."""
    UNAVAILABLE = "unavailable"
    """The ledger did not answer."""


_DECIDED = {
    Outcome.PLACED: Result.CHARGING,
    Outcome.WAITING: Result.WAITING,
    Outcome.ENDED: Result.ENDED,
    Outcome.FULL: Result.FULL,
    Outcome.TOO_BIG: Result.TOO_BIG,
    Outcome.TOO_LATE: Result.TOO_LATE,
    Outcome.NOWHERE: Result.UNANSWERED,
    Outcome.CONFLICT: Result.CONFLICT,
}


@dataclass(frozen=True, slots=True)
class Decision:
    result: Result
    placement: Placement | None = None
    state: str = ""
    cause: str = ""


class Dispatcher:
    """Places the requests of one zone. Holds no state but its connections.

    `attempts`: substations tried for one request. `budget_ms`: no further one is tried after so long.
    """

    def __init__(
        self, ledger: Ledger, substations: SubstationClient, pool: ThreadPoolExecutor, attempts: int, budget_ms: int
    ) -> None:
        self._ledger = ledger
        self._substations = substations
        self._pool = pool
        self._attempts = attempts
        self._budget_s = budget_ms / 1000
        self._metrics = balancer_metrics()
        start_at_zero(self._metrics.placements, [ledger.zone], Result, POWER_CLASSES)
        start_at_zero(self._metrics.placements_watts, [ledger.zone], Result)
        start_at_zero(self._metrics.retries, [started.value for started in _GIVE_BACK])

    def route(self, requests: Sequence[Request], request_id: str) -> list[Decision]:
        """One decision for each request, in order: one script call and one POST per substation for all of them.

        A request that a substation refuses, or does not answer, is tried elsewhere.
        """
        decisions = self._decide(requests, request_id)
        self._count(requests, decisions)
        return decisions

    def _decide(self, requests: Sequence[Request], request_id: str) -> list[Decision]:
        deadline = time.monotonic() + self._budget_s
        batch = _Batch(requests, request_id)
        failure = Decision(Result.UNANSWERED)
        for _ in range(self._attempts):
            if not batch.pending or time.monotonic() > deadline:
                break
            try:
                self._attempt(batch)
            except LedgerUnavailable as error:
                failure = Decision(Result.UNAVAILABLE, cause=str(error))
                break
        return [batch.decisions.get(i) or batch.otherwise.get(i) or failure for i in range(len(requests))]

    def cancel(self, session: str, request_id: str) -> SessionRecord | None:
        """Stop a session for its owner and free its watts: at once, or when its substation answers again.

        None if the ledger does not know it. Raises LedgerUnavailable.
        """
        for _ in range(_CANCEL_TRIES):
            record = self._ledger.session(session)
            if record is None:
                return None
            stopped = record.state not in _HOLDS_WATTS or self._substations.stop(
                record.url, session, record.attempt, request_id
            )
            outcome = ReleaseOutcome.CANCELLED if stopped else ReleaseOutcome.CANCELLING
            (state,) = self._ledger.release([Release(session, record.attempt, outcome)])
            if state not in ("reserved", "charging"):  # else it was moved elsewhere in between
                break
        return self._ledger.session(session)

    def _count(self, requests: Sequence[Request], decisions: Sequence[Decision]) -> None:
        numbers: Counter[tuple[Result, str]] = Counter()
        watts: Counter[Result] = Counter()
        for request, decision in zip(requests, decisions, strict=True):
            numbers[decision.result, power_class(request.watts)] += 1
            watts[decision.result] += request.watts
        for (result, up_to_kw), number in numbers.items():
            self._metrics.placements.labels(self._ledger.zone, result, up_to_kw).inc(number)
        for result, asked in watts.items():
            self._metrics.placements_watts.labels(self._ledger.zone, result).inc(asked)

    def _attempt(self, batch: "_Batch") -> None:
        """Reserve and forward what is pending."""
        pending = batch.pending
        with self._metrics.reserve.time():
            placements = self._ledger.reserve([batch.requests[i] for i in pending], batch.avoid)
        groups: dict[str, list[_Placed]] = defaultdict(list)
        for i, placement in zip(pending, placements, strict=True):
            if placement.outcome is Outcome.PLACED and placement.state != "charging":
                groups[placement.url].append((i, placement))
            elif placement.outcome is Outcome.FULL and batch.avoid:  # there was room, but where it failed
                batch.decisions[i] = Decision(Result.UNANSWERED)
            else:
                batch.decisions[i] = Decision(_DECIDED[placement.outcome], placement, placement.state)

        failed: list[tuple[_Placed, Started]] = []
        for group, answers in self._forward(groups, batch):
            for (i, placement), started in zip(group, answers, strict=True):
                if started is Started.YES:
                    batch.decisions[i] = Decision(Result.CHARGING, placement, "charging")
                else:
                    failed.append(((i, placement), started))
        batch.avoid |= {placement.substation for (_, placement), _ in failed}
        self._give_back(failed, batch)

    def _forward(self, groups: dict[str, list[_Placed]], batch: "_Batch") -> list[tuple[list[_Placed], list[Started]]]:
        def post(url: str) -> list[Started]:
            orders = [_order(batch.requests[i], placement) for i, placement in groups[url]]
            with self._metrics.forward.time():
                return self._substations.charge(url, orders, batch.request_id)

        # Side by side if there are several: a slow substation must not hold up the cars of the others.
        replies = self._pool.map(post, groups) if len(groups) > 1 else map(post, groups)
        return list(zip(groups.values(), replies, strict=True))

    def _give_back(self, failed: Sequence[tuple[_Placed, Started]], batch: "_Batch") -> None:
        if not failed:
            return
        releases = [
            Release(batch.requests[i].session, placement.attempt, _GIVE_BACK[started])
            for (i, placement), started in failed
        ]
        states = self._ledger.release(releases)
        for ((i, placement), started), state in zip(failed, states, strict=True):
            self._metrics.retries.labels(started.value).inc()
            if state in ("charging", "finished"):  # a heartbeat said so in between
                batch.decisions[i] = Decision(Result.CHARGING, placement, state)
            elif state == "cancelled":
                batch.decisions[i] = Decision(Result.ENDED, placement, state)
            elif state == "waiting":
                batch.otherwise[i] = Decision(Result.WAITING, placement, state)


@dataclass
class _Batch:
    """Requests under way. `otherwise`: what to say if no further try decides it; `avoid`: who has failed some."""

    requests: Sequence[Request]
    request_id: str
    decisions: dict[int, Decision] = field(default_factory=dict)
    otherwise: dict[int, Decision] = field(default_factory=dict)
    avoid: set[str] = field(default_factory=set)

    @property
    def pending(self) -> list[int]:
        return [i for i in range(len(self.requests)) if i not in self.decisions]


def _order(request: Request, placement: Placement) -> dict[str, Any]:
    return {
        "session_id": request.session,
        "attempt": placement.attempt,
        "substation": placement.substation,
        "epoch": placement.epoch,
        "vehicle_id": request.vehicle,
        "watts": placement.watts,
        "energy_wh": placement.energy_wh,
    }
